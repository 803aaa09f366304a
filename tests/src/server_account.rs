//! As whom do the database servers of tests run? They refuse to run as root, and keep their folders to themselves.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::programs::{ProgramFailed, done};

/// Debian's `nobody` and its group, by number.
const NOBODY: &str = "65534";

/// A program as a user that servers accept: this process's own, unless that is root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(program);
    command
}

/// Gives a folder, with all that is in it, to that user, and to nobody else.
///
/// # Errors
/// When it is not ours to give.
pub fn own(folder: &Path) -> Result<(), ProgramFailed> {
    if rustix::process::geteuid().is_root() {
        done("chown", ["-R".as_ref(), format!("{NOBODY}:{NOBODY}").as_ref(), folder.as_os_str()])?;
    }
    done("chmod", ["700".as_ref(), folder.as_os_str()])?;
    Ok(())
}
