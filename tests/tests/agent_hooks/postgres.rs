//! The README's recipe for a database against a real server: one session from pre to post, and what is said when that is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shared::quiesce::LetGo;

use crate::bed::{Bed, eventually, path};
use crate::volume::done;

/// Set to make a missing server a failure instead of a skip.
const REQUIRED_VARIABLE: &str = "POSTGRES_REQUIRED";

/// Where Debian and its kin put each version's programs.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// The first version whose functions have the recipe's names.
const VERSION_MIN: u32 = 15;

/// A server of its own in the bed's folder. It ends when this is dropped.
struct Server {
    programs: PathBuf,
    socket_dir: PathBuf,
    postmaster: Child,
}

impl Server {
    /// Starts one; `None`, and a loud line, where there is none.
    async fn start(bed: &Bed) -> Option<Self> {
        let server = match Self::try_start(&bed.dir) {
            Ok(server) => server,
            Err(why) => {
                let required = std::env::var_os(REQUIRED_VARIABLE).is_some_and(|v| !v.is_empty());
                assert!(!required, "{REQUIRED_VARIABLE} is set, and there is no PostgreSQL: {why}");
                eprintln!("SKIPPED: the recipe for PostgreSQL is not tried, for there is no server here: {why}");
                return None;
            }
        };
        let answers = || (server.ask("SELECT 1") == "1").then_some(());
        assert!(eventually(answers).await.is_some(), "PostgreSQL did not start");
        Some(server)
    }

    fn try_start(dir: &Path) -> Result<Self, String> {
        let programs =
            newest().ok_or_else(|| format!("nothing of version {VERSION_MIN} or later in {DEBIAN_FOLDER}"))?;
        let (data, socket_dir) = (dir.join("pg"), dir.join("s"));
        for folder in [&data, &socket_dir] {
            std::fs::create_dir(folder).map_err(|e| e.to_string())?;
            // The server refuses to run as root, and a data folder that others may read.
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(|e| e.to_string())?;
        }
        if rustix::process::geteuid().is_root() {
            done("chown", &["postgres", path(&data), path(&socket_dir)])?;
        }
        let program = |name: &str| path(&programs.join(name)).to_owned();
        let initdb = ["--auth=trust", "--username=postgres", "--no-sync", "--pgdata", path(&data)];
        let made = as_server(&program("initdb")).args(initdb).output().map_err(|e| e.to_string())?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let mut postgres = as_server(&program("postgres"));
        postgres.args(["-D", path(&data), "-k", path(&socket_dir), "-c", "listen_addresses=", "-c", "fsync=off"]);
        let postmaster = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
        Ok(Self { programs, socket_dir, postmaster })
    }

    fn psql(&self) -> Vec<String> {
        let flags = ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", path(&self.socket_dir)];
        let program = path(&self.programs.join("psql")).to_owned();
        std::iter::once(program).chain(flags.map(str::to_owned)).collect()
    }

    /// What a query gives, as text.
    fn ask(&self, query: &str) -> String {
        let psql = self.psql();
        let output = Command::new(&psql[0]).args(&psql[1..]).args(["-c", query]).output().expect("psql runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// How many sessions began a backup and are still connected.
    fn holding(&self) -> String {
        self.ask(
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'psql' AND state = 'idle'",
        )
    }

    /// The README's recipe for this server.
    fn recipe(&self) -> String {
        serde_json::json!([{ "session": {
            "command": self.psql(),
            "before": ["SELECT pg_backup_start('velero', true);", "\\echo ready"],
            "ready": "ready",
            "after": ["SELECT 'stopped' FROM pg_backup_stop(false);"],
            "done": "stopped",
            "timeout": "1m",
        } }])
        .to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its own children end when it does: SIGQUIT is its quickest orderly way.
        crate::held::signal("QUIT", self.postmaster.id());
        let _ = self.postmaster.wait();
    }
}

fn newest() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN_FOLDER).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= VERSION_MIN && programs.join("postgres").is_file()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

/// A program of the server's, as a user that the server accepts.
fn as_server(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
    command
}

#[tokio::test]
async fn one_session_holds_from_pre_to_post() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    bed.holding(&server.recipe()).await;
    assert_eq!(server.holding(), "1");
    bed.hook("post").run().await.check(0, &["let go of session", "asked to"]);
    assert_eq!(server.holding(), "0");
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_found_out_at_the_end() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    bed.holding(&server.recipe()).await;
    // An idle client does not notice that its session is gone; asking it does.
    let ended = server.ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'psql' AND pid <> pg_backend_pid()");
    assert_eq!(ended, "1");
    bed.hook("post").run().await.check(0, &["not proven to have been quiesced"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.let_go, member.proven_quiesced_at()), (Some(LetGo::Unproven), None));
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn when_all_are_killed_the_server_lets_go_by_itself() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    bed.holding(&server.recipe()).await;
    crate::keeper::kill_both(&bed);
    assert!(eventually(|| (server.holding() == "0").then_some(())).await.is_some(), "the server still holds");
}
