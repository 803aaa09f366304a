//! Freezes mounted file systems and thaws them again, after proving that both are allowed and that nobody else lives there.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::task::JoinHandle;

use crate::quiesce::mounts::{Refusal, freezable, parse};

/// Why a file system is not frozen, or not thawed.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// A guard says no.
    #[error("refused to freeze: {0}")]
    Refused(#[from] Refusal),
    /// The path leads somewhere else.
    #[error(
        "refused to freeze: {path} is a symbolic link, or leads through one, to {real}. List {real} itself if that is what you mean"
    )]
    Symlink {
        /// The path.
        path: PathBuf,
        /// Where it leads.
        real: PathBuf,
    },
    /// The path is not there, or is no folder.
    #[error("refused to freeze: {path} cannot be opened as a folder")]
    Open {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The mounts of this container cannot be told.
    #[error("refused to freeze: the mounts cannot be read from /proc/self/mountinfo")]
    Mounts(#[source] std::io::Error),
    /// What was opened is not what the list of mounts says.
    #[error("refused to freeze: {0} was mounted anew while it was looked at")]
    Moved(PathBuf),
    /// The keeper's own notes would stand still.
    #[error(
        "refused to freeze: {path} holds the agent's own notes ({state_dir}). Set --state-dir to a place on another device"
    )]
    OwnNotes {
        /// The path.
        path: PathBuf,
        /// Where the notes are.
        state_dir: PathBuf,
    },
    /// The trial of the thaw failed: who may not thaw must not freeze.
    #[error(
        "refused to freeze: a trial showed that {path} could not be thawed. The container needs root and CAP_SYS_ADMIN, and ext4, ext3 or xfs"
    )]
    NoThaw {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The kernel does not freeze.
    #[error("{path} cannot be frozen")]
    Freeze {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The kernel does not thaw.
    #[error("{path} CANNOT BE THAWED and may still be frozen; on the node: fsfreeze --unfreeze <its mount point>")]
    Thaw {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It was to be let go while it was still freezing.
    #[error("it was called off while the file systems froze")]
    CalledOff,
}

/// A file system that may be frozen. Its descriptor keeps it reachable whatever becomes of the path.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    folder: File,
}

impl Target {
    /// Opens a mount path as it is now.
    pub fn open(path: &Path) -> Result<Self, FreezeError> {
        let failed = |source| FreezeError::Open { path: path.to_owned(), source };
        let real = path.canonicalize().map_err(failed)?;
        if real != path {
            return Err(FreezeError::Symlink { path: path.to_owned(), real });
        }
        let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
        let folder = File::options().read(true).custom_flags(flags).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), folder })
    }

    /// Whether it was frozen until now.
    pub fn thaw(&self) -> Result<bool, FreezeError> {
        match freeze_ioctl::thaw(&self.folder) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL) => Ok(false),
            Err(e) => Err(FreezeError::Thaw { path: self.path.clone(), source: e.into() }),
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn freeze(&self) -> Result<(), FreezeError> {
        freeze_ioctl::freeze(&self.folder)
            .map_err(|e| FreezeError::Freeze { path: self.path.clone(), source: e.into() })
    }

    /// Its device.
    pub fn device(&self) -> Result<u64, FreezeError> {
        let meta = self.folder.metadata();
        meta.map(|meta| meta.dev()).map_err(|source| FreezeError::Open { path: self.path.clone(), source })
    }
}

/// File systems that passed every guard, and those of them that a trial found frozen by somebody else and thawed.
#[derive(Debug)]
pub struct Cleared {
    /// One for each device.
    pub targets: Vec<Target>,
    /// Paths that were frozen already: what a dead attempt left, or another program that does the same.
    pub were_frozen: Vec<PathBuf>,
}

/// Passes the listed paths through every guard. The trial of the thaw is the very call that must not fail later: it asks
/// for the right first, and does nothing to what is not frozen.
pub fn clear(paths: &[PathBuf], state_dir: &Path) -> Result<Cleared, FreezeError> {
    let targets = guarded(paths, state_dir)?;
    let mut were_frozen = Vec::new();
    for target in &targets {
        match target.thaw() {
            Ok(true) => were_frozen.push(target.path.clone()),
            Ok(false) => {}
            Err(FreezeError::Thaw { path, source }) => return Err(FreezeError::NoThaw { path, source }),
            Err(e) => return Err(e),
        }
    }
    Ok(Cleared { targets, were_frozen })
}

/// Passes the listed paths through every guard that can be asked without touching what may be frozen. One for each device.
pub fn guarded(paths: &[PathBuf], state_dir: &Path) -> Result<Vec<Target>, FreezeError> {
    let mounts = parse(&std::fs::read_to_string("/proc/self/mountinfo").map_err(FreezeError::Mounts)?);
    let listed: BTreeSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let notes = std::fs::metadata(state_dir).map(|meta| meta.dev()).ok();
    let mut devices = BTreeSet::new();
    let mut targets = Vec::new();
    for path in paths {
        let target = Target::open(path)?;
        let mount = freezable(path, &listed, &mounts)?;
        let device = target.device()?;
        if (rustix::fs::major(device), rustix::fs::minor(device)) != mount.device {
            return Err(FreezeError::Moved(path.clone()));
        }
        if notes == Some(device) {
            return Err(FreezeError::OwnNotes { path: path.clone(), state_dir: state_dir.to_owned() });
        }
        // Two mounts of one device are one file system.
        if devices.insert(device) {
            targets.push(target);
        }
    }
    Ok(targets)
}

/// File systems that freeze, or are frozen. A freeze waits for the disk and cannot be interrupted, so it has a thread.
#[derive(Debug)]
pub struct Freezer {
    targets: Arc<Vec<Target>>,
    called_off: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), FreezeError>>>,
    frozen: bool,
}

impl Freezer {
    /// Begins to freeze.
    pub fn begin(targets: Vec<Target>) -> Self {
        let (targets, called_off) = (Arc::new(targets), Arc::new(AtomicBool::new(false)));
        let (ours, flag) = (Arc::clone(&targets), Arc::clone(&called_off));
        let thread = tokio::task::spawn_blocking(move || freeze_all(&ours, &flag));
        Self { targets, called_off, thread: Some(thread), frozen: false }
    }

    /// Waits until all are frozen, or until it is known why not (then none is). May be dropped and called again.
    pub async fn frozen(&mut self) -> Result<(), FreezeError> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        let ended = thread.await.unwrap_or(Err(FreezeError::CalledOff));
        self.thread = None;
        // A first one that froze, a second that did not, and the first does not thaw: that one is still to be thawed.
        self.frozen = matches!(ended, Ok(()) | Err(FreezeError::Thaw { .. }));
        ended
    }

    /// Thaws all. False: some file system had been thawed by somebody else. May be called again after a failure.
    pub async fn thaw(&mut self) -> Result<bool, FreezeError> {
        self.called_off.store(true, Ordering::SeqCst);
        // A freeze under way must end first: the kernel thaws only what is frozen wholly.
        let _ = self.frozen().await;
        if !self.frozen {
            return Ok(true);
        }
        let mut unbroken = true;
        let mut failed = None;
        for target in self.targets.iter().rev() {
            match target.thaw() {
                Ok(was_frozen) => unbroken &= was_frozen,
                Err(e) => failed = Some(e),
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
        self.frozen = false;
        Ok(unbroken)
    }
}

fn freeze_all(targets: &[Target], called_off: &AtomicBool) -> Result<(), FreezeError> {
    for (i, target) in targets.iter().enumerate() {
        let done = if called_off.load(Ordering::SeqCst) { Err(FreezeError::CalledOff) } else { target.freeze() };
        if let Err(e) = done {
            for earlier in targets[..i].iter().rev() {
                earlier.thaw()?;
            }
            return Err(e);
        }
    }
    Ok(())
}

/// Writes out what is dirty on the file systems of these paths. Waits for the disk: not for an async thread.
pub fn sync(paths: &[PathBuf]) -> Result<(), FreezeError> {
    for path in paths {
        let failed = |source| FreezeError::Open { path: path.clone(), source };
        rustix::fs::syncfs(File::open(path).map_err(failed)?).map_err(|e| failed(e.into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::chain;

    #[test]
    fn what_is_not_there_or_leads_elsewhere_is_refused() {
        let dir =
            std::env::temp_dir().canonicalize().unwrap().join(format!("hook-agent-freeze-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("real")).unwrap();
        std::os::unix::fs::symlink(dir.join("real"), dir.join("link")).unwrap();
        std::fs::write(dir.join("file"), "").unwrap();
        let refused = |path: &str| chain(&clear(&[dir.join(path)], Path::new("/dev/shm")).unwrap_err());
        assert!(refused("gone").contains("No such file"), "{}", refused("gone"));
        assert!(refused("link").contains("symbolic link"), "{}", refused("link"));
        assert!(refused("file").contains("Not a directory"), "{}", refused("file"));
        assert!(refused("real").contains("not a mount point"), "{}", refused("real"));
        sync(&[dir.clone(), dir.join("file")]).unwrap();
        assert!(chain(&sync(&[dir.join("gone")]).unwrap_err()).contains("No such file"));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_root_file_system_is_never_frozen() {
        let said = chain(&clear(&[PathBuf::from("/")], Path::new("/dev/shm")).unwrap_err());
        assert!(said.contains("refused to freeze"), "{said}");
    }
}
