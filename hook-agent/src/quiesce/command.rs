//! Runs one of the user's programs: bounded in time and output, ended with all that it started when it is late.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::keeper::mark::ProcessMark;

/// How much of a program's output is kept for a message, bytes: the last lines say what went wrong.
const TAIL_BYTES: usize = 600;

/// Why a program did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It cannot be started.
    #[error("`{program}` cannot be started")]
    Start {
        /// Which.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It took too long, and was ended with its process group.
    #[error("`{program}` was not done within {limit_ms} ms and was ended{said}")]
    Late {
        /// Which.
        program: String,
        /// The limit, ms.
        limit_ms: u128,
        /// The end of its output.
        said: Tail,
    },
    /// It said no.
    #[error("`{program}` ended with {status}{said}")]
    Failed {
        /// Which.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its output.
        said: Tail,
    },
}

/// The end of a program's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail(Vec<u8>);

impl Tail {
    /// Adds output; only the end of all is kept.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let surplus = self.0.len().saturating_sub(TAIL_BYTES);
        self.0.drain(..surplus);
    }
}

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(&self.0);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() { Ok(()) } else { write!(f, "; it said: {words}") }
    }
}

/// A program that runs, with the end of the pipe that it writes to.
pub struct Started {
    /// The process.
    pub child: Child,
    /// What it prints, stdout and stderr in one.
    pub out: Receiver,
    /// Ends its process group when dropped, unless that is called off.
    pub group: GroupEnd,
}

/// Starts a program in a process group of its own.
pub fn start(argv: &[String], stdin: Stdio) -> Result<Started, CommandError> {
    let program = argv.first().cloned().unwrap_or_default();
    let failed = |source| CommandError::Start { program: program.clone(), source };
    let (reader, writer) = io::pipe().map_err(failed)?;
    let mut command = Command::new(&program);
    command.args(&argv[1.min(argv.len())..]).process_group(0).stdin(stdin);
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let waited_for = WaitedFor::begin();
    let child = command.spawn().map_err(failed)?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let group = GroupEnd { leader, _waited_for: waited_for };
    // The writing ends live in `command`: they go here, so that the pipe ends when the program does.
    drop(command);
    let out = Receiver::from_owned_fd(reader.into()).map_err(failed)?;
    Ok(Started { child, out, group })
}

/// Ends a process group when it is dropped. The leader must not be reaped before.
pub struct GroupEnd {
    leader: Option<Pid>,
    _waited_for: WaitedFor,
}

impl GroupEnd {
    /// The group may live on.
    pub fn call_off(&mut self) {
        self.leader = None;
    }
}

/// How many of this process's own programs are being waited for.
static WAITED_FOR: AtomicUsize = AtomicUsize::new(0);

/// One of them, for as long as this lives.
struct WaitedFor;

impl WaitedFor {
    fn begin() -> Self {
        WAITED_FOR.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        WAITED_FOR.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether somebody in this process waits for a program's end. Who reaps whatever child has ended would take that end away from them.
pub fn any_is_waited_for() -> bool {
    WAITED_FOR.load(Ordering::Relaxed) > 0
}

impl Drop for GroupEnd {
    fn drop(&mut self) {
        if let Some(group) = self.leader {
            // Gone already: that is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a program to its end. It succeeds with exit code 0; what it left running in the background may stay (it may be what
/// holds). `started` hears which process it is.
pub async fn run(argv: &[String], limit: Duration, started: impl FnOnce(ProcessMark)) -> Result<(), CommandError> {
    let program = argv.first().cloned().unwrap_or_default();
    let Started { mut child, mut out, mut group } = start(argv, Stdio::null())?;
    if let Some(mark) = child.id().and_then(ProcessMark::of) {
        started(mark);
    }
    let mut said = Tail::default();
    let ended = timeout(limit, until_exit(&mut child, &mut out, &mut said)).await;
    match ended {
        Err(_) => Err(CommandError::Late { program, limit_ms: limit.as_millis(), said }),
        Ok(Err(source)) => Err(CommandError::Start { program, source }),
        Ok(Ok(status)) => {
            // Reaped: its number may be somebody else's from here on.
            group.call_off();
            if status.success() { Ok(()) } else { Err(CommandError::Failed { program, status, said }) }
        }
    }
}

/// Waits for the process's end and reads what it prints meanwhile, however much that is: a full pipe would stop it. A
/// background process may hold the pipe open for ever, so its end is not waited for.
async fn until_exit(child: &mut Child, out: &mut Receiver, said: &mut Tail) -> io::Result<ExitStatus> {
    let mut buffer = [0; 4096];
    let mut open = true;
    let status = loop {
        tokio::select! {
            biased;
            status = child.wait() => break status?,
            read = out.read(&mut buffer), if open => match read {
                Ok(n @ 1..) => said.add(&buffer[..n]),
                Ok(0) | Err(_) => open = false,
            },
        }
    };
    // What is in the pipe now is its last words; a pipe holds 64 KiB.
    for _ in 0..16 {
        match out.try_read(&mut buffer) {
            Ok(n @ 1..) => said.add(&buffer[..n]),
            Ok(0) | Err(_) => break,
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, limit_ms: u64) -> Result<(), CommandError> {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        run(&argv, Duration::from_millis(limit_ms), |_| ()).await
    }

    const LONG_MS: u64 = 60_000;

    fn on_runtime(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    #[test]
    fn the_exit_code_decides_and_the_last_words_are_kept() {
        on_runtime(async {
            sh("echo fine; echo also fine >&2", LONG_MS).await.unwrap();
            let said = sh("echo begins; echo no such table >&2; exit 3", LONG_MS).await.unwrap_err().to_string();
            assert!(said.contains("exit status: 3") && said.ends_with("begins no such table"), "{said}");
            let missing = run(&["/no/such/program".to_owned()], Duration::from_secs(1), |_| ()).await.unwrap_err();
            let said = crate::lines::chain(&missing);
            assert!(said.contains("/no/such/program") && said.contains("No such file"), "{said}");
            let said = crate::lines::chain(
                &run(&["/etc/passwd".to_owned()], Duration::from_secs(1), |_| ()).await.unwrap_err(),
            );
            assert!(said.contains("Permission denied"), "{said}");
        });
    }

    #[test]
    fn endless_output_neither_stops_it_nor_fills_the_memory() {
        on_runtime(async {
            sh("head -c 300000000 /dev/zero", LONG_MS).await.unwrap();
            let said = sh("yes no | head -c 10000000; exit 1", LONG_MS).await.unwrap_err().to_string();
            assert!(said.len() < 1_000, "{}", said.len());
        });
    }

    #[test]
    fn who_is_late_is_ended_with_all_that_it_started() {
        let dir = std::env::temp_dir().join(format!("hook-agent-command-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let pid_file = dir.join("pid");
        on_runtime(async {
            // Late by construction: it never ends by itself.
            let script = format!("sleep 600 & echo $! >{}; wait", pid_file.display());
            let said = sh(&script, 1_000).await.unwrap_err().to_string();
            assert!(said.contains("not done within 1000 ms"), "{said}");
        });
        let pid: u32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while ProcessMark::of(pid).is_some() {
            assert!(std::time::Instant::now() < end, "the grandchild {pid} lives on");
            std::thread::yield_now();
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_stays_in_the_background_is_not_waited_for() {
        // What it says is read of a failure alone; a success writes its number where it can be ended.
        let pid_file = std::env::temp_dir().join(format!("hook-agent-background-{}", std::process::id()));
        let ended = |pid: &str| pid.trim().parse().ok().and_then(ProcessMark::of).is_some_and(ProcessMark::kill);
        on_runtime(async {
            sh(&format!("sleep 600 & echo $! >{}", pid_file.display()), LONG_MS).await.unwrap();
            let pid = std::fs::read_to_string(&pid_file).unwrap();
            assert!(ended(&pid), "{pid}");
            let said = sh("sleep 599 & echo $!; exit 1", LONG_MS).await.unwrap_err().to_string();
            assert!(said.rsplit(' ').next().is_some_and(ended), "{said}");
        });
        std::fs::remove_file(&pid_file).unwrap();
    }
}
