//! A real file system on a loop device, with somebody who thaws and unmounts it at the end, however that comes.
//!
//! A process that writes to a frozen file system cannot be killed, and a machine that ends with a frozen one keeps its device for ever. So each
//! disk has a process outside of all that is tried with it, which thaws it before anything else.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::programs::done;

/// Thaws and unmounts when its stdin ends: `$1` is the mount point.
const WATCHDOG: &str = "read -r _; fsfreeze --unfreeze \"$1\"; umount --lazy \"$1\"";

/// A mounted file system on a loop device. It is thawed, and then unmounted, when this is dropped or its process ends.
#[derive(Debug)]
pub struct LoopDisk {
    image: PathBuf,
    mount: PathBuf,
    watchdog: Child,
}

impl LoopDisk {
    /// Makes the file `image`, this large, with a file system of this kind (`ext4`, `xfs`), mounted at `mount`.
    ///
    /// # Errors
    /// When this machine cannot.
    pub fn make(kind: &str, size_bytes: u64, image: PathBuf, mount: PathBuf) -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "only root mounts");
        // Nothing is mounted that nobody could thaw.
        for needed in ["fsfreeze", "setsid"] {
            done(needed, ["--version"])?;
        }
        std::fs::create_dir_all(&mount).with_context(|| format!("making {}", mount.display()))?;
        let file = std::fs::File::create(&image).with_context(|| format!("making {}", image.display()))?;
        file.set_len(size_bytes)?;
        done(format!("mkfs.{kind}"), ["-q".as_ref(), image.as_os_str()])?;
        done("mount", ["--options".as_ref(), "loop".as_ref(), image.as_os_str(), mount.as_os_str()])?;
        // On its own, so that what ends the test's process group does not end it.
        let mut watchdog = Command::new("setsid");
        watchdog.args(["sh", "-c", WATCHDOG, "watchdog"]).arg(&mount).stdin(Stdio::piped());
        let watchdog = watchdog.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("starting setsid")?;
        Ok(Self { image, mount, watchdog })
    }

    /// What it is on: a copy of this file is a cut.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Whether a disk with ext4, as it was cut into this file, would have to replay its journal: what ext4's own tools say.
///
/// # Errors
/// When it is no such disk.
pub fn needs_recovery(cut: &Path) -> Result<bool> {
    let text = done("dumpe2fs", ["-h".as_ref(), cut.as_os_str()])?;
    ensure!(text.contains("has_journal"), "dumpe2fs: {text}");
    Ok(text.contains("needs_recovery"))
}
