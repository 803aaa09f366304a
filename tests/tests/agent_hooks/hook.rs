//! One run of the hook-agent as a child process: its environment, its lines as they come, its end.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testbed::wall_clock::WallClock;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::bed::{PATIENCE, eventually};

/// A hook that is not started yet. Nothing of the test's own environment leaks into it.
pub struct Hook {
    command: Command,
}

impl Hook {
    pub fn new() -> Self {
        Self::of(testbed::binaries::hook_agent())
    }

    /// A hook of another build.
    pub fn of(program: &Path) -> Self {
        let mut command = Command::new(program);
        command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Self { command }
    }

    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Under a wall clock of the test's own.
    #[must_use]
    pub fn under(self, clock: &WallClock) -> Self {
        clock.variables().iter().fold(self, |hook, (name, value)| hook.env(name, value))
    }

    pub fn start(mut self) -> Running {
        let since = Instant::now();
        let mut child = self.command.spawn().expect("the hook-agent can be started");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().expect("stdout is a pipe"), Arc::clone(&lines)),
            collect(child.stderr.take().expect("stderr is a pipe"), Arc::clone(&lines)),
        ];
        Running { child, since, lines, readers }
    }

    /// Starts it and drops the reading end of its stdout, as an exec stream does that is cut.
    pub fn start_unheard(mut self) -> Running {
        let since = Instant::now();
        let mut child = self.command.stderr(Stdio::null()).spawn().expect("the hook-agent can be started");
        drop(child.stdout.take());
        Running { child, since, lines: Arc::default(), readers: Vec::new() }
    }

    pub async fn run(self) -> Ended {
        self.start().ended().await
    }
}

fn collect(from: impl tokio::io::AsyncRead + Send + Unpin + 'static, into: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            into.lock().expect("no reader panics").push(line);
        }
    })
}

/// A hook that runs.
pub struct Running {
    child: Child,
    since: Instant,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub fn output(&self) -> String {
        self.lines.lock().expect("no reader panics").join("\n")
    }

    /// Waits until it has said something that contains `part`.
    pub async fn says(&self, part: &str) -> String {
        let said = || self.lines.lock().expect("no reader panics").iter().find(|l| l.contains(part)).cloned();
        let found = eventually(said).await;
        found.unwrap_or_else(|| panic!("it never said `{part}`, but:\n{}", self.output()))
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status().expect("kill can be run");
        assert!(sent.success(), "kill -s {name} {pid}: {sent}");
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// The highest resident set so far, KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        let pid = self.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status can be read");
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("VmHWM is there");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }

    pub async fn ended(mut self) -> Ended {
        let waited = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let Ok(status) = waited else { panic!("it did not end; it said:\n{}", self.output()) };
        let status = status.expect("a child can be waited for");
        let took = self.since.elapsed();
        for reader in std::mem::take(&mut self.readers) {
            reader.await.expect("readers do not panic");
        }
        Ended { status, took, output: self.output() }
    }
}

/// How a hook ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub took: Duration,
    pub output: String,
}

impl Ended {
    /// Checks the exit code and that the output has each of these parts.
    #[track_caller]
    pub fn check(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.status.code(), Some(code), "it said:\n{}", self.output);
        for part in parts {
            assert!(self.output.contains(part), "`{part}` is missing in:\n{}", self.output);
        }
    }

    /// Checks that every line names the pod, and so the last words do.
    #[track_caller]
    pub fn check_lines_name(&self, whom: &str) {
        assert!(!self.output.is_empty(), "it said nothing");
        for line in self.output.lines() {
            assert!(line.contains(whom), "`{whom}` is missing in the line: {line}");
        }
    }
}
