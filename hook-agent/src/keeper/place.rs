//! Where the keeper can be found: a private folder that outlives the hook, in an image that may have no writable folder at all.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where to look when nothing is said, in this order. `/dev/shm` first: Kubernetes gives it to every container, it is in
/// memory, writable in a read-only image, and outlives a container of the pod, so that the next one finds what was left.
const PARENTS: [&str; 3] = ["/dev/shm", "/run", "/tmp"];

/// The longest path of a Unix socket, bytes (`sun_path`, with its closing zero).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Nothing is writable.
    #[error(
        "no private folder can be made for the keeper: {tried}. Mount an emptyDir of medium Memory and name it with --state-dir"
    )]
    Nowhere {
        /// What was tried, and why not.
        tried: String,
    },
    /// The folder's name is longer than a socket's may be.
    #[error("{0} is too long a path for a socket: name a shorter --state-dir")]
    TooLong(PathBuf),
}

/// A keeper's private folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    dir: PathBuf,
}

impl Place {
    /// The folder as somebody else made and named it.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The first folder that can be used, made if need be.
    pub fn make(given: Option<&Path>) -> Result<Self, PlaceError> {
        let mut tried = Vec::new();
        for dir in folders(given) {
            match private(&dir) {
                Ok(()) => {
                    let place = Self { dir };
                    let long = place.resident_socket().as_os_str().len() > SOCKET_PATH_BYTES_MAX;
                    return if long { Err(PlaceError::TooLong(place.dir)) } else { Ok(place) };
                }
                Err(why) => tried.push(format!("{}: {why}", dir.display())),
            }
        }
        Err(PlaceError::Nowhere { tried: tried.join("; ") })
    }

    /// All folders that a keeper of this user may have made.
    pub fn existing(given: Option<&Path>) -> Vec<Self> {
        folders(given).into_iter().filter(|dir| is_private(dir).is_ok()).map(|dir| Self { dir }).collect()
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the keeper listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("keeper.sock")
    }

    /// What is held.
    pub fn record(&self) -> PathBuf {
        self.dir.join("held.json")
    }

    /// Where the pod's resident listens.
    pub fn resident_socket(&self) -> PathBuf {
        self.dir.join("resident.sock")
    }

    /// What was swept when the pod started.
    pub fn swept(&self) -> PathBuf {
        self.dir.join("swept.json")
    }

    /// How the last hold ended.
    pub fn outcome(&self) -> PathBuf {
        self.dir.join("let-go.json")
    }

    /// Makes this process the only keeper here, for as long as the file is open. `None`: there is one.
    pub fn only_keeper(&self) -> io::Result<Option<File>> {
        self.only("keeper.lock")
    }

    /// Makes this process the pod's only resident, for as long as the file is open. `None`: there is one.
    pub fn only_resident(&self) -> io::Result<Option<File>> {
        self.only("resident.lock")
    }

    /// The kernel drops the lock with the process, in whatever container that is: a number of a process would mean nothing in another one.
    fn only(&self, name: &str) -> io::Result<Option<File>> {
        let file = open(&self.dir.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn folders(given: Option<&Path>) -> Vec<PathBuf> {
    let name = format!("hook-agent-{}", rustix::process::geteuid().as_raw());
    match given {
        Some(parent) => vec![parent.join(name)],
        None => PARENTS.iter().map(|parent| Path::new(parent).join(&name)).collect(),
    }
}

/// Makes the folder, or accepts it when it is there and nobody else's.
fn private(dir: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e.to_string()),
    }
    is_private(dir)?;
    // A folder on a file system that became read-only, or is full, is no place.
    open(&dir.join("keeper.lock")).map(drop).map_err(|e| e.to_string())
}

/// In a folder that everybody may write to, somebody else may have made it first.
fn is_private(dir: &Path) -> Result<(), String> {
    let meta = std::fs::symlink_metadata(dir).map_err(|e| e.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
        return Err(format!(
            "it belongs to user {} with mode {:o}, and must be this user's with mode 700",
            meta.uid(),
            meta.mode() & 0o7777
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn parent(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("hook-agent-place-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_place_is_made_once_and_found_again() {
        let parent = parent("made");
        assert!(Place::existing(Some(&parent)).is_empty());
        let place = Place::make(Some(&parent)).unwrap();
        assert_eq!(Place::make(Some(&parent)).unwrap(), place);
        assert_eq!(Place::existing(Some(&parent)), std::slice::from_ref(&place));
        assert_eq!(std::fs::metadata(place.dir()).unwrap().mode() & 0o777, 0o700);
        let first = place.only_keeper().unwrap();
        assert!(first.is_some() && place.only_keeper().unwrap().is_none());
        drop(first);
        assert!(place.only_keeper().unwrap().is_some());
        std::fs::remove_dir_all(&parent).unwrap();
    }

    #[test]
    fn a_place_that_is_not_private_is_refused() {
        let parent = parent("refused");
        let dir = Place::make(Some(&parent)).unwrap().dir;
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
        let said = Place::make(Some(&parent)).unwrap_err().to_string();
        assert!(said.contains("mode 777") && said.contains("--state-dir"), "{said}");
        assert!(Place::existing(Some(&parent)).is_empty());
        std::fs::remove_dir_all(&dir).unwrap();
        std::os::unix::fs::symlink("/tmp", &dir).unwrap();
        assert!(Place::make(Some(&parent)).unwrap_err().to_string().contains("not a folder"));
        let long = parent.join("x".repeat(100));
        std::fs::create_dir_all(&long).unwrap();
        assert!(matches!(Place::make(Some(&long)), Err(PlaceError::TooLong(_))));
        assert!(matches!(Place::make(Some(Path::new("/no/such"))), Err(PlaceError::Nowhere { .. })));
        std::fs::remove_dir_all(&parent).unwrap();
    }
}
