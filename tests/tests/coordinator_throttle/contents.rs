//! What VolumeSnapshotContents and Backups tell, without any permission of AWS.

use serde_json::json;
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;

use crate::place::{SOON, bed, leading, limiter, put_content, signal, told};

const STARVED: &str = "Failed to create snapshot: failed to take snapshot of the volume vol-1: \"rpc error: code = DeadlineExceeded desc = context deadline exceeded\"";
const PER_VOLUME: &str = "Failed to create snapshot: failed to take snapshot of the volume vol-1: \"rpc error: code = Internal desc = Could not create snapshot \\\"snapshot-1\\\": error creating snapshot of volume vol-1: operation error EC2: CreateSnapshot, https response error StatusCode: 400, RequestID: 1, api error SnapshotCreationPerVolumeRateExceeded: The maximum per volume CreateSnapshot request rate has been exceeded.\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_starved_call_halves_the_budget_with_a_reason_in_every_place_that_people_look() {
    let bed = bed().await;
    let coordinator = leading(&bed, &["--max-concurrent-snapshots", "8"], &[]).await;
    limiter(&bed, "the Lease", |lease| lease.limit == 8).await;
    // One volume's own limit is no reason.
    put_content(&bed, "own", true, &json!({"error": {"message": PER_VOLUME}}));
    put_content(&bed, "a", true, &json!({"error": {"message": STARVED}}));
    let lease = limiter(&bed, "a halved limit", |lease| lease.limit == 4).await;
    assert!(lease.why.contains("1 snapshots") && lease.why.contains("prod/a"), "{}", lease.why);
    let line = coordinator.line("concurrency_adjusted", SOON, |_| true).await;
    assert_eq!((&line["original"], &line["adjusted"], &line["reason"]), (&json!(8), &json!(4), &json!("throttled")));
    assert_eq!(line["source"], "snapshot-contents");
    let metrics = coordinator.get("/metrics").await.body;
    let moved = "snapshot_coordinator_budget_adjustments_total{direction=\"lowered\",reason=\"throttled\",source=\"snapshot-contents\"} 1";
    assert!(metrics.contains(moved), "{metrics}");
    let event = told(&bed, "SnapshotConcurrencyLowered").await;
    assert_eq!(event.regarding.and_then(|of| of.name).as_deref(), Some("snapshot-limiter"));
    assert!(
        event.note.as_ref().is_some_and(|note| note.starts_with("8 to 4 of at most 8 volumes")),
        "{:?}",
        event.note
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_come_in_time_are_calm_and_silence_is_unknown() {
    let bed = bed().await;
    let _coordinator = leading(&bed, &[], &[]).await;
    let note = signal(&bed, "snapshot-contents", |note| note.health == "working").await;
    assert_eq!((note.level.as_str(), note.evidence.as_str()), ("unknown", "no snapshot was made lately"));
    put_content(&bed, "a", true, &json!({}));
    put_content(
        &bed,
        "a",
        false,
        &json!({"snapshotHandle": "snap-1", "creationTime": 1_700_000_000_000_000_000_i64, "readyToUse": false}),
    );
    signal(&bed, "snapshot-contents", |note| note.level == "calm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_snapshot_kinds_the_signal_fails_and_groups_are_released_all_the_same() {
    let bed = CoordinatorBed::start(ServerOptions::default().without_group("snapshot.storage.k8s.io")).await.unwrap();
    let coordinator = leading(&bed, &[], &[]).await;
    let note = signal(&bed, "snapshot-contents", |note| note.health == "failing").await;
    assert!(note.evidence.contains("cannot be watched"), "{note:?}");
    coordinator.line("signal_health", SOON, |line| line["source"] == "snapshot-contents").await;
    assert_eq!(limiter(&bed, "the Lease", |_| true).await.limit, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn native_snapshots_that_fail_show_in_the_backup_that_ends() {
    let bed = bed().await;
    let _coordinator = leading(&bed, &["--max-concurrent-snapshots", "6"], &[]).await;
    let put = |phase: &str, completed: u32| {
        let backup = json!({
            "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": "nightly"},
            "spec": {"includedNamespaces": ["prod"]},
            "status": {"phase": phase, "volumeSnapshotsAttempted": 9, "volumeSnapshotsCompleted": completed},
        });
        bed.server.put(backup).unwrap_or_else(|e| panic!("{e:?}"));
    };
    put("InProgress", 0);
    limiter(&bed, "the Lease", |lease| lease.limit == 6).await;
    put("PartiallyFailed", 4);
    let lease = limiter(&bed, "a halved limit", |lease| lease.limit == 3).await;
    assert!(lease.why.contains("5 of 9 native snapshots of Backup velero/nightly failed"), "{}", lease.why);
}
