//! Which keepers and guards of a pod are there? They name the pod's state folder on their command line, and call themselves otherwise while nobody
//! wants them yet.

use std::path::Path;

/// What they call themselves meanwhile.
const STANDS_BY: &str = "agent-standby";

/// The processes that run `command` over this folder, by their numbers in this process's view; without those that nobody wants yet.
///
/// # Panics
/// When `/proc` cannot be read.
pub fn running(command: &str, folder: &Path) -> Vec<u32> {
    of(command, folder).filter(|pid| name(*pid).is_some_and(|name| name != STANDS_BY)).collect()
}

/// Those that were started in advance, and wait until they are wanted.
///
/// # Panics
/// When `/proc` cannot be read.
pub fn standing_by(command: &str, folder: &Path) -> Vec<u32> {
    of(command, folder).filter(|pid| name(*pid).as_deref() == Some(STANDS_BY)).collect()
}

fn of(command: &str, folder: &Path) -> impl Iterator<Item = u32> {
    let wanted = format!("\0{command}\0--dir\0{}\0", folder.display());
    std::fs::read_dir("/proc").expect("/proc can be read").filter_map(move |entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        line.contains(&wanted).then_some(pid)
    })
}

fn name(pid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim_end().to_owned())
}
