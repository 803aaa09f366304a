//! A real file system on a loop device of its own, and a container (mount and process namespace) that lives beside it.
//!
//! A process that writes to a frozen file system cannot be killed, so each volume has a process that thaws it when the test
//! ends, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use testbed::programs::done;

use crate::bed::{Bed, eventually, path};
use crate::hook::Hook;

/// Set to make a missing loop device, program or right a failure instead of a skip.
pub const REQUIRED_VARIABLE: &str = "LOOP_DEVICES_REQUIRED";

/// How large a file system is: what `mkfs.xfs` takes at least.
const SIZE_BYTES: u64 = 320 * 1024 * 1024;

/// Thaws and unmounts when its stdin ends: `$1` is the mount point.
const WATCHDOG: &str = "read -r _; fsfreeze --unfreeze \"$1\"; umount --lazy \"$1\"";

/// A mounted file system on a loop device.
pub struct Volume {
    pub image: PathBuf,
    pub mount: PathBuf,
    watchdog: Child,
}

impl Volume {
    /// Makes one in the bed's folder; `None`, and a loud line, where this machine cannot.
    pub fn make(bed: &Bed, kind: &str) -> Option<Self> {
        match Self::try_make(&bed.dir, kind) {
            Ok(volume) => Some(volume),
            Err(why) => {
                assert!(
                    std::env::var_os(REQUIRED_VARIABLE).is_none_or(|v| v.is_empty()),
                    "{REQUIRED_VARIABLE} is set, and no {kind} volume can be had: {why:#}"
                );
                eprintln!("SKIPPED: real freezing is not tried, for no {kind} volume can be had here: {why:#}");
                None
            }
        }
    }

    fn try_make(dir: &Path, kind: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(rustix::process::geteuid().is_root(), "only root mounts");
        // The real path: the agent refuses one that leads through a link.
        let dir = dir.canonicalize()?;
        let (image, mount) = (dir.join("disk.img"), dir.join("data"));
        let file = std::fs::File::create(&image)?;
        file.set_len(SIZE_BYTES)?;
        std::fs::create_dir(&mount)?;
        done(format!("mkfs.{kind}"), ["-q", path(&image)])?;
        done("unshare", ["--mount", "--pid", "--fork", "true"])?;
        done("nsenter", ["--version"])?;
        done("fsfreeze", ["--version"])?;
        done("mount", ["--options", "loop", path(&image), path(&mount)])?;
        // On its own, so that what ends the test's process group does not end it.
        let watchdog = Command::new("setsid")
            .args(["sh", "-c", WATCHDOG, "watchdog", path(&mount)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting setsid")?;
        Ok(Self { image, mount, watchdog })
    }

    /// A path on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.mount.join(name)
    }

    /// A plan that freezes it.
    pub fn plan(&self) -> String {
        format!("- fsfreeze: [{}]", path(&self.mount))
    }

    /// Whether it is frozen: a second freeze is refused then. What this froze itself is thawed at once.
    pub fn is_frozen(&self) -> bool {
        let Err(refused) = done("fsfreeze", ["--freeze", path(&self.mount)]) else {
            done("fsfreeze", ["--unfreeze", path(&self.mount)]).expect("what was frozen here thaws");
            return false;
        };
        assert!(refused.said.contains("busy"), "neither frozen nor not: {refused}");
        true
    }

    /// Waits until it is frozen, or not.
    pub async fn becomes(&self, frozen: bool) {
        // A freeze to find out is a freeze too: it is asked seldom.
        let found = eventually(|| (self.is_frozen() == frozen).then_some(())).await;
        assert!(found.is_some(), "it did not become frozen={frozen}");
    }

    /// Whether a copy of the disk as it is now would have to replay its journal: what ext4's own tools say about it.
    pub fn copy_needs_recovery(&self) -> bool {
        let copy = self.image.with_extension("cut");
        std::fs::copy(&self.image, &copy).expect("the image can be copied");
        let text = done("dumpe2fs", ["-h", path(&copy)]).expect("its superblock can be read");
        assert!(text.contains("has_journal"), "dumpe2fs: {text}");
        text.contains("needs_recovery")
    }

    /// Starts a process that writes one word to a file on it.
    pub fn writer(&self) -> Child {
        let script = format!("echo written > {}", path(&self.path("word")));
        Command::new("sh").args(["-c", &script]).spawn().expect("a shell starts")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Whether a process waits in the kernel and cannot be killed.
pub fn hangs(child: &Child) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('D'))
}

/// A container: its first process, and all that is started in it, end together.
pub struct Container {
    outer: Child,
    first: u32,
}

impl Container {
    /// Starts one. It sees the mounts that there are now.
    pub async fn start() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        let outer = command.args(["sleep", "600"]).spawn().expect("unshare starts");
        let pid = outer.id();
        let children = || {
            let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
            let first: u32 = text.split_whitespace().next()?.parse().ok()?;
            // Its /proc is its own once the program runs.
            let name = std::fs::read_to_string(format!("/proc/{first}/comm")).ok()?;
            (name.trim() == "sleep").then_some(first)
        };
        let first = eventually(children).await.expect("the container's first process runs");
        Self { outer, first }
    }

    /// A hook of the bed's pod in this container, not started yet.
    pub fn hook(&self, bed: &Bed, command: &str) -> Hook {
        let first = self.first.to_string();
        let enter = Hook::of(Path::new("/usr/bin/nsenter"));
        let inside = ["--target", &first, "--mount", "--pid", path(testbed::binaries::hook_agent())];
        let hook = bed.equip(inside.iter().fold(enter, |hook, arg| hook.arg(arg)), command);
        if command == "pre" { hook.env("HOOK_TIMEOUT", "5m") } else { hook }
    }

    /// Kills the first process, and with it all others, as the end of a container does.
    pub fn end(mut self) {
        crate::held::signal("KILL", self.first);
        let _ = self.outer.wait();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}
