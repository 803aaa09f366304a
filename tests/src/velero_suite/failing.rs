//! What becomes of a Backup whose hooks fail, are slow, or leave something behind?

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use serde_json::json;

use super::stage::all_of;
use super::{Case, Run, Stage, Subject, hold};
use crate::velero::backup::Phase;
use crate::velero::cluster::{Made, Workload, delete_pod};
use crate::velero::hook_calls::HookPhase;
use crate::velero::truth::{HookRun, LogLevel, ProcessExit, Reported};

const MINUTE: Duration = Duration::from_mins(1);

/// Velero as it is installed by default.
pub const SUBJECT: Subject = Subject {
    settings: |_, _| {},
    cases: &[
        Case { name: "cuts a pod whose pre failed, and goes on with the next", play: |s, n| fail(s, n).boxed() },
        Case { name: "takes an unset onError as Continue", play: |s, n| unset(s, n).boxed() },
        Case { name: "runs post after a pre that failed with Continue", play: |s, n| cont(s, n).boxed() },
        Case { name: "names no pod in a hook's error, but the block's", play: |s, n| no_pod(s, n).boxed() },
        Case { name: "leaves a hook that times out to itself", play: |s, n| times_out(s, n).boxed() },
        Case { name: "waits for whoever holds a hook's output", play: |s, n| held_output(s, n).boxed() },
        Case { name: "does not wait for what is left behind quietly", play: |s, n| quiet_child(s, n).boxed() },
        Case { name: "takes a program that is not there as a failed hook", play: |s, n| no_program(s, n).boxed() },
        Case { name: "takes a container that is not there as a failed hook", play: |s, n| no_container(s, n).boxed() },
        Case { name: "cuts pods that were deleted meanwhile", play: |s, n| deleted(s, n).boxed() },
    ],
};

/// A `StatefulSet` whose post hook does nothing.
fn db(namespace: &str, replicas: u32, pre: &str, on_error: &str, timeout: Duration) -> Workload {
    let pre = ["/bin/sh", "-c", pre];
    Workload::stateful_set(namespace, "db", replicas).shell_hooks("true", ":").hook(
        HookPhase::Pre,
        &pre,
        on_error,
        timeout,
    )
}

fn only_hook(run: &Run, made: &Made, phase: HookPhase) -> Result<HookRun> {
    let mut hooks = run.seen.hooks_of(&made.pods[0].name, phase);
    hold!(hooks.len() == 1, run, "there should be one {phase:?} hook");
    Ok(hooks.remove(0))
}

/// Two pods whose pre hook exits 7: what is in the order, the tarball and the counts.
async fn check_failing(stage: &Stage, namespace: &str, on_error: &str, order: &str, kept: (usize, u64)) -> Result<()> {
    let (stored, errors) = kept;
    stage.put(db(namespace, 2, "exit 7", on_error, MINUTE)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::PartiallyFailed, order)?;
    hold!(stage.stored_pods(&run)?.len() == stored, run, "{stored} pods should be in the tarball");
    hold!(run.errors().contains("command terminated with exit code 7"), run, "the code is said");
    let status = stage.status(&run.backup).await?;
    hold!(status["errors"] == json!(errors), run, "{errors} errors should be counted: {status}");
    hold!(status["hookStatus"]["hooksFailed"] == json!(2), run, "two hooks failed: {status}");
    Ok(())
}

async fn fail(stage: &mut Stage, namespace: &str) -> Result<()> {
    let order = "pre db-0 · cut data-db-0 · pre db-1 · cut data-db-1";
    // Each failure is logged twice: by the hook handler and by the block.
    check_failing(stage, namespace, "Fail", order, (0, 4)).await
}

const WITH_POST: &str = "pre db-0 · cut data-db-0 · post db-0 · pre db-1 · cut data-db-1 · post db-1";

async fn unset(stage: &mut Stage, namespace: &str) -> Result<()> {
    check_failing(stage, namespace, "", WITH_POST, (2, 2)).await
}

async fn cont(stage: &mut Stage, namespace: &str) -> Result<()> {
    check_failing(stage, namespace, "Continue", WITH_POST, (2, 2)).await
}

async fn no_pod(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 1, "exit 7", "Continue", MINUTE)).await?;
    stage.put(Workload::bare_pod(namespace, "lone").shell_hooks("exit 7", "true")).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    let errors = run.errors();
    let said = run.seen.logged(LogLevel::Info).join("\n");
    hold!(said.contains("hookOnError=Continue"), run, "how the hook is run is said before: {said}");
    hold!(errors.contains("exit code 7") && !errors.contains("/db-0"), run, "no word of db-0: {errors}");
    hold!(errors.contains("name: /lone "), run, "the block names the other: {errors}");
    Ok(())
}

async fn times_out(stage: &mut Stage, namespace: &str) -> Result<()> {
    let limit = Duration::from_secs(2);
    let pre = "trap 'echo signalled' TERM HUP INT; echo begun; sleep 8; echo done";
    let made = stage.put(db(namespace, 1, pre, "Fail", limit)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::PartiallyFailed, "pre db-0 · cut data-db-0")?;
    let hook = only_hook(&run, &made, HookPhase::Pre)?;
    let (at, reported) = hook.reported.context("Velero went on")?;
    hold!(reported == Reported::TimedOut(limit), run, "it timed out");
    // Velero counts from its request, a little before the process.
    hold!(at.after(hook.started) >= limit / 2, run, "after its time");
    hold!(hook.exited.is_none_or(|(ended, _)| ended > at), run, "it ran on");
    let said = run.seen.logged(LogLevel::Info).join("\n");
    hold!(!said.contains("begun"), run, "its output is lost: {said}");

    let pod = made.pods[0].name.clone();
    let is_over = |seen: &crate::velero::truth::Timeline| seen.hooks_of(&pod, HookPhase::Pre)[0].output.is_some();
    let seen = stage.until(&run.backup, "the hook has ended by itself", is_over).await?;
    let run = Run { seen, ..run };
    let hook = only_hook(&run, &made, HookPhase::Pre)?;
    hold!(hook.exited.is_some_and(|(_, exit)| exit == ProcessExit::Code(0)), run, "no signal reached it");
    hold!(hook.output.is_some_and(|(out, _)| out == "begun\ndone\n"), run, "it did all it had to");
    Ok(())
}

async fn held_output(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, 1, "sleep 3 & echo left it", "Fail", MINUTE)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    hold!(run.phase == Phase::Completed, run, "should be Completed");
    let hook = only_hook(&run, &made, HookPhase::Pre)?;
    let (exited, returned) = (hook.exited.context("ended")?.0, hook.reported.context("returned")?.0);
    hold!(returned.after(exited) >= Duration::from_secs(2), run, "the exec returns when the child has ended");
    let cut = run.seen.cuts().first().context("a cut")?.at;
    hold!(cut >= returned, run, "and Velero waits for it");
    Ok(())
}

async fn quiet_child(stage: &mut Stage, namespace: &str) -> Result<()> {
    let pre = "setsid sleep 30 </dev/null >/dev/null 2>&1 & true";
    let made = stage.put(db(namespace, 1, pre, "Fail", MINUTE)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::Completed, "pre db-0 · cut data-db-0 · post db-0")?;
    let hook = only_hook(&run, &made, HookPhase::Pre)?;
    let returned = hook.reported.context("returned")?.0;
    hold!(returned.after(hook.started) < Duration::from_secs(20), run, "before the child's end");
    Ok(())
}

async fn no_program(stage: &mut Stage, namespace: &str) -> Result<()> {
    let nothing = db(namespace, 1, "true", "Fail", MINUTE).hook(HookPhase::Pre, &["/no/such/program"], "Fail", MINUTE);
    stage.put(nothing).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::PartiallyFailed, "cut data-db-0")?;
    hold!(run.errors().contains("/no/such/program"), run, "the program is named");
    hold!(stage.stored_pods(&run)?.is_empty(), run, "the pod is not in the tarball");
    Ok(())
}

async fn no_container(stage: &mut Stage, namespace: &str) -> Result<()> {
    let workload = db(namespace, 1, "true", "Fail", MINUTE).annotation("pre.hook.backup.velero.io/container", "other");
    stage.put(workload).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::PartiallyFailed, "cut data-db-0")?;
    hold!(run.errors().contains("no such container: \"other\""), run, "the container is named");
    Ok(())
}

async fn deleted(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, 2, "sleep 300", "Fail", MINUTE)).await?;
    let backup = stage.submit(all_of(namespace)).await?;
    stage.until(&backup, "the first hook runs", |seen| !seen.hooks().is_empty()).await?;
    delete_pod(stage.client(), &made.pods[1].name).await?;
    delete_pod(stage.client(), &made.pods[0].name).await?;
    let run = stage.finished(backup).await?;
    run.went(Phase::PartiallyFailed, "pre db-0 · cut data-db-0 · cut data-db-1")?;
    let errors = run.errors();
    hold!(errors.contains("exit code 137"), run, "its container's end ended the hook: {errors}");
    hold!(errors.contains("pods \"db-1\" not found"), run, "and the other's never ran: {errors}");
    Ok(())
}
