//! The recipes for a real `redis-server`: no write and no rewrite in mid-cut, and every setting is afterwards as it was.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shared::quiesce::LetGo;
use testbed::server_account;

use crate::bed::{Bed, eventually, path};
use crate::database::{Daemon, copy, found, or_skip, private_folder};
use crate::recipe::{Environment, Recipe, block};

/// Set to make a missing server a failure instead of a skip.
const REQUIRED_VARIABLE: &str = "REDIS_REQUIRED";

/// When a rewrite begins by itself, percent: not the default, so that it shows what was put back.
const PERCENTAGE: &str = "37";

/// How many keys there are, all written before the cut.
const KEYS: &str = "300";

/// What each key adds to the time that a save or a rewrite takes, µs, where a test wants one to take long.
const SAVE_DELAY: &str = "10000";

/// A server of its own in the bed's folder. It ends when this is dropped.
struct Server {
    program: String,
    data: PathBuf,
    socket: PathBuf,
    _daemon: Daemon,
}

impl Server {
    /// Starts one, with the page's user and some keys; `None`, and a loud line, where there is none.
    async fn start(bed: &Bed, appends: &str) -> Option<Self> {
        let programs = found("redis-cli").and_then(|client| Ok([client, found("redis-server")?]));
        let [client, program] = or_skip("Redis", REQUIRED_VARIABLE, programs)?;
        let data = bed.path("db");
        private_folder(&data);
        let server = Self::over(program, data, appends).ready().await;
        server.ask(&["DEBUG", "POPULATE", KEYS]);
        server.does(&block("redis-user"));
        // The page's recipes ask the usual port of their own pod, which is not free here.
        let wrapper = format!("#!/bin/sh\nexec {} -s {} \"$@\"\n", client, path(&server.socket));
        std::fs::create_dir(bed.path("bin")).expect("the pod's folder can be written");
        bed.write("bin/redis-cli", &wrapper);
        let may_run = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bed.path("bin/redis-cli"), may_run).expect("it can be made a program");
        Some(server)
    }

    /// A server over a folder, empty or not.
    fn over(program: String, data: PathBuf, appends: &str) -> Self {
        let socket = data.join("s");
        let mut server = server_account::command(&program);
        server.args(["--port", "0", "--unixsocket", path(&socket), "--unixsocketperm", "777", "--dir", path(&data)]);
        server.args(["--appendonly", appends, "--auto-aof-rewrite-percentage", PERCENTAGE]);
        server.args(["--enable-debug-command", "yes", "--save", "3600 1"]);
        Self { program, socket, data, _daemon: Daemon::start(server, "KILL") }
    }

    async fn ready(self) -> Self {
        let answers = || (self.ask(&["PING"]) == "PONG").then_some(());
        assert!(eventually(answers).await.is_some(), "Redis did not start");
        self
    }

    /// How many keys a second server has, over what a cut would find now.
    async fn keys_in_a_cut(&self, bed: &Bed, appends: &str) -> String {
        let data = bed.path("cut");
        copy(&self.data, &data);
        let _ = std::fs::remove_file(data.join("s"));
        Self::over(self.program.clone(), data, appends).ready().await.ask(&["DBSIZE"])
    }

    fn client(&self) -> Command {
        let mut client = Command::new("redis-cli");
        client.args(["-s", path(&self.socket)]).stdin(Stdio::null());
        client
    }

    /// What a command gives, as text.
    fn ask(&self, command: &[&str]) -> String {
        let output = self.client().args(command).output().expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Gives it lines as a person types them.
    fn does(&self, lines: &str) {
        for line in lines.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!(self.ask(&words), "OK", "{line}");
        }
    }

    /// A field of `INFO`.
    fn field(&self, name: &str) -> String {
        let text = self.ask(&["INFO", "everything"]);
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_default().trim().to_owned()
    }

    /// When a rewrite begins by itself, percent; 0: never.
    fn percentage(&self) -> String {
        let said = self.ask(&["CONFIG", "GET", "auto-aof-rewrite-percentage"]);
        said.lines().last().unwrap_or_default().to_owned()
    }

    /// Starts a write on a connection of its own, and waits until the server says that it waits.
    async fn waits(&self) -> Child {
        let child = self.client().args(["SET", "one", "more"]).stdout(Stdio::null()).spawn().expect("redis-cli runs");
        let waits = || (self.field("blocked_clients") == "1").then_some(());
        assert!(eventually(waits).await.is_some(), "the write is not held up");
        child
    }

    /// Waits until it is as it was before anybody held it.
    async fn is_as_it_was(&self) {
        let restored = eventually(|| (self.percentage() == PERCENTAGE).then_some(())).await;
        assert!(restored.is_some(), "rewrites begin at {}", self.percentage());
        assert_eq!(self.ask(&["SET", "after", "all"]), "OK");
    }
}

fn environment(bed: &Bed) -> Environment {
    let others = std::env::var("PATH").expect("a PATH");
    let password = "change-me".to_owned();
    let programs = format!("{}:{others}", path(&bed.path("bin")));
    vec![("PATH", programs), ("REDISCLI_AUTH", password), ("TMPDIR", path(&bed.dir).to_owned())]
}

/// A recipe of the page over this server's folder.
fn recipe(name: &str, data: &Path) -> Recipe {
    Recipe::of(name).with_data(data)
}

/// Post has let go, and says that it is not proven that it was held until then.
async fn is_not_proven(bed: &Bed) {
    bed.hook_in(&environment(bed), "post").run().await.check(0, &["not proven to have been quiesced"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.let_go, member.proven_quiesced_at()), (Some(LetGo::Unproven), None));
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn appended_files_take_no_write_and_no_rewrite() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed, "yes").await else { return };
    let aof = recipe("redis-aof", &server.data);
    // One that runs is waited for.
    server.ask(&["CONFIG", "SET", "rdb-key-save-delay", SAVE_DELAY]);
    server.ask(&["BGREWRITEAOF"]);
    assert_eq!(server.field("aof_rewrite_in_progress"), "1");
    bed.holding_by(&aof, &environment(&bed)).await;
    assert_eq!((server.field("aof_rewrite_in_progress"), server.field("aof_rewrites")), ("0".into(), "1".into()));
    assert_eq!(server.percentage(), "0");
    let mut write = server.waits().await;
    assert_eq!(server.ask(&["EXISTS", "one"]), "0");
    assert_eq!(server.keys_in_a_cut(&bed, "yes").await, KEYS);
    assert!(write.try_wait().expect("its end can be asked for").is_none(), "the write was through while all was held");
    bed.hook_in(&environment(&bed), "post").run().await.check(0, &["let go of exec sh, session sh", "asked to"]);
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    assert!(write.wait().expect("the client ends").success());
    server.is_as_it_was().await;
    // A user who is refused something, or is not let in and asks as another one, is written down there.
    assert_eq!(server.ask(&["ACL", "LOG"]), "");
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_dump_is_made_while_no_write_comes() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed, "no").await else { return };
    // A save that began before is no proof: it does not have the last key.
    server.ask(&["CONFIG", "SET", "rdb-key-save-delay", SAVE_DELAY]);
    server.ask(&["BGSAVE"]);
    assert_eq!(server.field("rdb_bgsave_in_progress"), "1");
    server.ask(&["SET", "the", "last"]);
    bed.holding_by(&recipe("redis-dump", &server.data), &environment(&bed)).await;
    let mut write = server.waits().await;
    assert_eq!(server.keys_in_a_cut(&bed, "no").await, "301");
    bed.hook_in(&environment(&bed), "post").run().await.check(0, &["let go of exec redis-cli, session sh", "asked to"]);
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    assert!(write.wait().expect("the client ends").success());
    assert_eq!(server.ask(&["ACL", "LOG"]), "");
    bed.nobody_is_left().await;
}

/// A hold in whose midst somebody does this is not proven.
async fn is_found_out(appends: &str, name: &str, disturbance: &[&[&str]]) {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed, appends).await else { return };
    bed.holding_by(&recipe(name, &server.data), &environment(&bed)).await;
    for command in disturbance {
        server.ask(command);
    }
    is_not_proven(&bed).await;
    server.is_as_it_was().await;
}

#[tokio::test]
async fn who_writes_in_mid_cut_is_found_out_at_the_end() {
    let write: &[&[&str]] = &[&["CLIENT", "UNPAUSE"], &["SET", "in", "mid-cut"]];
    is_found_out("yes", "redis-aof", write).await;
    is_found_out("no", "redis-dump", write).await;
}

#[tokio::test]
async fn who_rewrites_in_mid_cut_is_found_out_at_the_end() {
    is_found_out("yes", "redis-aof", &[&["BGREWRITEAOF"]]).await;
    is_found_out("no", "redis-dump", &[&["SAVE"]]).await;
}

#[tokio::test]
async fn whoever_is_killed_the_settings_are_put_back() {
    let bed = Bed::start().await;
    let Some(server) = Server::start(&bed, "yes").await else { return };
    let aof = recipe("redis-aof", &server.data);
    bed.holding_by(&aof, &environment(&bed)).await;
    crate::held::signal("KILL", bed.the("keep"));
    server.is_as_it_was().await;
    bed.nobody_is_left().await;
    bed.holding_by(&aof, &environment(&bed)).await;
    crate::keeper::kill_both(&bed);
    // The next run finds it held: it lets go, and must not take what it finds for what was there before.
    bed.holding_by(&aof, &environment(&bed)).await;
    assert_eq!(server.percentage(), "0");
    crate::keeper::kill_both(&bed);
    is_not_proven(&bed).await;
    server.is_as_it_was().await;
}
