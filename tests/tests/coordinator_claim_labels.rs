//! Native snapshots: claims carry their group's label as long as that way is on, a person's label stays, and a namespace that refuses costs no other.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use shared::identity::{GroupId, Namespace};
use shared::names::{ANNOTATION_LABELLED_AS, LABEL_SNAPSHOT_GROUP};
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, coordinator_command, eventually};
use testbed::kubectl;
use testbed::velero::cluster::Workload;

/// A change settles for ten seconds, and plans are half a minute apart; the rest is for a busy machine.
const SOON: Duration = Duration::from_mins(2);

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

fn planning(bed: &CoordinatorBed, schedules: &str, way: &str) -> CoordinatorProcess {
    bed.coordinator("c-0", ["--schedules", schedules, "--snapshot-way", way, "--check-interval-seconds", "10"])
}

async fn stop(mut coordinator: CoordinatorProcess) {
    coordinator.signal(Signal::TERM);
    assert!(coordinator.ended(SOON).await.success());
}

fn of_set(namespace: &str, set: &str) -> String {
    GroupId::for_stateful_set(&Namespace::new(namespace).unwrap(), set).to_string()
}

/// A claim's group label, and what the product noted about it.
fn label(bed: &CoordinatorBed, namespace: &str, claim: &str) -> (Option<String>, Option<String>) {
    let stored = bed.server.get("v1", "PersistentVolumeClaim", namespace, claim).expect("the claim");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let metadata = &stored.value["metadata"];
    (text(&metadata["labels"][LABEL_SNAPSHOT_GROUP]), text(&metadata["annotations"][ANNOTATION_LABELLED_AS]))
}

async fn until_labelled(bed: &CoordinatorBed, namespace: &str, claim: &str, group: &str) {
    let ours = (Some(group.to_owned()), Some(group.to_owned()));
    eventually(&format!("{claim} with its group's label"), SOON, || {
        (label(bed, namespace, claim) == ours).then_some(())
    })
    .await;
}

/// Waits until the coordinator has planned this often in all.
async fn planned(coordinator: &CoordinatorProcess, times: usize) {
    eventually("another plan", SOON, || (coordinator.lines_of("schedule_calculation").len() >= times).then_some(()))
        .await;
}

fn claim_writes(bed: &CoordinatorBed) -> usize {
    let requests = bed.server.requests();
    requests.iter().filter(|r| r.user == "c-0" && r.resource == "persistentvolumeclaims" && r.verb == "patch").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_label_comes_with_native_snapshots_and_goes_with_them_and_a_persons_stays() {
    let bed = bed().await;
    let group = of_set("prod", "db");
    bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    bed.workload(&Workload::stateful_set("prod", "hand", 1).claim_label(LABEL_SNAPSHOT_GROUP, "mine")).await;
    // As Velero restores it: what the product put there in another namespace.
    let restored = Workload::stateful_set("drill", "db", 1).claim_label(LABEL_SNAPSHOT_GROUP, &group);
    bed.workload(&restored.claim_annotation(ANNOTATION_LABELLED_AS, &group)).await;

    let native = planning(&bed, "apply", "native");
    for claim in ["data-db-0", "data-db-1"] {
        until_labelled(&bed, "prod", claim, &group).await;
        native.line("claim_labelled", SOON, |line| line["claim"] == claim && line["namespace"] == "prod").await;
    }
    until_labelled(&bed, "drill", "data-db-0", &of_set("drill", "db")).await;
    let finding = |line: &Value| line["message"].as_str().is_some_and(|it| it.contains("prod/data-hand-0"));
    native.line("inventory_finding", SOON, finding).await;
    // What is right is not written again.
    let writes = claim_writes(&bed);
    planned(&native, native.lines_of("schedule_calculation").len() + 2).await;
    assert_eq!(claim_writes(&bed), writes);
    let metrics = native.get("/metrics").await.body;
    assert!(metrics.contains("snapshot_coordinator_claim_label_writes_total{action=\"label\"} 3\n"), "{metrics}");
    // A new pod's claim is labelled as soon as it is planned for.
    bed.workload(&Workload::stateful_set("prod", "db", 3)).await;
    until_labelled(&bed, "prod", "data-db-2", &group).await;
    stop(native).await;

    let csi = planning(&bed, "apply", "csi");
    for (namespace, claim) in
        [("prod", "data-db-0"), ("prod", "data-db-1"), ("prod", "data-db-2"), ("drill", "data-db-0")]
    {
        eventually("the label is gone", SOON, || (label(&bed, namespace, claim) == (None, None)).then_some(())).await;
    }
    let writes = claim_writes(&bed);
    planned(&csi, csi.lines_of("schedule_calculation").len() + 2).await;
    assert_eq!(claim_writes(&bed), writes, "and comes back by no plan in CSI mode");
    assert_eq!(label(&bed, "prod", "data-hand-0"), (Some("mine".to_owned()), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_refuses_is_told_and_costs_no_other() {
    let bed = bed().await;
    // By name the refusing one comes first.
    for namespace in ["away", "prod"] {
        bed.workload(&Workload::stateful_set(namespace, "db", 2)).await;
    }
    let target = Target::any().user("c-0").resource("persistentvolumeclaims").verb(Verb::Patch).namespace("away");
    let refusal = bed.server.faults().add(Fault::new(target, Effect::Refuse { code: 403, retry_after_s: None }));
    let coordinator = planning(&bed, "apply", "native");
    let line = coordinator.line("claim_label_failed", SOON, |_| true).await;
    let said = line["message"].as_str().unwrap_or_default();
    assert!(said.contains("namespace away") && said.contains("components/native-snapshots"), "{said}");
    for claim in ["data-db-0", "data-db-1"] {
        until_labelled(&bed, "prod", claim, &of_set("prod", "db")).await;
    }
    let plans = coordinator.lines_of("schedule_calculation").len();
    planned(&coordinator, plans + 2).await;
    assert_eq!(coordinator.lines_of("claim_label_failed").len(), 1, "said once, and once a namespace");
    let struck = bed.server.faults().struck(refusal).unwrap_or_default();
    let plans = coordinator.lines_of("schedule_calculation").len();
    assert!(usize::try_from(struck).is_ok_and(|struck| struck <= plans), "one write a plan: {struck} in {plans} plans");
    assert!(coordinator.metric("snapshot_coordinator_schedule_failures_total").await >= 1.0);
    bed.server.faults().remove(refusal);
    until_labelled(&bed, "away", "data-db-1", &of_set("away", "db")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_a_person_sets_while_ours_is_on_its_way_stays() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let slow = Target::any().user("c-0").resource("persistentvolumeclaims").verb(Verb::Patch);
    let fault = bed.server.faults().add(Fault::new(slow, Effect::Delay(Duration::from_secs(2))));
    let coordinator = planning(&bed, "apply", "native");
    eventually("the coordinator's write", SOON, || bed.server.faults().struck(fault).filter(|n| *n > 0)).await;
    let claims: kube::Api<k8s_openapi::api::core::v1::PersistentVolumeClaim> =
        kube::Api::namespaced(bed.server.client(), "prod");
    let patch = json!({"metadata": {"labels": {LABEL_SNAPSHOT_GROUP: "mine"}}});
    claims.patch("data-db-0", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(&patch)).await.unwrap();
    let finding = |line: &Value| line["message"].as_str().is_some_and(|it| it.contains("prod/data-db-0"));
    coordinator.line("inventory_finding", SOON, finding).await;
    assert_eq!(label(&bed, "prod", "data-db-0"), (Some("mine".to_owned()), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_which_claims_and_writes_none() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let coordinator = planning(&bed, "dry-run", "native");
    let line = coordinator.line("claim_labelled", SOON, |line| line["dry_run"] == true).await;
    assert_eq!(line["claim"], "data-db-0");
    planned(&coordinator, 2).await;
    assert_eq!((label(&bed, "prod", "data-db-0"), claim_writes(&bed)), ((None, None), 0));
}

/// Whoever applies the plan's YAML labels claims by the commands in it; a coordinator that comes later takes them back like its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_plans_commands_label_is_the_products() {
    if !kubectl::is_there("the commands of coordinator plan") {
        return;
    }
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let kubeconfig = bed.kubeconfig("operator");
    let mut command = coordinator_command();
    command.args(["plan", "-o", "yaml", "--snapshot-way", "native", "--kubeconfig"]).arg(&kubeconfig);
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let yaml = String::from_utf8(ended.stdout).unwrap();
    let commands: Vec<&str> = yaml.lines().filter_map(|line| line.strip_prefix("# kubectl ")).collect();
    assert_eq!(commands.len(), 2, "{yaml}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let said = kubectl::say_to(&kubeconfig, bed.folder(), &words).await;
        assert!(said.worked, "kubectl {command}: {}", said.text);
    }
    until_labelled(&bed, "prod", "data-db-1", &of_set("prod", "db")).await;
    let _csi = planning(&bed, "apply", "csi");
    for claim in ["data-db-0", "data-db-1"] {
        eventually("the label is gone", SOON, || (label(&bed, "prod", claim) == (None, None)).then_some(())).await;
    }
}
