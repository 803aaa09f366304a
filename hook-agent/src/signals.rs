//! When somebody ends the hook: SIGTERM and SIGINT become something that the rest can wait for.

use std::io;
use std::os::unix::net::UnixStream as StdStream;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// The signals that withdraw a registration, as they arrive.
pub struct Signals {
    terminate: UnixStream,
    interrupt: UnixStream,
}

impl Signals {
    /// From now on these signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: wakes_on(SIGTERM)?, interrupt: wakes_on(SIGINT)? })
    }

    /// Waits for the next signal and names it.
    pub async fn next(&mut self) -> &'static str {
        let (mut one, mut other) = ([0; 1], [0; 1]);
        tokio::select! {
            read = self.terminate.read(&mut one) => woken(read, "SIGTERM").await,
            read = self.interrupt.read(&mut other) => woken(read, "SIGINT").await,
        }
    }
}

/// A broken pipe is not a signal: then none can be noticed any more, and waiting for one takes for ever.
async fn woken(read: io::Result<usize>, name: &'static str) -> &'static str {
    match read {
        Ok(1..) => name,
        Ok(0) | Err(_) => std::future::pending().await,
    }
}

fn wakes_on(signal: i32) -> io::Result<UnixStream> {
    let (read, write) = StdStream::pair()?;
    pipe::register(signal, write)?;
    read.set_nonblocking(true)?;
    UnixStream::from_std(read)
}
