//! Where a control plane keeps its files, and how long its logs stay.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PREFIX: &str = "testbed-control-plane-";

/// Logs of ended control planes are removed when another starts and they are older than this: long enough to read about
/// today's failure, short enough for a temporary folder.
const LOGS_KEPT: Duration = Duration::from_hours(24);

/// Two folders: one is gone when the control plane ends, the other stays.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Keys, kubeconfig, etcd's data.
    pub run: PathBuf,
    /// One log per program.
    pub logs: PathBuf,
}

/// Makes a folder in the system's temporary one that only this user can read, and sweeps old ones.
pub fn make() -> std::io::Result<Folder> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let temporary = std::env::temp_dir();
    sweep(&temporary);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let top = temporary.join(format!("{PREFIX}{}-{count}", std::process::id()));
    if top.exists() {
        // An earlier process with our pid.
        std::fs::remove_dir_all(&top)?;
    }
    let folder = Folder { run: top.join("run"), logs: top };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder.run)?;
    Ok(folder)
}

/// Best effort: another user's folder cannot be removed, and need not be.
fn sweep(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let ended = !entry.path().join("run").exists();
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed());
        if ours && ended && matches!(age, Ok(Ok(age)) if age > LOGS_KEPT) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
