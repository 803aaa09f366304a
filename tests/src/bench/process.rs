//! What does the kernel say a process costs? Memory and processor time, from `/proc`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a short-lived process is looked at, ms: it lives some tens of them. What it takes after the last look is missed.
const PEAK_LOOK_MS: u64 = 1;

/// Why a process cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The kernel shows nothing: the process is gone, or this is no Linux.
    #[error("cannot read {}: is the process still there, and is this Linux?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not say what was looked for.
    #[error("{} has no {what}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
}

/// The memory that a process has now (`VmRSS`), KiB.
pub fn resident_kib(pid: u32) -> Result<u64, ProcessError> {
    memory_kib(pid, "VmRSS:")
}

/// The most memory that a process ever had (`VmHWM`: of this program alone, not of what it was before `execve`), KiB.
pub fn peak_kib(pid: u32) -> Result<u64, ProcessError> {
    memory_kib(pid, "VmHWM:")
}

fn memory_kib(pid: u32, field: &'static str) -> Result<u64, ProcessError> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let text = read(&path)?;
    memory_field(&text, field).ok_or(ProcessError::Missing { path, what: field })
}

fn memory_field(status: &str, field: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

/// The processor time that the threads of a process, as many as live now, have had so far.
pub fn processor_time(pid: u32) -> Result<Duration, ProcessError> {
    let folder = PathBuf::from(format!("/proc/{pid}/task"));
    let tasks = fs::read_dir(&folder).map_err(|source| ProcessError::Unreadable { path: folder, source })?;
    let mut sum_ns = 0;
    for task in tasks.flatten() {
        let path = task.path().join("schedstat");
        let text = read(&path)?;
        // The first number is the time on a processor in ns (kernel, Documentation/scheduler/sched-stats.rst).
        let ns: Option<u64> = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
        sum_ns += ns.ok_or(ProcessError::Missing { path, what: "time on a processor" })?;
    }
    Ok(Duration::from_nanos(sum_ns))
}

fn read(path: &PathBuf) -> Result<String, ProcessError> {
    fs::read_to_string(path).map_err(|source| ProcessError::Unreadable { path: path.clone(), source })
}

/// Looks at a process's peak again and again until it ends.
#[derive(Debug)]
pub struct PeakWatch(JoinHandle<u64>);

impl PeakWatch {
    /// Begins to look. The process must be a child that nobody reaps before it ended.
    pub fn of(pid: u32) -> Self {
        Self(thread::spawn(move || {
            let mut peak = 0;
            // An ended process has no memory any more, so its status has no such field.
            while let Ok(kib) = peak_kib(pid) {
                peak = peak.max(kib);
                thread::sleep(Duration::from_millis(PEAK_LOOK_MS));
            }
            peak
        }))
    }

    /// The peak, KiB, once the process has ended; 0 when it ended before the first look.
    ///
    /// # Panics
    /// Never: the thread does not.
    pub fn kib(self) -> u64 {
        self.0.join().expect("looking does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_status() {
        let status = "Name:\tx\nVmHWM:\t    8300 kB\nVmRSS:\t    4100 kB\n";
        assert_eq!(memory_field(status, "VmHWM:"), Some(8_300));
        assert_eq!(memory_field(status, "VmRSS:"), Some(4_100));
        assert_eq!(memory_field("Name:\tx\nState:\tZ (zombie)\n", "VmHWM:"), None);
    }

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let pid = std::process::id();
        // Not compared with each other: the kernel counts pages per thread and notes the peak only now and then, so while other
        // tests allocate and free, a peak read a moment later may be the smaller number.
        assert!(resident_kib(pid).unwrap() > 0);
        assert!(peak_kib(pid).unwrap() > 0);
        let before = processor_time(pid).unwrap();
        // Threads of other tests may end in between and take their time with them; this thread's own only grows.
        let mut text = String::new();
        while processor_time(pid).unwrap() <= before && text.len() < 10_000_000 {
            text.push_str("work");
        }
        assert!(text.len() < 10_000_000, "no time passed");
    }

    #[test]
    fn a_child_is_watched_to_its_end() {
        let mut child = std::process::Command::new("sleep").arg("0.2").spawn().unwrap();
        let watch = PeakWatch::of(child.id());
        child.wait().unwrap();
        assert!(watch.kib() > 0);
    }
}
