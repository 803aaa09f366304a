//! The recipes for a real `mariadbd`: who may write while it is held, and what is said when the session is lost.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shared::quiesce::LetGo;
use testbed::programs::finished;
use testbed::server_account;

use crate::bed::{Bed, eventually, path};
use crate::database::{Daemon, copy, found, or_skip, private_folder};
use crate::recipe::{Environment, Recipe, block};

/// Set to make a missing server a failure instead of a skip.
const REQUIRED_VARIABLE: &str = "MARIADB_REQUIRED";

/// A new server's table, empty.
const TABLE: &str = "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE shop.log (id INT) ENGINE=Aria;";

/// A server of its own in the bed's folder. It ends when this is dropped.
struct Server {
    program: String,
    data: PathBuf,
    socket: PathBuf,
    _daemon: Daemon,
}

impl Server {
    /// Starts one, with the page's user; `None`, and a loud line, where there is none.
    async fn start(bed: &Bed) -> Option<Self> {
        let programs = found("mariadb").and_then(|_| Ok([found("mariadb-install-db")?, found("mariadbd")?]));
        let [install, mariadbd] = or_skip("MariaDB", REQUIRED_VARIABLE, programs)?;
        let data = bed.path("db");
        private_folder(&data);
        private_folder(&tmp(&data));
        let mut install = server_account::command(&install);
        // A script, which understands no other way to write it.
        install.args(["--no-defaults", &format!("--datadir={}", path(&data)), "--skip-test-db"]);
        install.args(["--auth-root-authentication-method=normal", "--skip-name-resolve"]);
        install.env("TMPDIR", tmp(&data));
        finished(&mut install).expect("a database can be made");
        let server = Self::over(mariadbd, data).ready().await;
        server.ask(&block("mariadb-user")).expect("the page's user");
        server.ask(TABLE).expect("a table");
        let password = format!("[client]\nsocket={}\npassword=change-me\n", path(&server.socket));
        bed.write(".my.cnf", &password);
        Some(server)
    }

    /// A server over a folder that has data.
    fn over(program: String, data: PathBuf) -> Self {
        let socket = data.join("s");
        let mut mariadbd = server_account::command(&program);
        mariadbd.args(["--no-defaults", "--skip-networking", "--datadir", path(&data), "--socket", path(&socket)]);
        mariadbd.args(["--pid-file", path(&data.join("pid")), "--innodb-buffer-pool-size=16M"]);
        mariadbd.env("TMPDIR", tmp(&data));
        Self { program, socket, data, _daemon: Daemon::start(mariadbd, "KILL") }
    }

    async fn ready(self) -> Self {
        let answers = || self.ask("SELECT 1").ok();
        assert!(eventually(answers).await.is_some(), "MariaDB did not start");
        self
    }

    /// The second server: over what a cut would find now.
    async fn of_a_cut(&self, bed: &Bed) -> Self {
        let data = bed.path("cut");
        copy(&self.data, &data);
        let _ = std::fs::remove_file(data.join("s"));
        private_folder(&tmp(&data));
        Self::over(self.program.clone(), data).ready().await
    }

    fn client(&self) -> Command {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--batch", "--skip-column-names", "--user=root", "--socket", path(&self.socket)]);
        client
    }

    /// What a statement gives, as text.
    fn ask(&self, statement: &str) -> Result<String, String> {
        let output = self.client().args(["--execute", statement]).output().map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn answers(&self, question: &str, answer: &str) {
        assert_eq!(self.ask(question).as_deref(), Ok(answer), "{question}");
    }

    /// Starts statements, each on a connection of its own, and waits until the server says that all of them wait for a lock.
    async fn wait(&self, statements: &[&str]) -> Vec<Child> {
        let start = |statement: &&str| {
            self.client().args(["--execute", statement]).stdin(Stdio::null()).spawn().expect("the client runs")
        };
        let children: Vec<_> = statements.iter().map(start).collect();
        let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'Waiting for backup lock'";
        let wait = || (self.ask(waiting) == Ok(statements.len().to_string())).then_some(());
        assert!(eventually(wait).await.is_some(), "not held up: {statements:?}: {:?}", self.ask("SHOW PROCESSLIST"));
        children
    }

    /// How many sessions the page's user has.
    fn holding(&self) -> String {
        self.ask("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'velero'").unwrap_or_default()
    }
}

/// A server's folder for what is temporary: servers that share one remove each other's tables.
fn tmp(data: &Path) -> PathBuf {
    data.with_extension("tmp")
}

fn environment(bed: &Bed) -> Environment {
    vec![("HOME", path(&bed.dir).to_owned()), ("PATH", std::env::var("PATH").expect("a PATH"))]
}

/// From pre to post no write is through; a copy made meanwhile starts and has all that was written before.
async fn holds(bed: &Bed, server: &Server, recipe: &Recipe, held_up: &[&str]) {
    let environment = environment(bed);
    server.ask("INSERT INTO shop.orders VALUES (1); INSERT INTO shop.log VALUES (1)").expect("a write");
    bed.holding_by(recipe, &environment).await;
    let mut writes = server.wait(held_up).await;
    server.answers("SELECT COUNT(*) FROM shop.orders", "1");
    let cut = server.of_a_cut(bed).await;
    cut.answers("SELECT (SELECT COUNT(*) FROM shop.orders), (SELECT COUNT(*) FROM shop.log)", "1\t1");
    cut.answers(
        "CHECK TABLE shop.orders, shop.log FAST",
        "shop.orders\tcheck\tstatus\tOK\nshop.log\tcheck\tstatus\tTable is already up to date",
    );
    let through = writes.iter_mut().find_map(|write| write.try_wait().expect("its end can be asked for"));
    assert_eq!(through, None, "a write was through while all was held");
    bed.hook_in(&environment, "post").run().await.check(0, &["let go of session", "asked to"]);
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    for mut write in writes {
        assert!(write.wait().expect("the client ends").success());
    }
    server.answers("SELECT (SELECT COUNT(*) FROM shop.orders), (SELECT COUNT(*) FROM shop.log)", "2\t2");
    assert_eq!(server.holding(), "0");
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_read_lock_holds_every_write() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    let writes = ["INSERT INTO shop.orders VALUES (2)", "INSERT INTO shop.log VALUES (2)"];
    holds(&bed, &server, &Recipe::of("mariadb-lock"), &writes).await;
}

#[tokio::test]
async fn a_backup_stage_holds_every_commit() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    // What the transaction does goes on; that it is done does not.
    let writes = ["BEGIN; INSERT INTO shop.orders VALUES (2); COMMIT", "INSERT INTO shop.log VALUES (2)"];
    holds(&bed, &server, &Recipe::of("mariadb-stages"), &writes).await;
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_found_out_at_the_end() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    let environment = environment(&bed);
    for recipe in ["mariadb-lock", "mariadb-stages"] {
        bed.holding_by(&Recipe::of(recipe), &environment).await;
        // An idle client does not notice that its session is gone; and it must not begin another one when it is asked.
        server.ask("KILL USER velero").expect("it can be ended");
        let gone = || (server.holding() == "0").then_some(());
        assert!(eventually(gone).await.is_some(), "the session is still there");
        server.ask("INSERT INTO shop.log VALUES (3)").expect("the server holds nothing any more");
        bed.hook_in(&environment, "post").run().await.check(0, &["not proven to have been quiesced"]);
        let member = bed.member().expect("a registration");
        assert_eq!((member.let_go, member.proven_quiesced_at()), (Some(LetGo::Unproven), None), "{recipe}");
        bed.nobody_is_left().await;
    }
}

#[tokio::test]
async fn when_all_are_killed_the_server_lets_go_by_itself() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    bed.holding_by(&Recipe::of("mariadb-lock"), &environment(&bed)).await;
    let mut writes = server.wait(&["INSERT INTO shop.orders VALUES (1)"]).await;
    crate::keeper::kill_both(&bed);
    let through = eventually(|| writes[0].try_wait().expect("its end can be asked for")).await;
    assert!(through.is_some_and(|status| status.success()), "the server still holds");
    bed.hook_in(&environment(&bed), "post").run().await.check(0, &["not proven to have been quiesced"]);
}

#[tokio::test]
async fn a_long_statement_is_not_waited_for_for_ever() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed).await else { return };
    server.ask("INSERT INTO shop.log VALUES (1)").expect("a write");
    // Held up itself, it holds up the read lock: what a long statement does.
    let mut holder = server.client().args(["--unbuffered"]).stdin(Stdio::piped()).spawn().expect("the client runs");
    let stdin = holder.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut &stdin, b"LOCK TABLES shop.log WRITE;\n").expect("the client reads");
    let locked = "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Sleep' AND user = 'root'";
    assert!(eventually(|| (server.ask(locked).as_deref() == Ok("1")).then_some(())).await.is_some(), "not locked");
    let recipe = Recipe::of("mariadb-lock");
    let ended = bed.tried_by(&recipe, &environment(&bed)).await;
    ended.check(0, &["NOT HELD STILL", "Lock wait timeout exceeded"]);
    // The writers that had queued up behind it are through at once.
    server.ask("INSERT INTO shop.orders VALUES (1)").expect("the server holds nothing");
    drop(stdin);
    holder.wait().expect("the client ends");
}
