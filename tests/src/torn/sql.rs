//! How does the application talk to a server? Over one `psql` that stays connected, a statement and its answer at a time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::TornError;
use super::postgres::Server;

/// What ends an answer.
const END: &str = "--end--";

/// A connection.
#[derive(Debug)]
pub struct Connection {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Connection {
    /// Connects.
    pub fn open(server: &Server) -> Result<Self, TornError> {
        let mut client = server.client();
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let broken = |source| TornError::Io { what: "starting psql".to_owned(), source };
        let mut process = client.spawn().map_err(broken)?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (to, from) = pipes.ok_or_else(|| TornError::Absent("psql has no pipes".to_owned()))?;
        Ok(Self { process, to, from: BufReader::new(from) })
    }

    /// Runs statements, one transaction, to its commit. An error of the server ends the connection.
    pub fn commit(&mut self, statements: &str) -> Result<(), TornError> {
        let tried = writeln!(self.to, "BEGIN; {statements}; COMMIT;\n\\echo {END}").and_then(|()| self.to.flush());
        let broken = |source| TornError::Io { what: format!("running `{statements}`"), source };
        tried.map_err(broken)?;
        let mut line = String::new();
        while line.trim_end() != END {
            line.clear();
            if self.from.read_line(&mut line).map_err(broken)? == 0 {
                let why = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the server refused it, or ended");
                return Err(broken(why));
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
