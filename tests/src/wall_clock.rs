//! How does a program under test get a wall clock that a test sets? By libfaketime, before libc: whoever asks for the time of day is told what
//! it really is plus what a file says, at every call. All other clocks stay true, as they do where somebody sets a machine's clock.
//!
//! It works for programs that are linked to libc when they start, which debug builds are, and for all that these start in turn.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use crate::control_plane::shared::{is_ci, say};

/// Its folder is that of the machine's own libraries (Debian), or one beside it.
const FOLDERS: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// For programs of several threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Where the kernel's named semaphores and memory are files.
const SHARED_MEMORY: &str = "/dev/shm";

/// Says which two objects it shares with its children, and is killed, so that it does not take them away with it.
const SHARES: &str = "echo \"$FAKETIME_SHARED\"; kill -9 $$";

/// The clock of the programs of one test. Its files go when this is dropped.
#[derive(Debug)]
pub struct WallClock {
    preload: PathBuf,
    offset: PathBuf,
    shared: String,
}

impl WallClock {
    /// One that is right. `None`, and one loud line, where there is no libfaketime.
    ///
    /// # Panics
    /// With `CI=true` where there is none, and when `folder` cannot be written.
    pub fn right(folder: &Path) -> Option<Self> {
        static SAID: Once = Once::new();
        let Some(library) = library() else {
            let why = "no libfaketime to be had here (Debian: `make wall-clock`)";
            assert!(!is_ci(), "{why} (CI=true: what a wall clock that is set does must not be skipped)");
            SAID.call_once(|| say(&format!("SKIPPED: what a wall clock does that is set meanwhile: {why}")));
            return None;
        };
        let mut clock = Self { preload: library, offset: folder.join("wall-clock"), shared: String::new() };
        clock.set(0);
        let mut shell = Command::new("/bin/sh");
        // All programs share one pair of objects, which whoever comes first would make and a killed one would leave behind.
        let said = shell.args(["-c", SHARES]).env_clear().envs(clock.variables()).output().expect("a shell starts");
        String::from_utf8_lossy(&said.stdout).trim().clone_into(&mut clock.shared);
        assert_eq!(clock.shared.split(' ').count(), 2, "libfaketime shares two objects: {said:?}");
        Some(clock)
    }

    /// Sets it to what it really is, and this much more or less, s.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub fn set(&self, offset_s: i32) {
        // Whole or not at all: it is read at every look at the clock.
        let new = self.offset.with_extension("new");
        std::fs::write(&new, format!("{offset_s:+}\n")).expect("the clock's folder can be written");
        std::fs::rename(&new, &self.offset).expect("the clock's folder can be written");
    }

    /// What a program must find in its environment to have this clock.
    ///
    /// # Panics
    /// When the folder's name is not UTF-8.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().expect("the test bed's own paths are UTF-8").to_owned();
        let mut variables = vec![
            ("LD_PRELOAD", text(&self.preload)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.offset)),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // The times of files are the file system's.
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        if !self.shared.is_empty() {
            variables.push(("FAKETIME_SHARED", self.shared.clone()));
        }
        variables
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        let memory = Path::new(SHARED_MEMORY);
        for name in self.shared.split(' ').filter_map(|name| name.strip_prefix('/')) {
            // The semaphore's file has a prefix. What is not there any more was taken away by somebody who ended meanwhile.
            let _ = (std::fs::remove_file(memory.join(name)), std::fs::remove_file(memory.join(format!("sem.{name}"))));
        }
        let _ = std::fs::remove_file(&self.offset);
    }
}

fn library() -> Option<PathBuf> {
    let below = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = FOLDERS.iter().flat_map(|folder| std::iter::once(PathBuf::from(folder)).chain(below(folder)));
    folders.map(|folder| folder.join(LIBRARY)).find(|library| library.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(clock: &WallClock) -> i64 {
        let said = Command::new("date").arg("+%s").env_clear().envs(clock.variables()).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        text.trim().parse::<i64>().unwrap() - jiff::Timestamp::now().as_second()
    }

    #[test]
    fn what_a_program_is_told_is_off_by_what_was_set() {
        let folder = std::env::temp_dir().join(format!("testbed-wall-clock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        if let Some(clock) = WallClock::right(&folder) {
            for offset_s in [0, 3_600, -3_600, 0] {
                clock.set(offset_s);
                // A second may begin in between.
                assert!((told(&clock) - i64::from(offset_s)).abs() <= 1, "{offset_s}: {}", told(&clock));
            }
            let shared = clock.shared.clone();
            drop(clock);
            let left = std::fs::read_dir(SHARED_MEMORY).unwrap().flatten().map(|entry| entry.file_name());
            let left: Vec<_> = left.filter(|name| name.to_str().is_some_and(|name| shared.contains(name))).collect();
            assert!(left.is_empty(), "{left:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
