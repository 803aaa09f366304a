//! Programs of others, run to their end: what they wrote, or what they said when they failed.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that could not be started, or did not end well.
#[derive(Debug, thiserror::Error)]
#[error("{program}: {said}")]
pub struct ProgramFailed {
    /// Which, with its arguments.
    pub program: String,
    /// How it ended, and what it said.
    pub said: String,
}

/// Where `PATH` has a program, if it does.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Runs a program to its end, which must be a good one; gives what it wrote.
///
/// # Errors
/// When it cannot be started, or ends otherwise.
pub fn done<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, ProgramFailed> {
    finished(Command::new(program).args(arguments))
}

/// The same for a command that is ready.
///
/// # Errors
/// As [`done`].
pub fn finished(command: &mut Command) -> Result<String, ProgramFailed> {
    let ended = command.stdin(Stdio::null()).output();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let failed =
        |said: String| ProgramFailed { program: words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "), said };
    match ended {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_wrote_or_why_it_failed() {
        assert_eq!(done("echo", ["a", "b"]).unwrap(), "a b\n");
        let failed = done("sh", ["-c", "echo it was ill >&2; exit 3"]).unwrap_err().to_string();
        assert_eq!(failed, "sh -c echo it was ill >&2; exit 3: exit status: 3: it was ill");
        assert!(done("/no/such/program", [""; 0]).unwrap_err().to_string().contains("/no/such/program: No such file"));
        assert_eq!(done("cat", [""; 0]).unwrap(), "", "nobody types anything");
    }
}
