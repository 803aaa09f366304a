//! Which Backup runs when, and what becomes of one whose server dies?

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use serde_json::json;

use super::stage::all_of;
use super::{Case, Run, Stage, Subject, hold};
use crate::velero::backup::Phase;
use crate::velero::cluster::Workload;
use crate::velero::hook_calls::HookPhase;
use crate::velero::truth::Timeline;

/// `--concurrent-backups=2`, where no hand-over is lost.
pub const SUBJECT: Subject = Subject {
    settings: |settings, _| {
        settings.concurrent_backups = 2;
        // Long enough to see that the second Backup does not wait for the first one's snapshots.
        settings.ready_delay = std::time::Duration::from_secs(4);
    },
    cases: &[
        Case { name: "never runs two Backups of one namespace at once", play: |s, n| one_namespace(s, n).boxed() },
        Case { name: "refuses a Backup that contradicts itself", play: |s, n| contradictory(s, n).boxed() },
        Case { name: "fails the Backup in which it was killed, without post", play: |s, n| killed(s, n).boxed() },
    ],
};

fn db(namespace: &str, pre: &str) -> Workload {
    Workload::stateful_set(namespace, "db", 1).shell_hooks(pre, ":")
}

async fn one_namespace(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, "sleep 1")).await?;
    let first = stage.submit(all_of(namespace)).await?;
    let began = |seen: &Timeline| seen.entered(Phase::InProgress).is_some();
    stage.until(&first, "the first has begun", began).await?;
    let second = stage.submit(all_of(namespace)).await?;
    let (first, second) = (stage.finished(first).await?, stage.finished(second).await?);
    hold!(second.seen.phases().contains(&Phase::Queued), second, "the second should queue");
    let left = first.seen.entered(Phase::WaitingForPluginOperations).context("snapshots not ready at once")?;
    let began = second.seen.entered(Phase::InProgress).context("it began")?;
    let done = first.seen.entered(Phase::Completed).context("it completed")?;
    hold!(left <= began, second, "not before the first has left InProgress at {left:?}");
    hold!(began < done, second, "but before it is complete at {done:?}");
    Ok(())
}

async fn contradictory(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, "true")).await?;
    let mut spec = all_of(namespace);
    spec["labelSelector"] = json!({"matchLabels": {"a": "b"}});
    spec["orLabelSelectors"] = json!([{"matchLabels": {"a": "b"}}]);
    let run = stage.back_up(spec).await?;
    hold!(run.phase == Phase::FailedValidation, run, "should be FailedValidation");
    let good = stage.back_up(all_of(namespace)).await?;
    good.went(Phase::Completed, "pre db-0 · cut data-db-0 · post db-0")
}

async fn killed(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, "sleep 5; echo ran to its end")).await?;
    let backup = stage.submit(all_of(namespace)).await?;
    stage.until(&backup, "the hook runs", |seen| !seen.hooks().is_empty()).await?;
    let settings = stage.settings.clone();
    stage.velero.restart(&settings).await?;
    let run = stage.finished(backup).await?;
    hold!(run.phase == Phase::Failed, run, "should be Failed");
    let status = stage.status(&run.backup).await?;
    let reason = status["failureReason"].as_str().unwrap_or_default();
    hold!(reason.contains("\"InProgress\" during the server starting"), run, "the reason: {status}");

    let pod = made.pods[0].name.clone();
    let has_ended = |seen: &Timeline| seen.hooks_of(&pod, HookPhase::Pre)[0].output.is_some();
    let seen = stage.until(&run.backup, "the hook has ended by itself", has_ended).await?;
    hold!(seen.hooks()[0].output.as_ref().is_some_and(|(out, _)| out == "ran to its end\n"), run, "undisturbed");
    // A later Backup runs through; only then is it sure that nothing more comes of the first.
    let later = stage.back_up(all_of(namespace)).await?;
    later.went(Phase::Completed, "pre db-0 · cut data-db-0 · post db-0")?;
    let run = Run { seen: stage.velero.timeline().of_backup(&run.backup), ..run };
    run.went(Phase::Failed, "pre db-0")
}
