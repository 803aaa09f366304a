//! Which keepers and guards of a pod are there? They name the pod's state folder on their command line.

use std::path::Path;

/// The processes that run `command` over this folder, by their numbers in this process's view.
///
/// # Panics
/// When `/proc` cannot be read.
pub fn running(command: &str, folder: &Path) -> Vec<u32> {
    let wanted = format!("\0{command}\0--dir\0{}\0", folder.display());
    let pids = std::fs::read_dir("/proc").expect("/proc can be read").filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        line.ends_with(&wanted).then_some(pid)
    });
    pids.collect()
}
