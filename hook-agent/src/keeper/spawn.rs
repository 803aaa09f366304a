//! Starts this program again, as a process that outlives the hook: nothing of the exec stream in its hands, a session of its own.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::timeout;

use crate::keeper::place::Place;

/// This program, whatever became of its file: an image volume may be gone by now, the running program is not.
const SELF: &str = "/proc/self/exe";

/// What a process that was started in advance reads when it is wanted. Its line's end says that nobody will want it.
pub const WANTED: u8 = b'w';

/// A keeper that was started: its stdout, on which it says that it listens, and whose end is its own.
#[derive(Debug)]
pub struct Started(Receiver);

impl Started {
    /// Waits until it listens. False: it ended, because there is another one, or takes longer than this.
    pub async fn listens(&mut self, limit: Duration) -> bool {
        matches!(timeout(limit, self.0.read(&mut [0; 1])).await, Ok(Ok(1..)))
    }
}

/// A keeper that was started in advance. It ends with this.
#[derive(Debug)]
pub struct StandsBy {
    tell: Sender,
    started: Started,
}

impl StandsBy {
    /// Whether it is still there.
    pub fn is_there(&self) -> bool {
        matches!(self.started.0.try_read(&mut [0; 1]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Has it become the keeper. `None`: it is gone.
    pub fn wanted(self) -> Option<Started> {
        // One byte fits into an empty pipe.
        matches!(self.tell.try_write(&[WANTED]), Ok(1)).then_some(self.started)
    }
}

/// Starts a keeper. An exec returns only when nobody holds its stdout and stderr, so the keeper gets neither. It leaves the
/// session itself, first of all.
pub fn keeper(place: &Place) -> io::Result<Started> {
    let mut command = Command::new(SELF);
    command.arg("keep").arg("--dir").arg(place.dir()).stdin(Stdio::null());
    start(command)
}

/// Starts a keeper that waits until it is wanted, and has its guard wait with it.
pub fn standby_keeper(place: &Place) -> io::Result<StandsBy> {
    let mut command = Command::new(SELF);
    command.arg("keep").arg("--dir").arg(place.dir()).arg("--stand-by");
    let (stdin, tell) = io::pipe()?;
    command.stdin(stdin);
    let started = start(command)?;
    Ok(StandsBy { tell: Sender::from_owned_fd(tell.into())?, started })
}

/// Nobody waits for it: when this process ends, the container's first process takes it over.
fn start(mut command: Command) -> io::Result<Started> {
    let (says, stdout) = io::pipe()?;
    command.stdout(stdout).stderr(Stdio::null()).spawn()?;
    Receiver::from_owned_fd(says.into()).map(Started)
}

/// Starts a keeper's guard, which hears through its stdin when it is wanted and when the keeper ends, and says that it is ready on its stdout.
pub fn guard(place: &Place) -> io::Result<tokio::process::Child> {
    let mut command = tokio::process::Command::new(SELF);
    command.arg("guard").arg("--dir").arg(place.dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn()
}

/// Leaves the session of whoever started this process: the end of a terminal or of an exec is no signal to it any more.
pub fn leave_session() {
    // It fails only for who leads a session already, which is as good.
    let _ = rustix::process::setsid();
}

/// Names this process for `ps`, which otherwise calls it `exe`. 15 bytes count.
pub fn call_oneself(name: &str) {
    let _ = std::fs::write("/proc/self/comm", name);
}

/// What a process is called that nobody wants yet.
pub const STANDS_BY: &str = "agent-standby";
