//! Backups that are refused, fail, are deleted in mid-round, or say less than others: rounds end, and users are told.

use serde_json::{Value, json};
use testbed::api::ServerOptions;
use testbed::velero::cluster::Workload;
use testbed::velero::hook_calls::HookPhase;

use crate::place::{SOON, all_closed, holding, leading, note, put_backup, set, told};

fn hooked(name: &str) -> Workload {
    let agent = ["/snapshot/hook-agent", "pre"];
    Workload::stateful_set("prod", name, 1).hook(HookPhase::Pre, &agent, "Continue", SOON)
}

/// A storage location that is Unavailable: Velero does not begin (`FailedValidation`).
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_velero_refuses_is_told_to_whom_it_was_for() {
    let (bed, coordinator) = leading(ServerOptions::default(), &[]).await;
    set(&bed, hooked("db")).await;
    let mut backup = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": "nightly"},
        "spec": {"includedNamespaces": ["prod"], "storageLocation": "default"},
    });
    bed.server.put(backup.clone()).unwrap();
    let seen = |line: &Value| line["message"].as_str().is_some_and(|said| said.contains("was refused"));
    backup["status"] = json!({"phase": "FailedValidation", "validationErrors":
        ["backup can't be created because BackupStorageLocation default is in Unavailable status"]});
    bed.server.put(backup).unwrap();
    let line = coordinator.line("backup_failed", SOON, seen).await;
    assert_eq!((&line["backup"], &line["group_count"]), (&json!("nightly"), &json!(1)));
    let client = bed.server.client();
    for about in [("Backup", "nightly"), ("StatefulSet", "db")] {
        let event = told(&client, "SnapshotBackupFailed", about).await;
        assert!(note(&event).contains("FailedValidation"), "{event:?}");
    }
    assert!((coordinator.metric("snapshot_coordinator_groups_not_backed_up_total").await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_in_mid_round_ends_it() {
    let (bed, coordinator) = leading(ServerOptions::default(), &[]).await;
    let (made, group) = set(&bed, hooked("db")).await;
    put_backup(&bed, "nightly", "InProgress");
    let member = holding(&bed, &made, 0, &group).await;
    // Of a Backup that it never saw before its end, a coordinator tells nothing.
    eventually_of(&bed, &member).await;
    put_backup(&bed, "nightly", "Failed");
    all_closed(&bed, &[&member]).await;
    let receipt = coordinator.line("group_receipt", SOON, |_| true).await;
    assert_eq!(receipt["receipt"]["members"][0]["end"], "open", "{receipt}");
    let event = told(&bed.server.client(), "SnapshotBackupFailed", ("StatefulSet", "db")).await;
    assert!(note(&event).contains("nothing can be restored"), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_deleted_in_mid_round_ends_it() {
    let (bed, coordinator) = leading(ServerOptions::default(), &[]).await;
    let (made, group) = set(&bed, hooked("db")).await;
    put_backup(&bed, "nightly", "InProgress");
    let member = holding(&bed, &made, 0, &group).await;
    eventually_of(&bed, &member).await;
    assert!(bed.server.delete("velero.io/v1", "Backup", "velero", "nightly").unwrap());
    all_closed(&bed, &[&member]).await;
    let receipt = coordinator.line("group_receipt", SOON, |_| true).await;
    assert_eq!(receipt["backup"], "nightly", "{receipt}");
    let event = told(&bed.server.client(), "SnapshotConsistencyUnknown", ("StatefulSet", "db")).await;
    assert!(note(&event).contains("nightly") && event.related.is_none(), "{event:?}");
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}

/// Waits until the group's Lease says which Backup it is.
async fn eventually_of(bed: &testbed::coordinator_bed::CoordinatorBed, member: &testbed::coordinator_bed::Member) {
    let known = || bed.group(&member.key()).filter(|lease| lease.backup.is_some());
    testbed::coordinator_process::eventually("the round's Backup", SOON, known).await;
}

/// Velero's CRD takes a Backup without a spec; it must not keep the others from being read.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_a_spec_hides_no_other() {
    let (bed, coordinator) = leading(ServerOptions::default(), &[]).await;
    let bare =
        json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": "bare"}});
    bed.server.put(bare).unwrap();
    let (made, group) = set(&bed, hooked("db")).await;
    put_backup(&bed, "nightly", "InProgress");
    let mut member = holding(&bed, &made, 0, &group).await;
    eventually_of(&bed, &member).await;
    member.finish().await.unwrap();
    put_backup(&bed, "nightly", "Completed");
    coordinator.line("group_receipt", SOON, |line| line["backup"] == "nightly").await;
    assert!(coordinator.lines_of("api_unusable").is_empty());
}
