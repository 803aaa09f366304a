//! Rounds through the real process: members that register by hand are released, end, and leave a receipt.

use std::time::Duration;

use serde_json::{Value, json};
use shared::admission::{AttemptVerdict, RoundPhase};
use shared::group_lease::Epoch;
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::{Made, Workload};

const SOON: Duration = Duration::from_secs(20);

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

async fn leading(bed: &CoordinatorBed, flags: &[&str]) -> CoordinatorProcess {
    let coordinator = bed.coordinator("c-0", flags);
    coordinator.line("leading", SOON, |_| true).await;
    coordinator
}

async fn labelled(bed: &CoordinatorBed, made: &Made) -> String {
    for pod in &made.pods {
        eventually("a label", SOON, || bed.label(pod)).await;
    }
    bed.label(&made.pods[0]).unwrap()
}

async fn admitted(bed: &CoordinatorBed, member: &Member) -> Epoch {
    eventually("admission", SOON, || member.verdict(bed).filter(|v| *v == AttemptVerdict::Admitted)).await;
    bed.group(&member.key()).unwrap().epoch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_from_arrival_to_receipt() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let coordinator = leading(&bed, &["--round-idle", "500ms"]).await;
    let group = labelled(&bed, &made).await;
    put_backup(&bed, "nightly", "InProgress");
    let mut members = Vec::new();
    for (pod, nonce) in made.pods.iter().zip(1..) {
        let mut member = Member::register(&bed, pod, &group, nonce).await.unwrap();
        let epoch = admitted(&bed, &member).await;
        member.quiesce(epoch).await.unwrap();
        members.push(member);
    }
    assert_eq!(bed.budget().unwrap().granted(), 2, "one volume a pod, the whole group at once");
    for member in &mut members {
        member.finish().await.unwrap();
    }
    put_backup(&bed, "nightly", "Completed");
    let line = coordinator.line("group_receipt", Duration::from_mins(1), |_| true).await;
    assert_eq!((&line["namespace"], &line["group_id"]), (&json!("prod"), &json!(group)));
    assert_eq!((&line["backup"], &line["pod_count"]), (&json!("nightly"), &json!(2)));
    assert!(line["receipt"]["members"].as_array().is_some_and(|all| all.len() == 2), "{line}");
    eventually("the share is returned", SOON, || bed.budget().filter(|budget| budget.granted() == 0)).await;
    let annotation = eventually("the receipt on the Backup", SOON, || {
        let backup = bed.server.get("velero.io/v1", "Backup", "velero", "nightly")?;
        let key = format!("receipt.snapshot-group.velero.io/prod.{group}");
        backup.value["metadata"]["annotations"][key].as_str().map(str::to_owned)
    })
    .await;
    let receipt: Value = serde_json::from_str(&annotation).unwrap();
    assert_eq!(receipt["verdict"], line["verdict"]);
    for event in ["group_created", "group_granted", "group_ready"] {
        coordinator.line(event, SOON, |line| line["group_id"] == json!(group)).await;
    }
    assert!((coordinator.metric("snapshot_coordinator_rounds_total").await - 1.0).abs() < f64::EPSILON);
    assert!((coordinator.metric("snapshot_coordinator_admissions_total").await - 2.0).abs() < f64::EPSILON);
}

fn put_backup(bed: &CoordinatorBed, name: &str, phase: &str) {
    let backup = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": name},
        "spec": {"includedNamespaces": ["prod"]}, "status": {"phase": phase},
    });
    bed.server.put(backup).unwrap_or_else(|e| panic!("{e:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_group_waits_for_its_turn() {
    let bed = bed().await;
    let first = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let second = bed.workload(&Workload::stateful_set("prod", "web", 2)).await;
    let flags = ["--max-concurrent-snapshots", "2", "--round-idle", "500ms"];
    let coordinator = leading(&bed, &flags).await;
    let (first_group, second_group) = (labelled(&bed, &first).await, labelled(&bed, &second).await);
    let mut running = Vec::new();
    for (pod, nonce) in first.pods.iter().zip(1..) {
        let mut member = Member::register(&bed, pod, &first_group, nonce).await.unwrap();
        let epoch = admitted(&bed, &member).await;
        member.quiesce(epoch).await.unwrap();
        running.push(member);
    }
    let waiting = Member::register(&bed, &second.pods[0], &second_group, 1).await.unwrap();
    let line = coordinator.line("group_status", SOON, |line| line["group_id"] == json!(second_group)).await;
    assert_eq!((&line["wait"]["for"], &line["wait"]["in_use"]), (&json!("budget"), &json!(2)));
    assert_eq!(bed.group(&waiting.key()).unwrap().phase, RoundPhase::Waiting);
    for member in &mut running {
        member.finish().await.unwrap();
    }
    admitted(&bed, &waiting).await;
    assert!(bed.budget().unwrap().granted() <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_whose_answers_are_lost_end_well() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let _coordinator = leading(&bed, &[]).await;
    let group = labelled(&bed, &made).await;
    let of_protocol = |name: &str| Target::any().user("c-0").resource("leases").name(name);
    let group_lease = format!("snapshot-group-{group}");
    for name in ["snapshot-budget", group_lease.as_str()] {
        for verb in [Verb::Create, Verb::Update] {
            bed.server.faults().add(Fault::new(of_protocol(name).verb(verb), Effect::LoseAnswer).first(2));
        }
    }
    let member = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    admitted(&bed, &member).await;
    assert_eq!(bed.budget().unwrap().granted(), 1, "granted once, although it was written more than once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_lease_that_is_deleted_or_made_nonsense_in_mid_round_is_made_anew() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let coordinator = leading(&bed, &[]).await;
    let group = labelled(&bed, &made).await;
    let first = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    admitted(&bed, &first).await;
    let name = format!("snapshot-group-{group}");

    assert!(bed.server.delete("coordination.k8s.io/v1", "Lease", "prod", &name).unwrap());
    let second = Member::register(&bed, &made.pods[1], &group, 2).await.unwrap();
    admitted(&bed, &second).await;

    let mut broken = serde_json::to_value(bed.lease("prod", &name).unwrap()).unwrap();
    broken["apiVersion"] = json!("coordination.k8s.io/v1");
    broken["kind"] = json!("Lease");
    broken["metadata"]["annotations"]["snapshot-group.velero.io/attempts"] = json!("nonsense");
    bed.server.put(broken).unwrap();
    let line = coordinator.line("lease_invalid", SOON, |_| true).await;
    assert!(line["message"].as_str().unwrap().contains("snapshot-group.velero.io/attempts"), "{line}");
    eventually("a group Lease that says something", SOON, || bed.group(&first.key())).await;
    admitted(&bed, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_leases_under_our_names_are_left_alone_and_said() {
    let bed = bed().await;
    let foreign = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "velero", "name": "snapshot-budget"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 15},
    });
    bed.server.put(foreign).unwrap();
    let stray = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "prod", "name": "copy", "labels": {
            "snapshot-group.velero.io/role": "group", "velero.io/snapshot-group": "db"}},
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 15},
    });
    let made = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    bed.server.put(stray).unwrap();
    let coordinator = leading(&bed, &[]).await;
    let line = coordinator.line("lease_invalid", SOON, |line| line["message"].as_str().unwrap().contains("copy")).await;
    assert!(line["message"].as_str().unwrap().contains("delete it"), "{line}");
    let group = labelled(&bed, &made).await;
    Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    let line = coordinator.line("lease_invalid", SOON, |l| l["message"].as_str().unwrap().contains("budget")).await;
    assert!(line["message"].as_str().unwrap().contains("rename or delete it"), "{line}");
    let kept = bed.lease("velero", "snapshot-budget").unwrap().spec.unwrap();
    assert_eq!(kept.holder_identity.as_deref(), Some("somebody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_mid_round_loses_nothing() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let mut coordinator = leading(&bed, &[]).await;
    let group = labelled(&bed, &made).await;
    let mut first = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    let epoch = admitted(&bed, &first).await;
    first.quiesce(epoch).await.unwrap();
    coordinator.kill();
    let second = Member::register(&bed, &made.pods[1], &group, 2).await.unwrap();
    // The same pod name starts again: a container that was restarted.
    let _again = leading(&bed, &[]).await;
    assert_eq!(admitted(&bed, &second).await, epoch, "the same round goes on");
    assert_eq!(bed.budget().unwrap().granted(), 2);
}
