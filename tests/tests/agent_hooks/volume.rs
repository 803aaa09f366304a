//! A real file system on a loop device of its own, and a container (mount and process namespace) that lives beside it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use testbed::loop_disk::{LoopDisk, needs_recovery};
use testbed::programs::done;

use crate::bed::{Bed, eventually, path};
use crate::hook::Hook;

/// Set to make a missing loop device, program or right a failure instead of a skip.
pub const REQUIRED_VARIABLE: &str = "LOOP_DEVICES_REQUIRED";

/// How large a file system is: what `mkfs.xfs` takes at least.
const SIZE_BYTES: u64 = 320 * 1024 * 1024;

/// A mounted file system on a loop device. It is thawed when this is dropped.
pub struct Volume {
    disk: LoopDisk,
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
        done("unshare", ["--mount", "--pid", "--fork", "true"])?;
        done("nsenter", ["--version"])?;
        // The real path: the agent refuses one that leads through a link.
        let dir = dir.canonicalize()?;
        let disk = LoopDisk::make(kind, SIZE_BYTES, dir.join("disk.img"), dir.join("data"))?;
        Ok(Self { disk })
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        self.disk.mount()
    }

    /// A path on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.mount().join(name)
    }

    /// A plan that freezes it.
    pub fn plan(&self) -> String {
        format!("- fsfreeze: [{}]", path(self.mount()))
    }

    /// Whether it is frozen: a second freeze is refused then. What this froze itself is thawed at once.
    pub fn is_frozen(&self) -> bool {
        let Err(refused) = done("fsfreeze", ["--freeze", path(self.mount())]) else {
            done("fsfreeze", ["--unfreeze", path(self.mount())]).expect("what was frozen here thaws");
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
        let copy = self.disk.image().with_extension("cut");
        std::fs::copy(self.disk.image(), &copy).expect("the image can be copied");
        needs_recovery(&copy).expect("it is an ext4")
    }

    /// Starts a process that writes one word to a file on it.
    pub fn writer(&self) -> Child {
        let script = format!("echo written > {}", path(&self.path("word")));
        Command::new("sh").args(["-c", &script]).spawn().expect("a shell starts")
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
