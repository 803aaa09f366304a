//! Which processes of this machine belong to a container, and how are they ended?
//!
//! Found by the marker in their environment, so that a process in a session of its own is found too, as the end of a real
//! container finds it. Reads `/proc`: on a machine without it nothing is found.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::environment::MARKER;

/// How often a container is searched anew for processes that were forked while their parents were being ended.
const SWEEPS_MAX: u32 = 20;

/// Ends (SIGKILL) every process whose marker is `marker` or lies below it (`marker/…`).
pub(super) fn end_all(marker: &str) {
    for _ in 0..SWEEPS_MAX {
        let found = with_marker(marker);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // Gone already is as good as ended.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

fn with_marker(marker: &str) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return vec![] };
    let pid_of = |entry: std::fs::DirEntry| -> Option<Pid> {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        is_live_with(marker, &entry.path()).then_some(pid)
    };
    entries.flatten().filter_map(pid_of).collect()
}

/// A zombie has no environment any more, so it is not found.
fn is_live_with(marker: &str, process: &Path) -> bool {
    let Ok(environment) = std::fs::read(process.join("environ")) else { return false };
    environment.split(|byte| *byte == 0).any(|variable| {
        let value = variable.strip_prefix(MARKER.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        let rest = value.and_then(|value| value.strip_prefix(marker.as_bytes()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}
