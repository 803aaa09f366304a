//! How does one exec run, and when is its caller told what?

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

use super::super::hook_calls::HookPhase;
use super::super::object_name::ObjectName;
use super::super::truth::{ExecId, Fact, ProcessExit, Reported, TruthLog};

/// How much of a stream is kept; the rest is read and dropped, so that the writer never blocks.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// An exec that Velero asks for.
#[derive(Clone, Debug)]
pub struct ExecCall {
    /// The Backup it is for.
    pub backup: String,
    /// The pod; an exec names it by name, not by uid.
    pub pod: ObjectName,
    /// The container.
    pub container: String,
    /// Before or after the cut.
    pub phase: HookPhase,
    /// argv.
    pub command: Vec<String>,
}

/// What the caller of an exec gets when it returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecAnswer {
    /// Exited, or falsely said to have succeeded.
    pub reported: Reported,
    /// What arrived of stdout.
    pub stdout: String,
    /// What arrived of stderr.
    pub stderr: String,
}

/// An exec whose process has been started. Dropping it ends nothing.
#[derive(Debug)]
pub struct RunningExec {
    /// Its number in the truth log.
    pub id: ExecId,
    /// Answered once.
    pub answer: oneshot::Receiver<ExecAnswer>,
}

/// Starts the process and the tasks that watch it to its end, whoever still listens.
pub(super) fn start(
    call: &ExecCall,
    env: &BTreeMap<String, String>,
    folder: &Path,
    truth: &TruthLog,
    streams: watch::Receiver<u64>,
) -> std::io::Result<RunningExec> {
    let (program, arguments) =
        call.command.split_first().ok_or_else(|| std::io::Error::other("command is required"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(env).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());

    let id = truth.new_exec();
    let (_, child) = truth.record_doing(|| {
        let child = command.spawn()?;
        let started = Fact::HookStarted {
            exec: id,
            backup: call.backup.clone(),
            pod: call.pod.clone(),
            container: call.container.clone(),
            phase: call.phase,
            command: call.command.clone(),
            pid: child.id().unwrap_or_default(),
        };
        Ok::<_, std::io::Error>((started, child))
    })?;
    let (tell, answer) = oneshot::channel();
    tokio::spawn(watch_to_end(id, child, truth.clone(), streams, tell));
    Ok(RunningExec { id, answer })
}

/// Reads both streams to their ends and waits for the process; answers when all three are over, or at once when the
/// streams are lost.
async fn watch_to_end(
    id: ExecId,
    mut child: Child,
    truth: TruthLog,
    mut streams: watch::Receiver<u64>,
    tell: oneshot::Sender<ExecAnswer>,
) {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let text = Arc::new(std::sync::Mutex::new([Vec::new(), Vec::new()]));
    let ended = async {
        let exit = child.wait().await;
        let exit = exit.map_or(ProcessExit::Code(-1), exit_of);
        truth.record(Fact::HookExited { exec: id, exit });
        exit
    };
    let over = async { tokio::join!(ended, read(out, &text, 0), read(err, &text, 1)).0 };
    tokio::pin!(over);

    let lost = async {
        // Counted from the subscription on, which is older than the process.
        if streams.changed().await.is_err() {
            // The kubelet itself is gone; nobody can lose streams any more.
            std::future::pending::<()>().await;
        }
    };
    let exit = tokio::select! {
        exit = &mut over => {
            let [stdout, stderr] = both(&text);
            truth.record(Fact::HookClosed { exec: id, stdout: stdout.clone(), stderr: stderr.clone() });
            // The caller may have stopped waiting.
            let _ = tell.send(ExecAnswer { reported: Reported::Exited(exit.as_code()), stdout, stderr });
            return;
        }
        () = lost => {
            let [stdout, stderr] = both(&text);
            let _ = tell.send(ExecAnswer { reported: Reported::FalseSuccess, stdout, stderr });
            over.await
        }
    };
    tracing::debug!(exec = id.0, ?exit, "an exec whose stream was lost has ended");
    let [stdout, stderr] = both(&text);
    truth.record(Fact::HookClosed { exec: id, stdout, stderr });
}

fn exit_of(status: ExitStatus) -> ProcessExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => ProcessExit::Code(code),
        (None, signal) => ProcessExit::Signal(signal.unwrap_or_default()),
    }
}

type Streams = std::sync::Mutex<[Vec<u8>; 2]>;

async fn read(stream: Option<impl AsyncRead + Unpin>, text: &Streams, which: usize) {
    let Some(mut stream) = stream else { return };
    let mut chunk = vec![0; 8192];
    // An error on our end of a pipe cannot be told from its end.
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        let mut texts = text.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let room = OUTPUT_BYTES_MAX.saturating_sub(texts[which].len());
        texts[which].extend_from_slice(&chunk[..length.min(room)]);
    }
}

fn both(text: &Streams) -> [String; 2] {
    let texts = text.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    [0, 1].map(|which| String::from_utf8_lossy(&texts[which]).into_owned())
}
