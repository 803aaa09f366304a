//! Kinds that are absent, vanish or come later, and a Velero that is not there.

use serde_json::Value;
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::Workload;

use crate::place::{SOON, all_closed, holding, leading, note, put_backup, set, told};

const BACKUPS: &str = "backups.velero.io";

async fn said(coordinator: &CoordinatorProcess, event_type: &str, resource: &str) -> Value {
    coordinator.line(event_type, SOON, |line| line["resource"] == resource).await
}

async fn unreadable(coordinator: &CoordinatorProcess, resource: &str) -> bool {
    let line = format!("snapshot_coordinator_kind_unreadable{{resource=\"{resource}\"}} 1");
    coordinator.get("/metrics").await.body.lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_velero_and_without_snapshots_groups_are_released_and_users_told() {
    let options = ServerOptions::default().without_group("velero.io").without_group("snapshot.storage.k8s.io");
    let (bed, coordinator) = leading(options, &["--round-idle", "500ms"]).await;
    let line = said(&coordinator, "kind_absent", BACKUPS).await;
    assert!(line["message"].as_str().is_some_and(|m| m.contains("velero.io is not served")), "{line}");
    let event = told(&bed.server.client(), "KindUnreadable", ("Pod", "c-0")).await;
    assert!(note(&event).contains("cannot be read"), "{event:?}");
    assert!(unreadable(&coordinator, BACKUPS).await);
    assert!(unreadable(&coordinator, "volumesnapshots.snapshot.storage.k8s.io").await);
    let workers = coordinator.line("velero_workers", SOON, |line| line["workers"].is_null()).await;
    assert!(workers["message"].as_str().is_some_and(|m| m.contains("no Deployment velero")), "{workers}");

    let (made, group) = set(&bed, Workload::stateful_set("prod", "db", 1)).await;
    let mut member = holding(&bed, &made, 0, &group).await;
    member.finish().await.unwrap();
    all_closed(&bed, &[&member]).await;
    told(&bed.server.client(), "SnapshotConsistencyUnknown", ("StatefulSet", "db")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_vanish_in_mid_round_leave_no_group_open_and_come_back() {
    let (bed, coordinator) = leading(ServerOptions::default(), &["--round-idle", "500ms"]).await;
    let (made, group) = set(&bed, Workload::stateful_set("prod", "db", 2)).await;
    put_backup(&bed, "nightly", "InProgress");
    let mut first = holding(&bed, &made, 0, &group).await;
    eventually("the round's Backup", SOON, || bed.group(&first.key()).filter(|lease| lease.backup.is_some())).await;
    bed.server.remove_group("velero.io");
    end_watch(&bed);
    said(&coordinator, "kind_absent", BACKUPS).await;
    assert!(unreadable(&coordinator, BACKUPS).await);
    // It still holds, so the round goes on; the second never comes. Once the first has let go nobody is waited for.
    first.finish().await.unwrap();
    all_closed(&bed, &[&first]).await;

    bed.server.install_group("velero.io");
    said(&coordinator, "kind_present", BACKUPS).await;
    told(&bed.server.client(), "KindReadable", ("Pod", "c-0")).await;
    assert!(!unreadable(&coordinator, BACKUPS).await);
    put_backup(&bed, "nightly", "Completed");
    put_backup(&bed, "second", "InProgress");
    let mut again = holding(&bed, &made, 1, &group).await;
    again.finish().await.unwrap();
    put_backup(&bed, "second", "Completed");
    coordinator.line("group_receipt", SOON, |line| line["backup"] == "second").await;
}

/// The watch of Backups ends with the next event, as the API server ends those of a definition that is deleted.
fn end_watch(bed: &testbed::coordinator_bed::CoordinatorBed) {
    let watching = Target::any().user("c-0").resource("backups").verb(Verb::Watch);
    bed.server.faults().add(Fault::new(watching, Effect::EndWatch).first(1));
    put_backup(bed, "unrelated", "Completed");
}
