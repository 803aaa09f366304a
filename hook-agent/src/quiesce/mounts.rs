//! Which mounted file systems may be frozen: those that are the pod's claim for certain, and nothing that others live on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Kinds of file systems that EBS volumes are formatted with and that freeze as a whole. Not btrfs: it spreads over several
/// devices and shows each subvolume as a device of its own, so that nobody can tell from here what else would stand still.
const KINDS: [&str; 3] = ["ext4", "xfs", "ext3"];

/// One mount of this mount namespace (proc(5), mountinfo).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of the file system's device.
    pub device: (u32, u32),
    /// Which folder of the file system is mounted.
    pub root: String,
    /// Where.
    pub point: PathBuf,
    /// Of which kind the file system is.
    pub kind: String,
    /// Whether the whole file system is read-only.
    pub read_only: bool,
}

/// Why a path is not frozen, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a mount point.
    #[error(
        "{path} is not a mount point; it lies in what is mounted at {inside}. List the mountPath of the pod's claim itself"
    )]
    NotAMount {
        /// The path.
        path: PathBuf,
        /// The mount that it lies in.
        inside: PathBuf,
    },
    /// A kind that is no disk of the pod's own, or that cannot be frozen safely.
    #[error(
        "{path} is {kind}, and only ext4, ext3 and xfs are frozen. Hold the workload with `exec` or `session` instead"
    )]
    Kind {
        /// The path.
        path: PathBuf,
        /// Its file system's kind.
        kind: String,
    },
    /// The container's root, or the node's.
    #[error("{path} is on the device of the root file system: everything there would stand still. It cannot be frozen")]
    Root {
        /// The path.
        path: PathBuf,
    },
    /// Only a folder of a file system.
    #[error(
        "{path} mounts only the folder {root} of its file system (a subPath, an emptyDir or a hostPath), and others may live in the rest. Mount the whole claim"
    )]
    PartOnly {
        /// The path.
        path: PathBuf,
        /// The folder.
        root: String,
    },
    /// The device is mounted elsewhere too.
    #[error("{path} shares its device with {other}, which is not listed. If both are the pod's own claim, list both")]
    Shared {
        /// The path.
        path: PathBuf,
        /// The other mount point.
        other: PathBuf,
    },
    /// Nothing can be written there anyway.
    #[error("{path} is read-only: there is nothing to freeze. Take it out of the list")]
    ReadOnly {
        /// The path.
        path: PathBuf,
    },
}

/// Reads `/proc/self/mountinfo`. Lines that are not understood are left out: what is not known is not frozen.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Mount> {
    let (before, after) = text.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    let (major, minor) = device.split_once(':')?;
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1).unwrap_or_default());
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        root: unescape(root),
        point: PathBuf::from(unescape(point)),
        kind: kind.to_owned(),
        read_only: options.split(',').any(|option| option == "ro"),
    })
}

/// Undoes `\040` and its like, with which the kernel writes blanks, tabs, line breaks and backslashes.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The mount at `path`, if it may be frozen. `listed` are all paths that the user listed.
pub fn freezable<'a>(path: &Path, listed: &BTreeSet<&Path>, mounts: &'a [Mount]) -> Result<&'a Mount, Refusal> {
    let at = || path.to_owned();
    // Of several mounts over each other the last one is seen.
    let Some(mount) = mounts.iter().rev().find(|mount| mount.point == path) else {
        let holds = mounts.iter().filter(|mount| path.starts_with(&mount.point));
        let inside = holds.max_by_key(|mount| mount.point.as_os_str().len());
        return Err(Refusal::NotAMount { path: at(), inside: inside.map_or_else(PathBuf::new, |m| m.point.clone()) });
    };
    if !KINDS.contains(&mount.kind.as_str()) {
        return Err(Refusal::Kind { path: at(), kind: mount.kind.clone() });
    }
    let same_device = || mounts.iter().filter(|other| other.device == mount.device);
    if same_device().any(|other| other.point == Path::new("/")) {
        return Err(Refusal::Root { path: at() });
    }
    let whole = |other: &Mount| other.root == "/" && listed.contains(other.point.as_path());
    if !same_device().any(whole) {
        return Err(Refusal::PartOnly { path: at(), root: mount.root.clone() });
    }
    if let Some(other) = same_device().find(|other| !listed.contains(other.point.as_path())) {
        return Err(Refusal::Shared { path: at(), other: other.point.clone() });
    }
    if mount.read_only {
        return Err(Refusal::ReadOnly { path: at() });
    }
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a container on a node with its root on nvme0n1p1 sees it: claims on nvme1n1 to nvme3n1.
    const IN_A_CONTAINER: &str = "\
700 600 0:80 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a,upperdir=/b
701 700 0:90 / /dev/shm rw,nosuid - tmpfs shm rw,size=65536k
702 700 259:1 /var/lib/kubelet/pods/u/etc-hosts /etc/hosts rw,noatime - xfs /dev/nvme0n1p1 rw,attr2
703 700 259:1 /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/x /scratch rw - xfs /dev/nvme0n1p1 rw
704 700 259:1 / /host rw - xfs /dev/nvme0n1p1 rw
705 700 259:2 / /data rw,relatime - ext4 /dev/nvme1n1 rw
706 700 259:3 / /my\\040wal rw,relatime shared:3 master:7 - xfs /dev/nvme2n1 rw,attr2
707 700 259:4 / /twice rw - ext4 /dev/nvme3n1 rw
708 700 259:4 /logs /logs rw - ext4 /dev/nvme3n1 rw
709 700 259:5 / /archive ro - ext4 /dev/nvme4n1 ro
710 700 0:99 /sub /snap rw - btrfs /dev/nvme5n1 rw,subvol=/sub
711 700 259:6 / /under rw - ext4 /dev/nvme6n1 rw
712 711 0:98 / /under rw - tmpfs tmpfs rw
nonsense
713 700 259:x / /bad rw - ext4 /dev/x rw";

    fn ask(path: &str, listed: &[&str]) -> Result<PathBuf, Refusal> {
        let listed = listed.iter().map(Path::new).collect();
        freezable(Path::new(path), &listed, &parse(IN_A_CONTAINER)).map(|mount| mount.point.clone())
    }

    #[test]
    fn a_claim_may_be_frozen() {
        assert_eq!(ask("/data", &["/data"]), Ok("/data".into()));
        assert_eq!(ask("/my wal", &["/my wal"]), Ok("/my wal".into()));
    }

    #[track_caller]
    fn refused(path: &str, parts: &[&str]) {
        let said = ask(path, &[path]).expect_err(path).to_string();
        for part in parts {
            assert!(said.contains(part), "`{part}` is missing in: {said}");
        }
    }

    #[test]
    fn what_others_live_on_may_not() {
        refused("/", &["overlay"]);
        refused("/dev/shm", &["tmpfs"]);
        refused("/under", &["tmpfs"]);
        refused("/snap", &["btrfs"]);
        refused("/scratch", &["empty-dir", "whole claim"]);
        refused("/host", &["shares its device", "/etc/hosts"]);
        refused("/data/pg", &["not a mount point", "mounted at /data"]);
        refused("/bad", &["not a mount point"]);
        refused("/archive", &["read-only"]);
        refused("/twice", &["/logs", "list both"]);
        let root = parse("1 0 259:1 / / rw - ext4 /dev/x rw\n2 1 259:1 / /data rw - ext4 /dev/x rw");
        let said = freezable(Path::new("/data"), &[Path::new("/data")].into(), &root).unwrap_err().to_string();
        assert!(said.contains("root file system"), "{said}");
    }

    #[test]
    fn a_claim_that_is_mounted_twice_may_be_if_both_are_listed() {
        assert_eq!(ask("/twice", &["/twice", "/logs"]), Ok("/twice".into()));
        assert_eq!(ask("/logs", &["/twice", "/logs"]), Ok("/logs".into()));
        assert!(matches!(ask("/logs", &["/logs"]), Err(Refusal::PartOnly { .. })));
    }
}
