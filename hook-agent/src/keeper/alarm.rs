//! Where a process cries for help whose outputs nobody reads: into the container's log, if that can be had.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The container's log: what its first process writes to stderr. In a pod that shares its process namespace that is the
/// pause container's, which nobody reads; name a file instead.
pub const CONTAINER_LOG: &str = "/proc/1/fd/2";

/// Writes one line. It must not block (a pipe may be full) and may fail: the member Lease and post's exit code say it too.
pub fn say(file: &Path, text: impl Display) {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = std::fs::File::options().append(true).create(true).custom_flags(flags).open(file);
    if let Ok(mut log) = opened {
        let _ = log.write_all(format!("hook-agent keeper: {text}\n").as_bytes());
    }
}
