//! Real disks behind the claims of a test: ext4 on loop devices, made and mounted outside of the test's machine, so that who thaws each of them at
//! the end outlives that machine.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use testbed::isolated::{self, Absent};
use testbed::loop_disk::{LoopDisk, needs_recovery};
use testbed::pair::Pair;
use testbed::real_velero::prepare;
use testbed::velero::CutVolume;
use testbed::velero::object_name::ObjectName;

use crate::run::LIMIT;

/// Tells the inside in which folder the disks are.
const FOLDER_VARIABLE: &str = "E2E_DISKS";

/// Large enough for a journal.
const SIZE_BYTES: u64 = 64 << 20;

/// Runs a test's body with so many disks. Call it from the test function itself.
pub fn isolated_with_disks<F: AsyncFnOnce() -> Result<()>>(count: u32, body: F) {
    // Dropped when all is over, by a panic too.
    let disks = RefCell::new(None);
    let with_disks = || {
        let mut variables = prepare()?;
        let made = Outside::make(count).map_err(|why| Absent(format!("no disks to be had here: {why:#}")))?;
        variables.push((FOLDER_VARIABLE.to_owned(), made.folder.clone().into_os_string()));
        disks.replace(Some(made));
        Ok(variables)
    };
    isolated::run(LIMIT, with_disks, body);
}

/// The disks as they are made, mounted and held.
struct Outside {
    folder: PathBuf,
    disks: Vec<LoopDisk>,
}

impl Outside {
    fn make(count: u32) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("e2e-disks-{}-{number}", std::process::id()));
        let mut made = Self { folder, disks: vec![] };
        for index in 0..count {
            let Disk { image, mount } = Disk::of(&made.folder, index);
            std::fs::create_dir_all(&made.folder)?;
            made.disks.push(LoopDisk::make("ext4", SIZE_BYTES, image, mount)?);
        }
        Ok(made)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // Thawed and unmounted first: nothing is taken away from a disk.
        self.disks.clear();
        // Left behind it is some room in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One disk.
#[derive(Clone, Debug)]
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    fn of(folder: &Path, index: u32) -> Self {
        Self { image: folder.join(format!("{index}.img")), mount: folder.join(index.to_string()) }
    }

    /// Inside: the disk of this number.
    pub fn inside(index: u32) -> Result<Self> {
        let folder = std::env::var_os(FOLDER_VARIABLE).context("disks are made outside")?;
        Ok(Self::of(Path::new(&folder), index))
    }

    /// Puts it behind a claim whose pod has not started yet. By a link, because the kubelet has had mounts of its own since it began.
    pub fn behind(&self, pair: &Pair, claim: &ObjectName) -> Result<()> {
        let folder = pair.velero.real().bed().claim_folder(&claim.namespace, &claim.name);
        std::fs::create_dir_all(folder.parent().context("a folder of folders")?)?;
        std::os::unix::fs::symlink(&self.mount, &folder).with_context(|| format!("making {}", folder.display()))
    }

    /// A process that writes one word to it, and waits for that as long as it is frozen.
    pub fn writer(&self) -> Result<tokio::process::Child> {
        let mut writer = tokio::process::Command::new("sh");
        writer.args(["-c", "echo written >\"$0\""]).arg(self.mount.join("word"));
        writer.spawn().context("starting a writer")
    }

    /// Whether a copy of it, as [`cut_disks`] made it for this Backup, would have to replay its journal: what ext4's own tools say.
    pub fn cut_needs_recovery(&self, backup: &str) -> Result<bool> {
        needs_recovery(&self.cut(backup))
    }

    fn cut(&self, backup: &str) -> PathBuf {
        self.image.with_extension(backup)
    }
}

/// What the CSI stand-in does at each cut: copies the disk behind the claim, as it is then.
pub fn cut_disks(disk_of: impl Fn(&ObjectName) -> Option<Disk> + Send + Sync + 'static) -> CutVolume {
    CutVolume(Arc::new(move |backup, claim| {
        let Some(disk) = disk_of(claim) else { return Ok(()) };
        std::fs::copy(&disk.image, disk.cut(backup)).map(drop)
    }))
}
