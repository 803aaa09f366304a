//! How is a `PostgreSQL` server of a test's own started, and ended?

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::disks::folder;
use super::{TornError, text};
use crate::programs::{done, finished};
use crate::server_account;

/// Where Debian and its kin put each version's programs.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// The first version whose functions have the recipes' names.
const VERSION_MIN: u32 = 15;

/// A server that recovers is ready within this, or never.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// As small as a server comes: five of them run beside each other, twice.
const SETTINGS: [&str; 7] = [
    "listen_addresses=",
    "shared_buffers=16MB",
    "min_wal_size=4MB",
    "max_wal_size=32MB",
    "max_connections=40",
    "autovacuum_naptime=1h",
    "log_min_messages=error",
];

/// `psql` without a user's own settings, unadorned, ended by an error.
const CLIENT: [&str; 7] = ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres"];

/// The server's programs, of the newest version there is.
pub fn programs() -> Result<PathBuf, TornError> {
    let versions = std::fs::read_dir(DEBIAN_FOLDER).into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= VERSION_MIN && programs.join("postgres").is_file()).then_some((version, programs))
    });
    let none = || TornError::Absent(format!("no PostgreSQL of version {VERSION_MIN} or later in {DEBIAN_FOLDER}"));
    versions.max().map(|(_, programs)| programs).ok_or_else(none)
}

/// Makes an empty database in `data`; all who can reach its socket are let in.
pub fn initialise(programs: &Path, data: &Path) -> Result<(), TornError> {
    private(data)?;
    let mut initdb = server_account::command(programs.join("initdb"));
    initdb.args(["--auth=trust", "--username=postgres", "--no-sync", "--wal-segsize=1", "--pgdata", text(data)]);
    finished(&mut initdb)?;
    Ok(())
}

/// A server that runs over a disk. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    socket_dir: PathBuf,
    process: Child,
}

impl Server {
    /// Starts one over `<disk>/pg` with its socket in `<disk>/s`, and waits until it answers.
    pub fn over(programs: &Path, disk: &Path) -> Result<Self, TornError> {
        let (data, socket_dir) = (disk.join("pg"), disk.join("s"));
        // What a cut has found of these: whoever they name runs elsewhere, over the disk that was cut.
        let _ = (std::fs::remove_file(data.join("postmaster.pid")), std::fs::remove_dir_all(&socket_dir));
        private(&socket_dir)?;
        let said = disk.join("said");
        let log = std::fs::File::create(&said)
            .map_err(|source| TornError::Io { what: format!("making {}", said.display()), source })?;
        let mut postgres = server_account::command(programs.join("postgres"));
        postgres.args(["-D", text(&data), "-k", text(&socket_dir)]);
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process =
            postgres.spawn().map_err(|source| TornError::Io { what: "starting postgres".to_owned(), source })?;
        let mut server = Self { programs: programs.to_owned(), socket_dir, process };
        let begin = Instant::now();
        while let Err(last) = server.ask("SELECT 1") {
            let ended = server.process.try_wait().ok().flatten();
            if begin.elapsed() > READY_WITHIN || ended.is_some() {
                let said = std::fs::read_to_string(&said).unwrap_or_default();
                let how = ended.map_or_else(|| "runs and does not answer".to_owned(), |status| status.to_string());
                let why = format!("{how}; {last}; it said: {said}");
                return Err(TornError::Server { folder: text(&data).to_owned(), why });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(server)
    }

    /// What queries give: a line a row, fields between `|`.
    pub fn ask(&self, query: &str) -> Result<String, TornError> {
        let psql = self.programs.join("psql");
        Ok(done(psql, [&CLIENT[..], &["-h", text(&self.socket_dir), "-c", query]].concat())?)
    }

    /// Where its disk is.
    pub fn folder(&self) -> String {
        self.socket_dir.parent().unwrap_or(&self.socket_dir).display().to_string()
    }

    /// A client that stays connected.
    pub fn client(&self) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(CLIENT).args(["-h", text(&self.socket_dir)]);
        psql
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // With it end its own processes: SIGQUIT is its quickest orderly way.
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = self.process.wait();
    }
}

/// A folder that only the server may enter.
fn private(at: &Path) -> Result<(), TornError> {
    folder(at)?;
    Ok(server_account::own(at)?)
}
