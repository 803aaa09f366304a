//! How long does Velero wait for a CSI snapshot, and what does it do then?

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use serde_json::json;

use super::stage::all_of;
use super::{Case, Run, Stage, Subject, hold};
use crate::velero::backup::Phase;
use crate::velero::cluster::Workload;
use crate::velero::snapshotter::{ANNOTATION_CUT_DELAY, ANNOTATION_CUT_ERROR};
use crate::velero::truth::Consistency;

/// `csiSnapshotTimeout` of the Backups here: more than one poll of the real one, 5 s.
const TIMEOUT: Duration = Duration::from_secs(7);

/// The polls that Velero has by default.
pub const SUBJECT: Subject = Subject {
    settings: |_, real| real.early_polling = false,
    cases: &[
        Case { name: "leaves nothing of a snapshot when the Backup is over", play: |s, n| left(s, n).boxed() },
        Case { name: "waits for a slow snapshot and then succeeds", play: |s, n| slow(s, n).boxed() },
        Case { name: "holds pods for the whole time-out when the driver errs", play: |s, n| errs(s, n).boxed() },
        Case { name: "may run post before a cut it gave up on", play: |s, n| late(s, n).boxed() },
    ],
};

fn db(namespace: &str) -> Workload {
    Workload::stateful_set(namespace, "db", 1).shell_hooks("true", ":")
}

fn with_timeout(namespace: &str) -> serde_json::Value {
    let mut spec = all_of(namespace);
    spec["csiSnapshotTimeout"] = json!(format!("{}s", TIMEOUT.as_secs()));
    spec
}

async fn left(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::Completed, "pre db-0 · cut data-db-0 · post db-0")?;
    hold!(stage.snapshots_in(namespace).await? == 0, run, "no VolumeSnapshot should be left");
    let status = stage.status(&run.backup).await?;
    let counts = (&status["csiVolumeSnapshotsAttempted"], &status["csiVolumeSnapshotsCompleted"]);
    hold!(counts == (&json!(1), &json!(1)), run, "one attempted, one completed: {status}");
    Ok(())
}

async fn slow(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace).claim_annotation(ANNOTATION_CUT_DELAY, "6s")).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    run.went(Phase::Completed, "pre db-0 · cut data-db-0 · post db-0")
}

async fn errs(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace).claim_annotation(ANNOTATION_CUT_ERROR, "RequestLimitExceeded")).await?;
    let run = stage.back_up(with_timeout(namespace)).await?;
    run.went(Phase::PartiallyFailed, "pre db-0 · post db-0")?;
    let quiesce = run.seen.quiesce(&made.pods[0].name).context("quiesced")?;
    let held = quiesce.until.context("released")?.after(quiesce.from);
    hold!(held >= TIMEOUT, run, "held for {held:?}");
    hold!(run.errors().contains("RequestLimitExceeded"), run, "the driver's words are there");
    hold!(stage.stored_pods(&run)?.is_empty(), run, "the pod is not in the tarball");
    run.was(&made, Consistency::NotCut)
}

async fn late(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace).claim_annotation(ANNOTATION_CUT_DELAY, "16s")).await?;
    let run = stage.back_up(with_timeout(namespace)).await?;
    run.went(Phase::PartiallyFailed, "pre db-0 · post db-0")?;
    let seen = stage.until(&run.backup, "the driver's call returns", |seen| !seen.cuts().is_empty()).await?;
    let run = Run { seen, ..run };
    run.went(Phase::PartiallyFailed, "pre db-0 · post db-0 · cut data-db-0")?;
    run.was(&made, Consistency::CrashConsistent)
}
