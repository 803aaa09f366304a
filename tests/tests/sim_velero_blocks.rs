//! Does the simulated Velero order hooks and cuts as the real 1.18 was seen to? One test a row of what was seen there.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use testbed::velero::VeleroSettings;
use testbed::velero::VolumeMode;
use testbed::velero::backup::Phase;
use testbed::velero::bed::{Bed, back_up};
use testbed::velero::cluster::{Made, Workload};
use testbed::velero::truth::{Consistency, LogLevel, Timeline, truth_verdict};

/// A `StatefulSet` db of `replicas` in namespace db, hooks that do nothing, one Backup. Must be Completed.
async fn run(replicas: u32, settings: VeleroSettings, spec: serde_json::Value) -> Result<(Made, Timeline)> {
    let bed = Bed::start().await?;
    let made = bed.with(&Workload::stateful_set("db", "db", replicas).shell_hooks("true", "true")).await?;
    let velero = bed.velero(settings).await?;
    let (phase, seen) = back_up(&velero, "b", spec).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    Ok((made, seen))
}

fn ordered(pods: &str) -> serde_json::Value {
    json!({"includedNamespaces": ["db"], "orderedResources": {"pods": pods}})
}

fn consistency(made: &Made, seen: &Timeline) -> Consistency {
    truth_verdict(seen, &made.names(), None).consistency
}

#[tokio::test]
async fn by_default_each_pod_is_hooked_cut_and_released_alone() -> Result<()> {
    let (made, seen) = run(3, VeleroSettings::quick(), json!({"includedNamespaces": ["db"]})).await?;
    let expected = "pre db-0 · cut data-db-0 · post db-0 · pre db-1 · cut data-db-1 · post db-1 · \
                    pre db-2 · cut data-db-2 · post db-2";
    assert_eq!(seen.order(), expected, "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::MemberConsistent);
    Ok(())
}

#[tokio::test]
async fn listed_pods_are_one_block() -> Result<()> {
    let (made, seen) = run(3, VeleroSettings::quick(), ordered("db/db-0,db/db-1,db/db-2")).await?;
    let expected = "pre db-0 · pre db-1 · pre db-2 · cut data-db-0 · cut data-db-1 · cut data-db-2 · \
                    post db-0 · post db-1 · post db-2";
    assert_eq!(seen.order(), expected, "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::GroupConsistent);
    Ok(())
}

#[tokio::test]
async fn a_block_keeps_the_listed_order() -> Result<()> {
    let (_, seen) = run(3, VeleroSettings::quick(), ordered("db/db-2,db/db-0,db/db-1")).await?;
    let expected = "pre db-2 · pre db-0 · pre db-1 · cut data-db-2 · cut data-db-0 · cut data-db-1 · \
                    post db-2 · post db-0 · post db-1";
    assert_eq!(seen.order(), expected, "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_partial_list_tears_the_group() -> Result<()> {
    let (made, seen) = run(4, VeleroSettings::quick(), ordered("db/db-2,db/db-1")).await?;
    let expected = "pre db-2 · pre db-1 · cut data-db-2 · cut data-db-1 · post db-2 · post db-1 · \
                    pre db-0 · cut data-db-0 · post db-0 · pre db-3 · cut data-db-3 · post db-3";
    assert_eq!(seen.order(), expected, "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::MemberConsistent);
    Ok(())
}

#[tokio::test]
async fn spaces_in_the_list_tear_it_in_silence() -> Result<()> {
    let (_, seen) = run(3, VeleroSettings::quick(), ordered("db/db-0, db/db-1, db/db-2")).await?;
    assert!(seen.order().starts_with("pre db-0 · cut data-db-0 · post db-0 · pre db-1"), "{seen}");
    assert_eq!(
        seen.logged(LogLevel::Warning),
        ["Cannot find resource ' db/db-1'.", "Cannot find resource ' db/db-2'."]
    );
    Ok(())
}

#[tokio::test]
async fn a_list_works_beside_selector_and_kinds() -> Result<()> {
    let spec = json!({"includedNamespaces": ["db"], "orderedResources": {"pods": "db/db-0,db/db-1"},
        "labelSelector": {"matchLabels": {"app": "db"}},
        "includedResources": ["pods", "persistentvolumeclaims", "persistentvolumes"]});
    let (made, seen) = run(2, VeleroSettings::quick(), spec).await?;
    assert!(seen.is_one_block(), "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::GroupConsistent);
    Ok(())
}

#[tokio::test]
async fn workers_take_blocks_at_once() -> Result<()> {
    let settings = VeleroSettings { item_block_workers: 4, ..VeleroSettings::quick() };
    let (_, seen) = run(6, settings, json!({"includedNamespaces": ["db"]})).await?;
    let order = seen.order();
    let first_end = order.find("post").expect("a post hook");
    assert_eq!(order[..first_end].matches("pre ").count(), 4, "four at once: {seen}");
    assert_eq!(order.matches("pre ").count(), 6, "and then the others: {seen}");
    Ok(())
}

#[tokio::test]
async fn one_block_stays_serial_with_any_number_of_workers() -> Result<()> {
    let settings = VeleroSettings { item_block_workers: 4, ..VeleroSettings::quick() };
    let (_, seen) = run(3, settings, ordered("db/db-0,db/db-1,db/db-2")).await?;
    let hooks = seen.hooks();
    let is_serial = |pair: &[_]| {
        let [a, b]: &[testbed::velero::truth::HookRun] = pair else { return false };
        a.reported.as_ref().is_some_and(|(end, _)| *end <= b.started)
    };
    assert!(hooks.windows(2).all(is_serial), "{seen}");
    assert!(seen.is_one_block(), "{seen}");
    Ok(())
}

#[tokio::test]
async fn the_poll_makes_the_skew_of_a_csi_block() -> Result<()> {
    let settings = VeleroSettings { csi_poll: Duration::from_millis(200), ..VeleroSettings::quick() };
    let (made, seen) = run(3, settings, ordered("db/db-0,db/db-1,db/db-2")).await?;
    let skew = seen.skew().expect("cuts");
    // Two polls lie between the first cut and the last, whatever the driver needs.
    assert!(skew >= Duration::from_millis(380), "{skew:?}: {seen}");
    let quiesce = seen.quiesce(&made.pods[0].name).expect("quiesced");
    assert!(quiesce.until.expect("thawed").after(quiesce.from) >= Duration::from_millis(580), "{seen}");
    Ok(())
}

#[tokio::test]
async fn native_cuts_leave_no_object_and_little_skew() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&Workload::stateful_set("db", "db", 3).shell_hooks("true", "true")).await?;
    let velero = bed.velero(VeleroSettings { volume_mode: VolumeMode::Native, ..VeleroSettings::quick() }).await?;
    let (phase, seen) = back_up(&velero, "b", ordered(&made.ordered())).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::GroupConsistent);
    assert!(!seen.phases().contains(&Phase::WaitingForPluginOperations), "native snapshots are not waited for: {seen}");
    let backup = bed.server.get("velero.io/v1", "Backup", "velero", "b").expect("Backup").value["status"].clone();
    assert_eq!((&backup["volumeSnapshotsAttempted"], &backup["volumeSnapshotsCompleted"]), (&json!(3), &json!(3)));
    Ok(())
}

#[tokio::test]
async fn native_cuts_of_volumes_left_out_are_dropped_in_silence() -> Result<()> {
    let settings = VeleroSettings { volume_mode: VolumeMode::Native, ..VeleroSettings::quick() };
    let spec = json!({"includedNamespaces": ["db"], "includedResources": ["pods", "persistentvolumeclaims"]});
    let (made, seen) = run(2, settings, spec).await?;
    assert_eq!(seen.order(), "pre db-0 · post db-0 · pre db-1 · post db-1", "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::NotCut);
    Ok(())
}

#[tokio::test]
async fn two_volumes_of_one_pod_are_cut_in_the_pods_order() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&Workload::stateful_set("db", "db", 1).claims(&["wal", "data"]).shell_hooks("true", "true")).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (_, seen) = back_up(&velero, "b", json!({"includedNamespaces": ["db"]})).await?;
    assert_eq!(seen.order(), "pre db-0 · cut wal-db-0 · cut data-db-0 · post db-0", "{seen}");
    Ok(())
}

#[tokio::test]
async fn pods_come_in_the_order_of_their_names_not_of_their_ordinals() -> Result<()> {
    let settings = VeleroSettings { volume_mode: VolumeMode::Native, ..VeleroSettings::quick() };
    let (_, seen) = run(11, settings, json!({"includedNamespaces": ["db"]})).await?;
    let pods: Vec<String> = seen.cuts().into_iter().map(|cut| cut.claim.name).collect();
    assert_eq!(pods[..4], ["data-db-0", "data-db-1", "data-db-10", "data-db-2"], "{seen}");
    Ok(())
}

/// Claims that carry the group's label, and a Backup that says so: one block without any list.
async fn labelled_claims(volume_mode: VolumeMode) -> Result<(Phase, Made, Timeline)> {
    let bed = Bed::start().await?;
    let labelled = Workload::stateful_set("db", "db", 3).claim_label("velero.io/snapshot-group", "group-1");
    let made = bed.with(&labelled.shell_hooks("true", "true")).await?;
    let velero = bed.velero(VeleroSettings { volume_mode, ..VeleroSettings::quick() }).await?;
    let spec = json!({"includedNamespaces": ["db"], "volumeGroupSnapshotLabelKey": "velero.io/snapshot-group"});
    let (phase, seen) = back_up(&velero, "b", spec).await?;
    Ok((phase, made, seen))
}

#[tokio::test]
async fn labelled_claims_join_their_pods_in_native_mode() -> Result<()> {
    let (phase, made, seen) = labelled_claims(VolumeMode::Native).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    assert!(seen.is_one_block(), "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::GroupConsistent);
    Ok(())
}

#[tokio::test]
async fn labelled_claims_fail_in_csi_mode() -> Result<()> {
    let (phase, made, seen) = labelled_claims(VolumeMode::Csi).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert_eq!(consistency(&made, &seen), Consistency::NotCut, "{seen}");
    Ok(())
}
