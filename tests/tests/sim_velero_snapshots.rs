//! Do cuts leave the objects behind that the real ones leave, and do slow and failing snapshots end as they were seen to?

use std::time::Duration;

use anyhow::{Context, Result};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;
use testbed::velero::backup::Phase;
use testbed::velero::bed::{BACKUP_LIMIT, Bed, back_up};
use testbed::velero::cluster::Workload;
use testbed::velero::snapshots::{all_snapshots, contents};
use testbed::velero::snapshotter::{ANNOTATION_CUT_DELAY, ANNOTATION_CUT_ERROR};
use testbed::velero::truth::{Consistency, LogLevel, Timeline, truth_verdict};
use testbed::velero::{CreationTimes, VeleroSettings, VeleroVersion};

fn db(replicas: u32) -> Workload {
    Workload::stateful_set("db", "db", replicas).shell_hooks("true", "true")
}

fn everything() -> serde_json::Value {
    json!({"includedNamespaces": ["db"]})
}

#[tokio::test]
async fn a_cut_leaves_snapshot_and_content_until_the_backup_is_finalized() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(1)).await?;
    let ready_delay = Duration::from_millis(700);
    let velero = bed.velero(VeleroSettings { ready_delay, ..VeleroSettings::quick() }).await?;
    velero.submit("b", everything()).await?;
    let waits = |t: &Timeline| t.entered(Phase::WaitingForPluginOperations).is_some();
    velero.truth().wait_until("the snapshot is not ready yet", BACKUP_LIMIT, waits).await?;

    let snapshots = all_snapshots(&bed.client).list(&ListParams::default()).await?.items;
    let [snapshot] = &snapshots[..] else { panic!("one snapshot: {snapshots:?}") };
    assert!(snapshot.name_any().starts_with("velero-data-db-0-"), "{snapshot:?}");
    assert_eq!((snapshot.labels()["velero.io/backup-name"].as_str(), snapshot.labels()["app"].as_str()), ("b", "db"));
    let content =
        contents(&bed.client).list(&ListParams::default().labels("velero.io/backup-name=b")).await?.items.remove(0);
    assert_eq!(snapshot.data["status"]["boundVolumeSnapshotContentName"], json!(content.name_any()));
    assert_eq!(snapshot.data["status"]["readyToUse"], json!(false));
    let volume = bed.server.get("v1", "PersistentVolume", "", "pv-db-data-db-0").context("volume")?;
    assert_eq!(content.data["spec"]["source"]["volumeHandle"], volume.value["spec"]["csi"]["volumeHandle"]);
    assert_eq!(content.data["spec"]["driver"], json!("ebs.csi.aws.com"));
    assert_eq!(content.data["spec"]["volumeSnapshotRef"]["name"], json!(snapshot.name_any()));
    assert!(content.data["status"]["snapshotHandle"].as_str().is_some_and(|handle| handle.starts_with("snap-")));
    let cut = velero.timeline().cuts()[0].at;
    assert_eq!(content.data["status"]["creationTime"], json!(i64::try_from(cut.wall.as_nanosecond())?));

    let (phase, seen) = velero.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    assert!(all_snapshots(&bed.client).list(&ListParams::default()).await?.items.is_empty());
    assert!(contents(&bed.client).list(&ListParams::default()).await?.items.is_empty());
    let status = bed.server.get("velero.io/v1", "Backup", "velero", "b").context("Backup")?.value["status"].clone();
    assert_eq!(
        (&status["csiVolumeSnapshotsAttempted"], &status["csiVolumeSnapshotsCompleted"]),
        (&json!(1), &json!(1))
    );
    Ok(())
}

#[tokio::test]
async fn creation_times_may_be_whole_seconds_before_the_cut() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(1)).await?;
    let settings = VeleroSettings {
        creation_times: CreationTimes::WholeSeconds,
        ready_delay: Duration::from_millis(700),
        ..VeleroSettings::quick()
    };
    let velero = bed.velero(settings).await?;
    velero.submit("b", everything()).await?;
    let waits = |t: &Timeline| t.entered(Phase::WaitingForPluginOperations).is_some();
    velero.truth().wait_until("the snapshot is not ready yet", BACKUP_LIMIT, waits).await?;
    let content = contents(&bed.client).list(&ListParams::default()).await?.items.remove(0);
    let created = content.data["status"]["creationTime"].as_i64().context("a number")?;
    let cut = i64::try_from(velero.timeline().cuts()[0].at.wall.as_nanosecond())?;
    assert_eq!(created % 1_000_000_000, 0);
    assert!(created <= cut && cut - created < 1_000_000_000, "{created} {cut}");
    Ok(())
}

#[tokio::test]
async fn a_driver_error_holds_the_pods_for_the_whole_time_out() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db(1).claim_annotation(ANNOTATION_CUT_ERROR, "RequestLimitExceeded")).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let mut spec = everything();
    spec["csiSnapshotTimeout"] = json!("500ms");
    let (phase, seen) = back_up(&velero, "b", spec).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert_eq!(seen.order(), "pre db-0 · post db-0", "post ran, no cut: {seen}");
    let quiesce = seen.quiesce(&made.pods[0].name).context("quiesced")?;
    assert!(quiesce.until.context("thawed")?.after(quiesce.from) >= Duration::from_millis(500), "{seen}");
    assert!(seen.logged(LogLevel::Error).join("\n").contains("RequestLimitExceeded"), "{seen}");
    assert!(seen.stored_pods().is_empty(), "{seen}");
    assert_eq!(truth_verdict(&seen, &made.names(), None).consistency, Consistency::NotCut);
    assert!(all_snapshots(&bed.client).list(&ListParams::default()).await?.items.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_cut_that_velero_did_not_wait_for_comes_after_post() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db(1).claim_annotation(ANNOTATION_CUT_DELAY, "700ms")).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let mut spec = everything();
    spec["csiSnapshotTimeout"] = json!("200ms");
    let (phase, seen) = back_up(&velero, "b", spec).await?;
    assert_eq!((phase, seen.order().as_str()), (Phase::PartiallyFailed, "pre db-0 · post db-0"), "{seen}");
    let is_cut = |t: &Timeline| !t.cuts().is_empty();
    let seen = velero.truth().wait_until("the driver's call returns", BACKUP_LIMIT, is_cut).await?.of_backup("b");
    assert_eq!(seen.order(), "pre db-0 · post db-0 · cut data-db-0", "{seen}");
    assert_eq!(truth_verdict(&seen, &made.names(), None).consistency, Consistency::CrashConsistent);
    Ok(())
}

#[tokio::test]
async fn a_slow_snapshot_holds_its_pod_and_succeeds() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(2).claim_annotation(ANNOTATION_CUT_DELAY, "300ms")).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    assert_eq!(seen.order(), "pre db-0 · cut data-db-0 · post db-0 · pre db-1 · cut data-db-1 · post db-1", "{seen}");
    Ok(())
}

#[tokio::test]
async fn hooks_run_without_any_snapshot() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(1)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (phase, seen) = back_up(&velero, "b", json!({"includedNamespaces": ["db"], "snapshotVolumes": false})).await?;
    assert_eq!((phase, seen.order().as_str()), (Phase::Completed, "pre db-0 · post db-0"), "{seen}");
    Ok(())
}

#[tokio::test]
async fn up_to_1_14_the_volume_of_a_failed_pod_is_cut_at_the_end() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&Workload::stateful_set("db", "db", 2).shell_hooks("[ $HOSTNAME = db-1 ]", "true")).await?;
    let velero = bed.velero(VeleroSettings { version: VeleroVersion::UpTo1_14, ..VeleroSettings::quick() }).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert_eq!(seen.order(), "pre db-0 · pre db-1 · cut data-db-1 · post db-1 · cut data-db-0", "{seen}");
    Ok(())
}

#[tokio::test]
async fn in_1_15_a_post_hook_may_overlap_the_next_pre_hook() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&Workload::stateful_set("db", "db", 2).shell_hooks("true", "sleep 0.5")).await?;
    let velero = bed.velero(VeleroSettings { version: VeleroVersion::V1_15, ..VeleroSettings::quick() }).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    let hooks = seen.hooks();
    let post = hooks.iter().find(|hook| hook.pod.name == "db-0" && hook.started > hooks[0].started).context("post")?;
    let next = hooks.iter().find(|hook| hook.pod.name == "db-1").context("the next pod's pre")?;
    assert!(next.started < post.exited.context("ended")?.0, "{seen}");
    Ok(())
}
