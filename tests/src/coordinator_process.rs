//! How does a test hold a real coordinator? A child process, its log lines as JSON, its HTTP answers, its end.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::binaries;

/// How often a condition is looked at, ms.
const LOOK_MS: u64 = 5;

/// A coordinator that answers HTTP does so within this, ms.
const HTTP_TIMEOUT_MS: u64 = 5_000;

/// Waits until `look` gives something, but no longer than `limit`.
///
/// # Panics
/// When it does not; the message says what was waited for.
pub async fn eventually<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    let found = within(limit, Duration::from_millis(LOOK_MS), look).await;
    found.unwrap_or_else(|| panic!("waited {limit:?} in vain for: {what}"))
}

/// Looks again and again until there is something; `None` when there is nothing within the limit.
pub async fn within<T>(limit: Duration, every: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if begin.elapsed() >= limit {
            return None;
        }
        tokio::time::sleep(every).await;
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// A command line of the coordinator with nothing of this process's environment that could matter to it.
pub fn coordinator_command() -> Command {
    let mut command = Command::new(binaries::coordinator());
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    // Tests share a real control plane, each with an install of its own.
    command.env("OTHER_INSTALLS", "ignore");
    command
}

/// A running `coordinator run`. It is killed when this is dropped.
#[derive(Debug)]
pub struct CoordinatorProcess {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl CoordinatorProcess {
    /// Starts one with a free port, an identity and further flags.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<S: AsRef<OsStr>>(kubeconfig: &Path, identity: &str, flags: impl IntoIterator<Item = S>) -> Self {
        Self::spawn(Self::command(kubeconfig, identity, flags))
    }

    /// The command that [`Self::start`] starts.
    pub fn command<S: AsRef<OsStr>>(kubeconfig: &Path, identity: &str, flags: impl IntoIterator<Item = S>) -> Command {
        let mut command = coordinator_command();
        command.args(["run", "--http-address", "127.0.0.1:0", "--identity", identity, "--kubeconfig"]);
        command.arg(kubeconfig).args(flags);
        command
    }

    /// Starts a prepared command.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start the coordinator: {e}"));
        let lines = Arc::default();
        let stdout = child.stdout.take().expect("its output is a pipe");
        let heard = Arc::clone(&lines);
        thread::spawn(move || listen(stdout, &heard));
        Self { child, lines }
    }

    /// All log lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.lock().clone()
    }

    /// The log lines of one event type so far.
    pub fn lines_of(&self, event_type: &str) -> Vec<Value> {
        self.lock().iter().filter(|line| line["event_type"] == event_type).cloned().collect()
    }

    /// Waits until a Schedule was made for the group of this readable part, `prod-db` for instance; gives its name.
    ///
    /// # Panics
    /// When none comes within `limit`.
    pub async fn schedule_created(&self, part: &str, limit: Duration) -> String {
        let prefix = format!("auto-{part}-");
        let named =
            |line: &Value| line["schedule"].as_str().filter(|name| name.starts_with(&prefix)).map(str::to_owned);
        let line = self.line("schedule_created", limit, |line| named(line).is_some()).await;
        named(&line).unwrap_or_default()
    }

    /// Waits for a log line of an event type that `fits`.
    ///
    /// # Panics
    /// When none comes within `limit`; the message shows the last lines that did.
    pub async fn line(&self, event_type: &str, limit: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let found = self.lock().iter().find(|line| line["event_type"] == event_type && fits(line)).cloned();
            if let Some(line) = found {
                return line;
            }
            if begin.elapsed() > limit {
                let lines = self.lines();
                let last: Vec<String> = lines.iter().rev().take(30).rev().map(ToString::to_string).collect();
                panic!("no fitting {event_type} line within {limit:?}; the last lines:\n{}", last.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it does not say so within `limit`.
    pub async fn http_address(&self, limit: Duration) -> SocketAddr {
        let line = self.line("http_listening", limit, |_| true).await;
        let address = line["address"].as_str().unwrap_or_default();
        address.parse().unwrap_or_else(|e| panic!("{address}: {e}"))
    }

    /// One GET.
    ///
    /// # Panics
    /// When there is no answer in time.
    pub async fn get(&self, path: &str) -> Answer {
        let address = self.http_address(Duration::from_secs(20)).await;
        let path = path.to_owned();
        let asked = tokio::task::spawn_blocking(move || get(address, &path)).await;
        asked.expect("asking does not panic").unwrap_or_else(|e| panic!("GET from {address}: {e}"))
    }

    /// The value of a metric without labels, or the sum over its labels.
    ///
    /// # Panics
    /// When there is no such metric.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let values: Vec<f64> = text
            .lines()
            .filter_map(|line| line.strip_prefix(name))
            .filter(|rest| rest.starts_with([' ', '{']))
            .filter_map(|rest| rest.rsplit(' ').next()?.parse().ok())
            .collect();
        assert!(!values.is_empty(), "no metric {name} in\n{text}");
        values.iter().sum()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        kill_process(pid, signal).unwrap_or_else(|e| panic!("cannot signal the coordinator: {e}"));
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let child = &mut self.child;
        eventually("the coordinator's end", limit, || child.try_wait().ok().flatten()).await
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = (self.child.kill(), self.child.wait());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CoordinatorProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listen(stdout: ChildStdout, heard: &Mutex<Vec<Value>>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        // A line that is no JSON is kept as text: tests look for that.
        let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let limit = Duration::from_millis(HTTP_TIMEOUT_MS);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok(Answer { status, body: body.to_owned() })
}
