//! How are a pod's hooks of one phase run, and what does Velero make of their ends?

use tokio::time::{Instant, timeout_at};

use super::journal::hook_key;
use super::run::Run;
use crate::velero::hook_calls::{HookCall, HookPhase, HookTimeout, OnError, hook_calls};
use crate::velero::inventory::PodItem;
use crate::velero::kubelet::ExecCall;
use crate::velero::truth::{ExecId, Fact, Reported};

/// Runs the hooks one after another. An error is that of the hook with `onError: Fail` that stopped the rest; other
/// failures are logged and leave the pod as if nothing had been.
pub(super) async fn run_hooks(run: &Run, pod: &PodItem, phase: HookPhase) -> Result<(), String> {
    let found = hook_calls(pod, &run.job.spec.hooks.resources, phase);
    found.warnings.into_iter().for_each(|warning| run.journal.warning(warning));
    let mut stopped = Ok(());
    for (index, call) in found.calls.iter().enumerate() {
        let key = hook_key(&pod.name, phase, call, index);
        run.journal.hook_found(&key);
        if stopped.is_err() {
            continue;
        }
        if let Err(error) = run_hook(run, pod, phase, call).await {
            // Neither pod nor namespace is named here: the original does not either.
            run.journal.error(format!("message: /Error executing hook error: /{error}"));
            run.journal.hook_failed(key);
            if call.on_error == OnError::Fail {
                stopped = Err(error);
            }
        }
    }
    stopped
}

async fn run_hook(run: &Run, pod: &PodItem, phase: HookPhase, call: &HookCall) -> Result<(), String> {
    let container = call.container_in(pod).map_err(|refused| refused.to_string())?;
    // The phase is that of list time.
    if matches!(pod.phase.as_str(), "Succeeded" | "Failed") {
        run.journal.info(format!("Pod entered phase {} before some post-backup exec hooks ran", pod.phase));
        return Ok(());
    }
    run.journal.info(format!("running exec hook (hookOnError={})", call.on_error.as_logged()));
    let exec = ExecCall {
        backup: run.job.name.clone(),
        pod: pod.name.clone(),
        container: container.to_owned(),
        phase,
        command: call.command.clone(),
    };
    let (id, reported) = wait_for(run, &exec, call.timeout).await;
    run.server.truth.record(Fact::HookReported {
        exec: id,
        backup: run.job.name.clone(),
        pod: pod.name.clone(),
        phase,
        reported: reported.clone(),
    });
    if reported.is_success() { Ok(()) } else { Err(reported.to_string()) }
}

/// Starts the exec and waits for its answer, as long as Velero waits; what it started goes on in any case.
async fn wait_for(run: &Run, exec: &ExecCall, limit: HookTimeout) -> (Option<ExecId>, Reported) {
    let HookTimeout::After(limit) = limit else {
        return match run.server.node.exec(exec).await {
            Ok(running) => (Some(running.id), answered(run, running.answer.await.ok())),
            Err(error) => (None, Reported::NotStarted(error.to_string())),
        };
    };
    let deadline = Instant::now() + limit;
    let timed_out = Reported::TimedOut(limit);
    match timeout_at(deadline, run.server.node.exec(exec)).await {
        Err(_) => (None, timed_out),
        Ok(Err(error)) => (None, Reported::NotStarted(error.to_string())),
        Ok(Ok(running)) => match timeout_at(deadline, running.answer).await {
            Err(_) => (Some(running.id), timed_out),
            Ok(answer) => (Some(running.id), answered(run, answer.ok())),
        },
    }
}

/// Velero logs the output only of an exec that returned.
fn answered(run: &Run, answer: Option<crate::velero::kubelet::ExecAnswer>) -> Reported {
    let Some(answer) = answer else {
        return Reported::NotStarted("the stand-in kubelet ended in mid-exec".into());
    };
    run.journal.info(format!("stdout: {}", answer.stdout));
    run.journal.info(format!("stderr: {}", answer.stderr));
    answer.reported
}
