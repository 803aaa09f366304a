//! Which pods a coordinator puts into which groups, and what it leaves alone.

use std::time::Duration;

use serde_json::json;
use shared::identity::{GroupId, Namespace};
use shared::names::{ANNOTATION_LABELLED_AS, ANNOTATION_LABELLED_BY, LABEL_SNAPSHOT_GROUP};
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, coordinator_command, eventually};
use testbed::velero::cluster::{Made, MadePod, Workload};

const SOON: Duration = Duration::from_secs(20);
const NO_FLAGS: [&str; 0] = [];

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

async fn leading(bed: &CoordinatorBed, flags: &[&str]) -> CoordinatorProcess {
    let coordinator = bed.coordinator("c-0", flags);
    coordinator.line("leading", SOON, |_| true).await;
    coordinator
}

fn of_set(namespace: &str, set: &str) -> String {
    GroupId::for_stateful_set(&Namespace::new(namespace).unwrap(), set).to_string()
}

fn of_namespace(namespace: &str) -> String {
    GroupId::for_namespace_volumes(&Namespace::new(namespace).unwrap()).to_string()
}

async fn all_labelled(bed: &CoordinatorBed, made: &Made, group: &str) {
    for pod in &made.pods {
        let label = eventually(&format!("a label on {}", pod.name), SOON, || bed.label(pod)).await;
        assert_eq!(label, group, "{}", pod.name);
    }
}

/// Waits until a later pod is labelled: what was to be done about earlier ones is done by then.
async fn settled(bed: &CoordinatorBed) {
    let made = bed.workload(&Workload::stateful_set("settled", "last", 1)).await;
    all_labelled(bed, &made, &of_set("settled", "last")).await;
}

fn annotation(bed: &CoordinatorBed, pod: &MadePod) -> Option<String> {
    let stored = bed.server.get("v1", "Pod", &pod.name.namespace, &pod.name.name)?;
    stored.value["metadata"]["annotations"][ANNOTATION_LABELLED_BY].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_are_there_and_pods_that_come_later() {
    let bed = bed().await;
    let early = bed.workload(&Workload::stateful_set("prod", "db", 3)).await;
    let coordinator = leading(&bed, &[]).await;
    all_labelled(&bed, &early, &of_set("prod", "db")).await;
    let web = bed.workload(&Workload::deployment("prod", "web")).await;
    all_labelled(&bed, &web, &of_namespace("prod")).await;
    assert_eq!(annotation(&bed, &web.pods[0]).as_deref(), Some("snapshot-coordinator"));
    let line = coordinator.line("pod_labelled", SOON, |line| line["pod"] == "db-1").await;
    assert_eq!((&line["namespace"], &line["group_id"]), (&json!("prod"), &json!(of_set("prod", "db"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_contain_each_other_are_different_groups() {
    let bed = bed().await;
    let db = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    // `data-my-db-0` contains `-db-`, and its pods carry `app: db`: the original took them for db's.
    let my_db = bed.workload(&Workload::stateful_set("prod", "my-db", 1).label("app", "db")).await;
    let _coordinator = leading(&bed, &[]).await;
    all_labelled(&bed, &db, &of_set("prod", "db")).await;
    all_labelled(&bed, &my_db, &of_set("prod", "my-db")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_set_by_hand_stay() {
    let bed = bed().await;
    let by_hand = Workload::stateful_set("prod", "db", 2).label(LABEL_SNAPSHOT_GROUP, "by-hand");
    let made = bed.workload(&by_hand).await;
    let _coordinator = leading(&bed, &[]).await;
    settled(&bed).await;
    for pod in &made.pods {
        assert_eq!(bed.label(pod).as_deref(), Some("by-hand"));
        assert_eq!(annotation(&bed, pod), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_set_by_hand_while_ours_is_on_its_way_stays() {
    let bed = bed().await;
    let _coordinator = leading(&bed, &[]).await;
    let slow = Target::any().user("c-0").resource("pods").verb(Verb::Patch).name("db-0");
    let fault = bed.server.faults().add(Fault::new(slow, Effect::Delay(Duration::from_secs(1))));
    let made = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let pod = &made.pods[0];
    eventually("the coordinator's write", SOON, || bed.server.faults().struck(fault).filter(|n| *n > 0)).await;
    label_by_hand(&bed, pod, "by-hand").await;
    eventually("an answer to the write", SOON, || {
        bed.server.requests().iter().any(|r| r.verb == "patch" && r.user == "c-0" && r.status != 0).then_some(())
    })
    .await;
    bed.server.faults().remove(fault);
    settled(&bed).await;
    assert_eq!(bed.label(pod).as_deref(), Some("by-hand"));
}

async fn label_by_hand(bed: &CoordinatorBed, pod: &MadePod, group: &str) {
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::namespaced(bed.server.client(), &pod.name.namespace);
    let patch = json!({"metadata": {"labels": {LABEL_SNAPSHOT_GROUP: group}}});
    let params = kube::api::PatchParams { field_manager: Some("kubectl-label".to_owned()), ..Default::default() };
    pods.patch(&pod.name.name, &params, &kube::api::Patch::Merge(&patch)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_without_ebs_volumes_are_left_alone() {
    let bed = bed().await;
    let bare = bed.workload(&Workload::bare_pod("prod", "bare")).await;
    let _coordinator = leading(&bed, &[]).await;
    settled(&bed).await;
    assert_eq!(bed.label(&bare.pods[0]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_counts_once_its_volume_is_known() {
    let bed = bed().await;
    let _coordinator = leading(&bed, &[]).await;
    let made = bed.workload(&Workload::bare_pod("prod", "late").claims(&["data"])).await;
    all_labelled(&bed, &made, &of_namespace("prod")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_selected_pods_are_looked_at() {
    let bed = bed().await;
    let chosen = bed.workload(&Workload::stateful_set("prod", "db", 1).label("backup", "yes")).await;
    let other = bed.workload(&Workload::stateful_set("prod", "cache", 1)).await;
    let _coordinator = leading(&bed, &["--resource-label-selector", "backup in (yes),tier!=test"]).await;
    all_labelled(&bed, &chosen, &of_set("prod", "db")).await;
    let marker = bed.workload(&Workload::stateful_set("prod", "marker", 1).label("backup", "yes")).await;
    all_labelled(&bed, &marker, &of_set("prod", "marker")).await;
    assert_eq!(bed.label(&other.pods[0]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_labelled_when_that_is_switched_off() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let coordinator = leading(&bed, &["--ensure-backup-consistency", "false"]).await;
    let before = coordinator.metric("snapshot_coordinator_api_requests_total").await;
    // Two renewals of the leader Lease later it had every occasion.
    eventually("two renewals", SOON, || {
        let renewals = bed.server.requests().iter().filter(|r| r.verb == "update" && r.user == "c-0").count();
        (renewals >= 2).then_some(())
    })
    .await;
    assert!(coordinator.metric("snapshot_coordinator_api_requests_total").await > before);
    assert_eq!(bed.label(&made.pods[0]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_is_none_is_said() {
    let mut command = coordinator_command();
    let ended = command.args(["run", "--resource-label-selector", "a b c"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("a b c") && said.contains("--resource-label-selector"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_label_writes_are_tried_again() {
    let bed = bed().await;
    let target = Target::any().user("c-0").resource("pods").verb(Verb::Patch);
    bed.server.faults().add(Fault::new(target.clone(), Effect::Refuse { code: 500, retry_after_s: None }).first(2));
    bed.server.faults().add(Fault::new(target, Effect::LoseAnswer).first(3));
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    coordinator.line("write_failed", SOON, |_| true).await;
    all_labelled(&bed, &made, &of_set("prod", "db")).await;
}

/// As Velero restores it: the label and what the coordinator noted about it, of another namespace, owned by whoever restored.
fn restored(namespace: &str, group: &str) -> Workload {
    let workload = Workload::stateful_set(namespace, "db", 1).label(LABEL_SNAPSHOT_GROUP, group);
    workload.annotation(ANNOTATION_LABELLED_BY, "snapshot-coordinator")
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_label_of_another_namespace_is_taken_along_and_a_persons_is_not() {
    let bed = bed().await;
    let old = of_set("prod", "db");
    let ours = bed.workload(&restored("drill", &old).annotation(ANNOTATION_LABELLED_AS, &old)).await;
    let changed = bed.workload(&restored("changed", "by-hand").annotation(ANNOTATION_LABELLED_AS, &old)).await;
    let unknown = bed.workload(&restored("unknown", &old)).await;
    let _coordinator = leading(&bed, &[]).await;
    let here = of_set("drill", "db");
    eventually("the label of here", SOON, || bed.label(&ours.pods[0]).filter(|label| *label == here)).await;
    settled(&bed).await;
    assert_eq!(bed.label(&changed.pods[0]).as_deref(), Some("by-hand"));
    assert_eq!(bed.label(&unknown.pods[0]), Some(old));
}
