//! Which process: its number and when it began, so that a number that was given away again names nobody.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

/// Where a process's start time stands in `/proc/<pid>/stat` (proc(5), field 22), counted from the field after the name.
const START_FIELD: usize = 22 - 3;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    pid: i32,
    start_ticks: u64,
}

impl ProcessMark {
    /// The process of this number, if there is one.
    pub fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self { pid, start_ticks: start_ticks(pid)? })
    }

    /// This process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether it is there and not just waiting to be reaped.
    pub fn lives(self) -> bool {
        start_ticks(self.pid) == Some(self.start_ticks)
    }

    /// Whether it lives and is not stopped by a signal: whoever stops it need not come back.
    pub fn goes_on(self) -> bool {
        stat(self.pid).is_some_and(|(state, start)| start == self.start_ticks && !matches!(state, 'T' | 't'))
    }

    /// Ends it at once, if it is still the same process. Whether it was.
    pub fn kill(self) -> bool {
        self.lives() && Pid::from_raw(self.pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
    }

    /// Ends it and all of the process group that it leads, if it is still the same process.
    pub fn kill_group(self) -> bool {
        self.lives() && Pid::from_raw(self.pid).is_some_and(|pid| kill_process_group(pid, Signal::KILL).is_ok())
    }
}

/// When a process began, in clock ticks since the machine did. `None`: there is none, or only its remains.
fn start_ticks(pid: i32) -> Option<u64> {
    stat(pid).map(|(_, start)| start)
}

/// A process's state letter, and when it began.
fn stat(pid: i32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything, parentheses too.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    if matches!(state, 'Z' | 'X') {
        return None;
    }
    Some((state, fields.nth(START_FIELD - 1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = ProcessMark::own().unwrap();
        assert!(own.lives());
        let another = ProcessMark { start_ticks: own.start_ticks + 1, ..own };
        assert!(!another.lives() && !another.kill() && !another.kill_group(), "a number alone names nobody");
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let mark = ProcessMark::of(child.id()).unwrap();
        assert!(mark.lives() && mark.goes_on());
        let stopped =
            std::process::Command::new("kill").args(["-s", "STOP", &child.id().to_string()]).status().unwrap();
        assert!(stopped.success());
        while mark.goes_on() {
            std::thread::yield_now();
        }
        assert!(mark.lives() && mark.kill());
        child.wait().unwrap();
        assert!(!mark.lives() && ProcessMark::of(child.id()).is_none());
    }
}
