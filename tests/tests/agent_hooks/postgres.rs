//! The recipes for a real `postgres`: what holds from pre to post, and what is said when that is lost.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use shared::quiesce::LetGo;
use testbed::programs::finished;
use testbed::server_account;
use testbed::torn::postgres_programs;

use crate::bed::{Bed, eventually, path};
use crate::database::{Daemon, copy, or_skip, private_folder};
use crate::recipe::{Environment, Recipe, block};

/// Set to make a missing server a failure instead of a skip.
const REQUIRED_VARIABLE: &str = "POSTGRES_REQUIRED";

/// A server of its own in the bed's folder. It ends when this is dropped.
struct Server {
    programs: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
    _daemon: Daemon,
}

impl Server {
    /// Starts one, with the page's user; `None`, and a loud line, where there is none.
    async fn start(bed: &Bed) -> Option<Self> {
        let programs = or_skip("PostgreSQL", REQUIRED_VARIABLE, postgres_programs().map_err(|e| e.to_string()))?;
        let data = bed.path("pg");
        private_folder(&data);
        let mut initdb = server_account::command(programs.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--no-sync", "--pgdata", path(&data)]);
        finished(&mut initdb).expect("a database can be made");
        let server = Self::over(programs, data, bed.path("s")).ready().await;
        server.ask(&block("postgresql-user"));
        server.ask(&block("postgresql-lock-user"));
        server.ask("CREATE TABLE orders (id INT)");
        Some(server)
    }

    /// A server over a folder that has data.
    fn over(programs: PathBuf, data: PathBuf, socket_dir: PathBuf) -> Self {
        private_folder(&socket_dir);
        let mut postgres = server_account::command(programs.join("postgres"));
        postgres.args(["-D", path(&data), "-k", path(&socket_dir), "-c", "listen_addresses=", "-c", "fsync=off"]);
        // Its own children end when it does: SIGQUIT is its quickest orderly way.
        Self { programs, data, socket_dir, _daemon: Daemon::start(postgres, "QUIT") }
    }

    async fn ready(self) -> Self {
        assert!(eventually(|| (self.ask("SELECT 1") == "1").then_some(())).await.is_some(), "PostgreSQL did not start");
        self
    }

    /// The second server: over what a cut would find now.
    async fn of_a_cut(&self, bed: &Bed) -> Self {
        let data = bed.path("cut");
        copy(&self.data, &data);
        let _ = std::fs::remove_file(data.join("postmaster.pid"));
        Self::over(self.programs.clone(), data, bed.path("s2")).ready().await
    }

    fn psql(&self, query: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", path(&self.socket_dir)]);
        psql.args(["-c", query]).stdin(Stdio::null());
        psql
    }

    /// What a query gives, as text.
    fn ask(&self, query: &str) -> String {
        let output = self.psql(query).output().expect("psql runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a write on a connection of its own, and waits until the server says that it waits.
    async fn waits(&self) -> Child {
        let child = self.psql("INSERT INTO orders VALUES (2)").spawn().expect("psql runs");
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        assert!(eventually(|| (self.ask(waiting) == "1").then_some(())).await.is_some(), "the write is not held up");
        child
    }

    /// How many sessions the page's user has that wait for their end.
    fn holding(&self) -> String {
        self.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = 'velero' AND state LIKE 'idle%'")
    }

    /// Where the last checkpoint begins.
    fn checkpoint(&self) -> String {
        self.ask("SELECT redo_lsn FROM pg_control_checkpoint()")
    }

    fn environment(&self) -> Environment {
        let others = std::env::var("PATH").expect("a PATH");
        let path = format!("{}:{others}", path(&self.programs));
        vec![("PATH", path), ("PGHOST", crate::bed::path(&self.socket_dir).to_owned())]
    }
}

#[tokio::test]
async fn one_session_holds_from_pre_to_post() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    server.ask("INSERT INTO orders VALUES (1)");
    let written = server.ask("SELECT pg_current_wal_lsn()");
    bed.holding_by(&Recipe::of("postgresql"), &server.environment()).await;
    assert_eq!(server.holding(), "1");
    let since = format!("SELECT '{}'::pg_lsn >= '{written}'::pg_lsn", server.checkpoint());
    assert_eq!(server.ask(&since), "t", "the checkpoint is older than what was written before");
    let cut = server.of_a_cut(&bed).await;
    assert_eq!(cut.ask("SELECT count(*) FROM orders"), "1");
    bed.hook_in(&server.environment(), "post").run().await.check(0, &["let go of session", "asked to"]);
    assert_eq!(server.holding(), "0");
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn locks_hold_every_write() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    server.ask("INSERT INTO orders VALUES (1)");
    bed.holding_by(&Recipe::of("postgresql-lock"), &server.environment()).await;
    let mut write = server.waits().await;
    assert_eq!(server.ask("SELECT count(*) FROM orders"), "1");
    let cut = server.of_a_cut(&bed).await;
    assert_eq!(cut.ask("SELECT count(*) FROM orders"), "1");
    assert!(write.try_wait().expect("its end can be asked for").is_none(), "the write was through while all was held");
    bed.hook_in(&server.environment(), "post").run().await.check(0, &["let go of session", "asked to"]);
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    assert!(write.wait().expect("psql ends").success());
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_found_out_at_the_end() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    for recipe in ["postgresql", "postgresql-lock"] {
        bed.holding_by(&Recipe::of(recipe), &server.environment()).await;
        // An idle client does not notice that its session is gone; asking it does.
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'velero'";
        assert_eq!(server.ask(ended), "1");
        bed.hook_in(&server.environment(), "post").run().await.check(0, &["not proven to have been quiesced"]);
        let member = bed.member().expect("a registration");
        assert_eq!((member.let_go, member.proven_quiesced_at()), (Some(LetGo::Unproven), None), "{recipe}");
        bed.nobody_is_left().await;
    }
}

#[tokio::test]
async fn when_all_are_killed_the_server_lets_go_by_itself() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    for recipe in ["postgresql", "postgresql-lock"] {
        bed.holding_by(&Recipe::of(recipe), &server.environment()).await;
        crate::keeper::kill_both(&bed);
        assert!(eventually(|| (server.holding() == "0").then_some(())).await.is_some(), "the server still holds");
        server.ask("INSERT INTO orders VALUES (1)");
    }
    assert_eq!(server.ask("SELECT count(*) FROM orders"), "2");
}
