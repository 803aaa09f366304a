//! What users are told in Kubernetes Events, and that nothing ever waits for that.

use serde_json::json;
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::Member;
use testbed::velero::cluster::{Workload, delete_pod};

use crate::place::{SOON, admitted, all_closed, holding, leading, note, put_backup, set, told, uid};

fn events() -> Target {
    Target::any().user("c-0").resource("events")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_told_on_the_backup_and_on_the_stateful_set() {
    let (bed, _coordinator) = leading(ServerOptions::default(), &[]).await;
    let (made, group) = set(&bed, Workload::stateful_set("prod", "db", 2)).await;
    put_backup(&bed, "nightly", "InProgress");
    let mut members = vec![holding(&bed, &made, 0, &group).await, holding(&bed, &made, 1, &group).await];
    for member in &mut members {
        member.finish().await.unwrap();
    }
    put_backup(&bed, "nightly", "Completed");
    let client = bed.server.client();
    // No cut was seen here, so nothing better can be proven.
    let on_backup = told(&client, "SnapshotConsistencyUnknown", ("Backup", "nightly")).await;
    let on_set = told(&client, "SnapshotConsistencyUnknown", ("StatefulSet", "db")).await;
    for event in [&on_backup, &on_set] {
        assert!(note(event).contains(&group) && note(event).contains("unknown"), "{event:?}");
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reporting_controller.as_deref(), Some("snapshot-coordinator"));
        assert_eq!(event.reporting_instance.as_deref(), Some("c-0"));
    }
    let uids =
        [uid(&bed, "velero.io/v1", "Backup", "velero", "nightly"), uid(&bed, "apps/v1", "StatefulSet", "prod", "db")];
    let of = |reference: &Option<k8s_openapi::api::core::v1::ObjectReference>| json!(reference.clone().unwrap().uid);
    assert_eq!([of(&on_backup.regarding), of(&on_backup.related)], uids);
    assert_eq!([of(&on_set.related), of(&on_set.regarding)], uids);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_answers_delay_no_release() {
    let (bed, coordinator) = leading(ServerOptions::default(), &["--round-idle", "500ms"]).await;
    let silent = bed.server.faults().add(Fault::new(events(), Effect::Silence));
    for n in 0..3 {
        let (made, group) = set(&bed, Workload::stateful_set("prod", &format!("db-{n}"), 1)).await;
        let mut member = holding(&bed, &made, 0, &group).await;
        member.finish().await.unwrap();
        all_closed(&bed, &[&member]).await;
    }
    assert!(bed.server.faults().struck(silent).is_some_and(|times| times > 0), "an Event was tried");
    assert_eq!(coordinator.lines_of("group_receipt").len(), 3);
    bed.server.faults().clear();
    // The last of them is written once the API server answers.
    told(&bed.server.client(), "SnapshotConsistencyUnknown", ("StatefulSet", "db-2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_events_are_said_once_for_each_namespace_and_counted() {
    let (bed, coordinator) = leading(ServerOptions::default(), &["--round-idle", "300ms"]).await;
    bed.server.faults().add(Fault::new(events(), Effect::Refuse { code: 403, retry_after_s: None }));
    for (namespace, name) in [("prod", "a"), ("prod", "b"), ("test", "a")] {
        let (made, group) = set(&bed, Workload::stateful_set(namespace, name, 1)).await;
        let mut member = holding(&bed, &made, 0, &group).await;
        member.finish().await.unwrap();
        all_closed(&bed, &[&member]).await;
    }
    for namespace in ["prod", "test"] {
        let of = |line: &serde_json::Value| line["namespace"] == namespace;
        let line = coordinator.line("events_refused", SOON, of).await;
        assert_eq!(line["code"], 403, "{line}");
        assert_eq!(coordinator.lines_of("events_refused").iter().filter(|line| of(line)).count(), 1);
    }
    assert!(coordinator.metric("snapshot_coordinator_kubernetes_events_dropped_total").await >= 3.0);
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_lost_in_mid_round_is_told() {
    let (bed, coordinator) = leading(ServerOptions::default(), &["--round-idle", "500ms"]).await;
    let (made, group) = set(&bed, Workload::stateful_set("prod", "db", 2)).await;
    let first = holding(&bed, &made, 0, &group).await;
    delete_pod(&bed.server.client(), &made.pods[0].name).await.unwrap();
    coordinator.line("member_gone", SOON, |line| line["pod"] == "db-0").await;
    let event = told(&bed.server.client(), "SnapshotMemberLost", ("StatefulSet", "db")).await;
    assert!(note(&event).contains("prod/db-0") && note(&event).contains("its pod is gone"), "{event:?}");
    all_closed(&bed, &[&first]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_stalls_is_told() {
    let flags = ["--mode", "barrier", "--barrier-stall", "200ms"];
    let (bed, _coordinator) = leading(ServerOptions::default(), &flags).await;
    let (made, group) = set(&bed, Workload::stateful_set("prod", "db", 2)).await;
    let first = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    admitted(&bed, &first).await;
    let event = told(&bed.server.client(), "SnapshotBarrierDegraded", ("StatefulSet", "db")).await;
    assert!(note(&event).starts_with("1 of 2 members"), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_may_not_be_labelled_is_told_on_its_stateful_set() {
    let (bed, _coordinator) = leading(ServerOptions::default(), &[]).await;
    let patching = Target::any().user("c-0").resource("pods").verb(Verb::Patch).name("db-0");
    bed.server.faults().add(Fault::new(patching, Effect::Refuse { code: 422, retry_after_s: None }));
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let event = told(&bed.server.client(), "SnapshotLabelRefused", ("StatefulSet", "db")).await;
    assert!(note(&event).contains("prod/db-0"), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_lease_is_somebody_elses_is_told() {
    let (bed, _coordinator) = leading(ServerOptions::default(), &[]).await;
    let (_, group) = set(&bed, Workload::stateful_set("prod", "db", 1)).await;
    let foreign = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "prod", "name": format!("snapshot-group-{group}"), "labels": {
            "snapshot-group.velero.io/role": "group", "velero.io/snapshot-group": group}},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 15},
    });
    bed.server.put(foreign).unwrap();
    let event = told(&bed.server.client(), "SnapshotLeaseInvalid", ("StatefulSet", "db")).await;
    assert!(note(&event).contains("cannot be released"), "{event:?}");
}
