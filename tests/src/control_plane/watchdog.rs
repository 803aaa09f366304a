//! How child processes end when this process does, however it ends.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Each line of its input is `pid program`; the end of its input is the end of the process that wrote them. It then kills
/// those that still run that program (a pid may have gone to a stranger) and removes the folder `$1`.
///
/// A shell with a pipe, because everything else has a gap: statics are not dropped when a test binary ends, Drop does not
/// run at SIGKILL, and the kernel's parent-death signal needs `unsafe` and fires when the spawning *thread* ends.
const SCRIPT: &str = r#"
while read -r pid program; do set -- "$@" "$pid" "$program"; done
folder=$1; shift
while [ $# -gt 0 ]; do
  case "$(readlink "/proc/$1/exe" 2>/dev/null || echo "$2")" in "$2"*) kill -9 "$1" 2>/dev/null ;; esac
  shift 2
done
rm -rf -- "$folder"
"#;

/// Kills what it was told of, and removes a folder, when it is dropped or this process ends.
#[derive(Debug)]
pub struct Watchdog {
    process: Child,
    /// Its other end is closed by the kernel at the latest; taken at drop.
    lifeline: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts watching; `folder` is removed at the end.
    pub fn start(folder: &Path) -> std::io::Result<Self> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: Ctrl-C in the terminal must not end the one that cleans up.
            .process_group(0)
            .spawn()?;
        let lifeline = process.stdin.take();
        Ok(Self { process, lifeline })
    }

    /// From now on `child`, which runs `program` (an absolute path), ends with this process.
    pub fn guard(&mut self, child: &Child, program: &Path) -> std::io::Result<()> {
        match &mut self.lifeline {
            Some(lifeline) => writeln!(lifeline, "{} {}", child.id(), program.display()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_what_it_guards_and_removes_the_folder() {
        let folder = std::env::temp_dir().join(format!("testbed-watchdog-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).expect("folder");
        let program = Path::new("/bin/sleep").canonicalize().expect("sleep");
        let spawn = || Command::new(&program).arg("600").spawn().expect("sleep");
        let (mut guarded, mut stranger) = (spawn(), spawn());
        let mut watchdog = Watchdog::start(&folder).expect("watchdog");
        watchdog.guard(&guarded, &program).expect("guard");
        // As if the pid had gone to another program since.
        watchdog.guard(&stranger, Path::new("/bin/false")).expect("guard");
        drop(watchdog);
        assert!(!guarded.wait().expect("wait").success());
        assert!(!folder.exists());
        assert_eq!(stranger.try_wait().expect("wait"), None, "a stranger with a guarded pid was killed");
        stranger.kill().and_then(|()| stranger.wait()).expect("kill");
    }
}
