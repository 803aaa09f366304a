//! What every real database server of a test needs: a folder of its own, an end, and a loud line where there is none.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use testbed::programs::done;
use testbed::server_account;

use crate::bed::path;

/// A server's process. It ends when this is dropped.
pub struct Daemon {
    process: Child,
    stop: &'static str,
}

impl Daemon {
    /// Starts it. `stop` is the signal that ends it quickest with all its children.
    pub fn start(mut command: Command, stop: &'static str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: command.spawn().expect("the server can be started"), stop }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        crate::held::signal(self.stop, self.process.id());
        let _ = self.process.wait();
    }
}

/// The programs that were found, or `None` and a loud line for each kind of server. With `variable` set that is a failure instead.
pub fn or_skip<P>(what: &'static str, variable: &str, programs: Result<P, String>) -> Option<P> {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let why = match programs {
        Ok(programs) => return Some(programs),
        Err(why) => why,
    };
    let required = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    assert!(!required, "{variable} is set, and there is no {what}: {why}");
    if SAID.lock().expect("who holds it does not panic").insert(what) {
        // Not by a macro, whose words are kept from who runs tests that succeed.
        let line = format!("SKIPPED: the recipes for {what} are not tried, for there is no server here: {why}\n");
        std::io::stderr().write_all(line.as_bytes()).expect("stderr can be written");
    }
    None
}

/// Makes a folder that nobody but the server may enter.
pub fn private_folder(folder: &Path) {
    std::fs::create_dir(folder).expect("the pod's folder can be written");
    server_account::own(folder).expect("the folder is ours");
}

/// A copy of a server's folder, as a cut finds it, for a second server.
pub fn copy(data: &Path, to: &Path) {
    done("cp", ["-R", path(data), path(to)]).expect("the data folder can be copied");
    server_account::own(to).expect("the folder is ours");
}

/// Where a program is; servers are often where only root looks.
pub fn found(program: &str) -> Result<String, String> {
    let mut folders: Vec<_> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    folders.push("/usr/sbin".into());
    let place = folders.into_iter().map(|folder| folder.join(program)).find(|place| place.is_file());
    place.map(|place| path(&place).to_owned()).ok_or_else(|| format!("no {program} in PATH or /usr/sbin"))
}
