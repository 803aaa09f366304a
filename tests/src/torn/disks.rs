//! How does a test have disks that can be cut at one moment? Loop devices over files on XFS, which copies a file at once by sharing its blocks.
//!
//! `FICLONE` keeps writers out while it runs, so the copy is what the device held at one moment, as an EBS snapshot is: whatever write was
//! answered before is in it, flushed or not.

use std::path::{Path, PathBuf};

use super::{TornError, text};
use crate::programs::done;

/// Memory, where it is a file system: a disk that is flushed a hundred times a second is not what is tried here.
const MEMORY: &str = "/dev/shm";

/// The outer file system, bytes; taken only as it is written to.
const STORE_BYTES: u64 = 4 << 30;

/// One disk: `PostgreSQL`'s own files are 40 MB, and the journal wants room.
const DISK_BYTES: u64 = 192 << 20;

/// A mounted file system. Unmounts, however it is dropped.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    fn new(image: &Path, at: PathBuf) -> Result<Self, TornError> {
        folder(&at)?;
        done("mount", ["--options", "loop", text(image), text(&at)])?;
        Ok(Self(at))
    }

    /// Where.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process that still ends must not keep it.
        let _ = done("umount", ["--lazy", text(&self.0)]);
    }
}

/// Where the disks are.
#[derive(Debug)]
pub struct Store(Mount);

impl Store {
    /// Makes one, mounted in a folder.
    pub fn make(at: PathBuf) -> Result<Self, TornError> {
        if !rustix::process::geteuid().is_root() {
            return Err(TornError::Absent("only root mounts".to_owned()));
        }
        let memory = Path::new(MEMORY);
        let place = if memory.is_dir() { memory } else { at.parent().unwrap_or(memory) };
        // A name of its own, where process numbers are not: each test has a process namespace.
        let image = place.join(format!("testbed-disks{}", text(&at).replace('/', "-")));
        let made = sized(&image, STORE_BYTES)
            .and_then(|()| Ok(done("mkfs.xfs", ["-q", "-m", "reflink=1", text(&image)])?))
            .and_then(|_| Mount::new(&image, at));
        // The mount holds it; nothing is left when that goes, however it goes.
        let _ = std::fs::remove_file(&image);
        made.map(Self).map_err(|error| TornError::Absent(format!("no disks to be had here: {error}")))
    }

    /// A new disk with ext4, mounted.
    pub fn disk(&self, name: &str, at: PathBuf) -> Result<Disk, TornError> {
        let image = self.0.path().join(name);
        sized(&image, DISK_BYTES)?;
        done("mkfs.ext4", ["-q", text(&image)])?;
        Ok(Disk { mount: Mount::new(&image, at)?, image })
    }
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    mount: Mount,
    image: PathBuf,
}

impl Disk {
    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    /// Its file: what is cut.
    pub fn image(&self) -> &Path {
        &self.image
    }
}

/// A copy of a disk as it is at this moment, in a file beside it.
pub fn cut(image: &Path, name: &str) -> Result<PathBuf, TornError> {
    let copy = image.with_extension(name);
    done("cp", ["--reflink=always", text(image), text(&copy)])?;
    Ok(copy)
}

/// A disk from a cut. The cut's file is gone when this is dropped.
pub fn restore(cut: &Path, at: PathBuf) -> Result<Disk, TornError> {
    let mount = Mount::new(cut, at)?;
    let _ = std::fs::remove_file(cut);
    Ok(Disk { mount, image: cut.to_owned() })
}

/// A folder that is there afterwards.
pub fn folder(at: &Path) -> Result<(), TornError> {
    std::fs::create_dir_all(at).map_err(|source| TornError::Io { what: format!("making {}", at.display()), source })
}

fn sized(file: &Path, bytes: u64) -> Result<(), TornError> {
    let made = std::fs::File::create(file).and_then(|made| made.set_len(bytes));
    made.map_err(|source| TornError::Io { what: format!("making {}", file.display()), source })
}
