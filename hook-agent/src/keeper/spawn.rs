//! Starts this program again, as a process that outlives the hook: nothing of the exec stream in its hands, a session of its own.

use std::io;
use std::process::{Command, Stdio};

use crate::keeper::place::Place;

/// This program, whatever became of its file: an image volume may be gone by now, the running program is not.
const SELF: &str = "/proc/self/exe";

/// Starts a keeper. An exec returns only when nobody holds its stdout and stderr, so the keeper gets neither. It leaves the
/// session itself, first of all.
pub fn keeper(place: &Place) -> io::Result<()> {
    let mut command = Command::new(SELF);
    command.arg("keep").arg("--dir").arg(place.dir());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Nobody waits for it: when the hook ends, the container's first process takes it over.
    command.spawn().map(drop)
}

/// Starts a keeper's guard, which hears the keeper's end through its stdin and says that it is ready on its stdout.
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
