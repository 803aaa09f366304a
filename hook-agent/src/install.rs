//! `hook-agent install`: the init container's part. Copies this program to where the workload finds it, and sweeps.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::StatVfsMountFlags;
use shared::exit_code::ExitCode;

use crate::failure::Failure;
use crate::lines::Lines;
use crate::quiesce::choose::{annotations_in, choose, in_short};
use crate::settings::InstallSettings;
use crate::sweep::sweep;

/// The program's name in the shared folder.
const NAME: &str = "hook-agent";

/// This program, whatever became of its file.
const SELF: &str = "/proc/self/exe";

/// How long the sweep may take, ms: a thaw takes milliseconds, and a pod that starts waits for this.
const SWEEP_MS: u64 = 20_000;

/// Why the program is not there now.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Not a folder.
    #[error("--to (INSTALL_TO): {0} is not a folder; mount the volume that the workload mounts too")]
    NoFolder(PathBuf),
    /// Nothing there could be started.
    #[error("--to (INSTALL_TO): programs cannot be started from {0}, it is mounted noexec; use an emptyDir")]
    NoExec(PathBuf),
    /// This program's own file cannot be read.
    #[error("the program cannot read itself from {SELF}")]
    Unreadable(#[source] io::Error),
    /// It cannot be written there.
    #[error("{path} cannot be written")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Runs `install` and says how it ended.
pub async fn run(settings: &InstallSettings) -> ExitCode {
    let lines = Lines::of("install");
    match work(settings, &lines).await {
        Ok(()) => ExitCode::Ok,
        Err(failure) => {
            lines.say(failure.line());
            failure.exit_code()
        }
    }
}

async fn work(settings: &InstallSettings, lines: &Lines) -> Result<(), Failure> {
    let said = annotations_in(&settings.annotations_file)?;
    let origin = settings.annotations_file.display().to_string();
    let plan = choose(settings.plan.as_deref(), said.plan.as_deref(), &origin)?;
    let (path, new) = copy(&settings.to)?;
    let how = if new { "is installed" } else { "is there already, the same" };
    lines.say(format_args!("{} {how}", path.display()));
    let swept = sweep(&plan, settings.state_dir.as_deref(), Duration::from_millis(SWEEP_MS)).await?;
    for found in &swept.found {
        lines.say(found);
    }
    if swept.claims.is_empty() {
        lines.say(format_args!("nothing is frozen in this pod ({}), so there is nothing to sweep", in_short(&plan)));
    } else {
        let paths: Vec<_> = plan.freezes().iter().map(|path| path.display().to_string()).collect();
        lines.say(format_args!("swept {}: nothing is frozen there", paths.join(" ")));
    }
    Ok(())
}

/// Copies whole or not at all: a container that starts meanwhile finds the old program or the new one. Whether it was needed.
fn copy(folder: &Path) -> Result<(PathBuf, bool), InstallError> {
    if !folder.is_dir() {
        return Err(InstallError::NoFolder(folder.to_owned()));
    }
    let noexec = rustix::fs::statvfs(folder).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOEXEC));
    if noexec {
        return Err(InstallError::NoExec(folder.to_owned()));
    }
    let path = folder.join(NAME);
    if same(&path).map_err(InstallError::Unreadable)? {
        return Ok((path, false));
    }
    let new = folder.join(format!(".{NAME}.{}.new", std::process::id()));
    let written = write(&new).and_then(|()| std::fs::rename(&new, &path));
    match written {
        Ok(()) => Ok((path, true)),
        Err(source) => {
            let _ = std::fs::remove_file(&new);
            Err(InstallError::Unwritable { path, source })
        }
    }
}

fn write(new: &Path) -> io::Result<()> {
    let mut to = File::create(new)?;
    io::copy(&mut File::open(SELF)?, &mut to)?;
    to.set_permissions(Permissions::from_mode(0o755))?;
    to.flush()?;
    to.sync_all()
}

/// Whether `path` is this program, ready to be started.
fn same(path: &Path) -> io::Result<bool> {
    let Ok(mut there) = File::open(path) else { return Ok(false) };
    let Ok(meta) = there.metadata() else { return Ok(false) };
    let mut own = File::open(SELF)?;
    if !meta.is_file() || meta.permissions().mode() & 0o111 != 0o111 || meta.len() != own.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let n = own.read(&mut one)?;
        if n == 0 {
            return Ok(true);
        }
        if there.read_exact(&mut other[..n]).is_err() || one[..n] != other[..n] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::chain;

    #[test]
    fn it_is_copied_once_whole_and_can_be_started() {
        let dir = std::env::temp_dir().join(format!("hook-agent-install-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (path, new) = copy(&dir).unwrap();
        assert!(new && same(&path).unwrap());
        assert!(!copy(&dir).unwrap().1, "it was the same");
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(copy(&dir).unwrap().1, "it could not be started");
        std::fs::write(&path, "an older version").unwrap();
        assert!(copy(&dir).unwrap().1 && same(&path).unwrap());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "something is left behind");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(chain(&copy(&dir).unwrap_err()).contains("cannot be written"));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "something is left behind");
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(chain(&copy(&dir).unwrap_err()).contains("is not a folder"));
        assert!(chain(&copy(Path::new("/proc")).unwrap_err()).contains("/proc"));
    }
}
