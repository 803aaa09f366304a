//! Where kube-apiserver and etcd come from on this machine.

use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The folder that holds both programs, as envtest and kubebuilder name it.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// Builds both from Go modules into a cache folder; prints that folder, at once when they are there already.
const BUILD_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/control-plane.sh");

/// Paths of the two programs of a control plane, absolute and without symbolic links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Its store.
    pub etcd: PathBuf,
}

/// Why there are no programs to start.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// The user pointed at a folder that lacks one of them.
    #[error("{ASSETS_VARIABLE}={} holds no {missing}: put kube-apiserver and etcd there, or unset it", folder.display())]
    Assets {
        /// What the variable says.
        folder: PathBuf,
        /// The program that is not in it.
        missing: &'static str,
    },
    /// The build script could not be run at all.
    #[error("cannot run {BUILD_SCRIPT}")]
    Script(#[source] std::io::Error),
    /// The build script ran and failed; its own words went to stderr.
    #[error("{BUILD_SCRIPT} ended with {0}; its output says why")]
    Build(std::process::ExitStatus),
    /// The build script succeeded and printed a folder without the programs.
    #[error("{BUILD_SCRIPT} named {}, which holds no {missing}", folder.display())]
    Built {
        /// What it printed.
        folder: PathBuf,
        /// The program that is not in it.
        missing: &'static str,
    },
}

impl BinariesError {
    /// Whether this machine merely lacks the programs, as against a setting that is wrong.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Build(_) | Self::Script(_))
    }
}

/// Looks into [`ASSETS_VARIABLE`], then `PATH`, then the cache folder; builds into the latter when all of them lack the
/// programs, which takes ten minutes or more on two cores, once.
pub async fn find() -> Result<Binaries, BinariesError> {
    if let Some(folder) = std::env::var_os(ASSETS_VARIABLE).filter(|value| !value.is_empty()) {
        let folder = PathBuf::from(folder);
        return both_in(&folder).map_err(|missing| BinariesError::Assets { folder, missing });
    }
    if let Some(found) = std::env::var_os("PATH").and_then(|path| on_path(&path)) {
        return Ok(found);
    }
    let output = tokio::process::Command::new(BUILD_SCRIPT)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(BinariesError::Script)?;
    if !output.status.success() {
        return Err(BinariesError::Build(output.status));
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    both_in(&folder).map_err(|missing| BinariesError::Built { folder, missing })
}

/// Each program on its own: a distribution may put them into different folders.
fn on_path(path: &std::ffi::OsStr) -> Option<Binaries> {
    let first = |name: &str| std::env::split_paths(path).find_map(|folder| executable(&folder.join(name)));
    Some(Binaries { kube_apiserver: first("kube-apiserver")?, etcd: first("etcd")? })
}

fn both_in(folder: &Path) -> Result<Binaries, &'static str> {
    Ok(Binaries {
        kube_apiserver: executable(&folder.join("kube-apiserver")).ok_or("kube-apiserver")?,
        etcd: executable(&folder.join("etcd")).ok_or("etcd")?,
    })
}

fn executable(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = path.canonicalize().ok()?;
    let metadata = path.metadata().ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder_with(test: &str, programs: &[(&str, u32)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("testbed-binaries-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("temporary folder");
        for (name, mode) in programs {
            let path = folder.join(name);
            std::fs::write(&path, "").expect("program");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).expect("mode");
        }
        folder.canonicalize().expect("folder")
    }

    fn remove<const N: usize>(folders: [PathBuf; N]) {
        for folder in folders {
            std::fs::remove_dir_all(folder).expect("temporary folder");
        }
    }

    #[test]
    fn a_folder_must_hold_both_and_they_must_be_executable() {
        let whole = folder_with("whole", &[("kube-apiserver", 0o755), ("etcd", 0o755)]);
        let found = both_in(&whole).expect("both");
        assert_eq!(found, Binaries { kube_apiserver: whole.join("kube-apiserver"), etcd: whole.join("etcd") });
        let half = folder_with("half", &[("etcd", 0o755)]);
        assert_eq!(both_in(&half), Err("kube-apiserver"));
        let mode = folder_with("mode", &[("kube-apiserver", 0o755), ("etcd", 0o644)]);
        assert_eq!(both_in(&mode), Err("etcd"));
        remove([whole, half, mode]);
    }

    #[test]
    fn on_path_they_may_live_apart() {
        let api = folder_with("apart-api", &[("kube-apiserver", 0o755)]);
        let etcd = folder_with("apart-etcd", &[("etcd", 0o755)]);
        let path = std::env::join_paths([&api, &etcd]).expect("path");
        let found = on_path(&path).expect("both");
        assert_eq!(found, Binaries { kube_apiserver: api.join("kube-apiserver"), etcd: etcd.join("etcd") });
        assert_eq!(on_path(api.as_os_str()), None);
        remove([api, etcd]);
    }
}
