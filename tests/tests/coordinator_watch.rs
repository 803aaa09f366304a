//! What a coordinator makes of watches that break, lists that start over, and kinds that come and go.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::{Made, Workload};

const SOON: Duration = Duration::from_secs(30);
const NO_FLAGS: [&str; 0] = [];

async fn leading(bed: &CoordinatorBed) -> CoordinatorProcess {
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    coordinator.line("leading", SOON, |_| true).await;
    coordinator
}

async fn labelled(bed: &CoordinatorBed, made: &Made) {
    for pod in &made.pods {
        eventually(&format!("a label on {}", pod.name), SOON, || bed.label(pod)).await;
    }
}

async fn groups_become(coordinator: &CoordinatorProcess, count: f64) {
    let begin = std::time::Instant::now();
    loop {
        let found = coordinator.metric("snapshot_coordinator_groups").await;
        if (found - count).abs() < f64::EPSILON {
            return;
        }
        assert!(begin.elapsed() < SOON, "{found} groups, not {count}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_vanish_while_the_watch_is_down_are_gone_after_it() {
    // Few events are kept, so that the watch cannot go on where it was: 410, and a new list.
    let bed = CoordinatorBed::start(ServerOptions::default().history_events(5)).await.unwrap();
    let kept = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let lost = bed.workload(&Workload::stateful_set("test", "db", 3)).await;
    let coordinator = leading(&bed).await;
    labelled(&bed, &kept).await;
    labelled(&bed, &lost).await;
    groups_become(&coordinator, 2.0).await;
    bed.server.go_down().await;
    for pod in &lost.pods {
        assert!(bed.server.delete("v1", "Pod", &pod.name.namespace, &pod.name.name).unwrap());
    }
    for n in 0..10 {
        let filler = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": format!("filler-{n}")},
            "spec": {"containers": [{"name": "main", "image": "example.invalid/x"}]}});
        bed.server.put(filler).unwrap();
    }
    bed.server.come_back().await.unwrap();
    groups_become(&coordinator, 1.0).await;
    let late = bed.workload(&Workload::stateful_set("late", "db", 1)).await;
    labelled(&bed, &late).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_end_and_answers_that_are_cut_lose_nothing() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let coordinator = leading(&bed).await;
    let watching = Target::any().user("c-0").verb(Verb::Watch);
    bed.server.faults().add(Fault::new(watching.clone(), Effect::EndWatch).every(5));
    bed.server.faults().add(Fault::new(watching, Effect::ReplayEvent).every(7));
    bed.server.faults().add(Fault::new(Target::any().user("c-0").verb(Verb::List), Effect::CutAnswer).every(2));
    for round in 0..5 {
        let made = bed.workload(&Workload::stateful_set(&format!("ns-{round}"), "db", 2)).await;
        labelled(&bed, &made).await;
    }
    bed.server.faults().clear();
    groups_become(&coordinator, 5.0).await;
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_are_absent_and_come_later() {
    let options = ServerOptions::default().without_group("velero.io").without_group("snapshot.storage.k8s.io");
    let bed = CoordinatorBed::start(options).await.unwrap();
    let coordinator = leading(&bed).await;
    for resource in ["backups.velero.io", "volumesnapshots.snapshot.storage.k8s.io"] {
        let line = coordinator.line("kind_absent", SOON, |line| line["resource"] == resource).await;
        assert_eq!(line["code"], 404);
    }
    let synced = coordinator.line("synced", SOON, |_| true).await;
    assert_eq!(synced["optional"], json!(["deployments.apps"]));
    let made = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    labelled(&bed, &made).await;
    assert_eq!(coordinator.get("/readyz").await.status, 200);

    bed.server.install_group("velero.io");
    bed.server.install_group("snapshot.storage.k8s.io");
    for resource in [
        "backups.velero.io",
        "volumesnapshots.snapshot.storage.k8s.io",
        "volumesnapshotcontents.snapshot.storage.k8s.io",
    ] {
        coordinator.line("kind_present", Duration::from_secs(90), |line| line["resource"] == resource).await;
        let said = coordinator.lines_of("kind_absent").into_iter().filter(|line| line["resource"] == resource);
        assert_eq!(said.count(), 1, "absence of {resource} is said once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_we_may_not_read_are_said_and_the_rest_works() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let refuse = Effect::Refuse { code: 403, retry_after_s: None };
    let target = Target::any().user("c-0").resource("volumesnapshotcontents");
    bed.server.faults().add(Fault::new(target, refuse));
    let coordinator = leading(&bed).await;
    let line = coordinator.line("kind_absent", SOON, |_| true).await;
    assert_eq!(
        (&line["resource"], &line["code"]),
        (&json!("volumesnapshotcontents.snapshot.storage.k8s.io"), &json!(403))
    );
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_reason_why_a_kind_is_absent_is_said_too() {
    let bed = CoordinatorBed::start(ServerOptions::default().without_group("velero.io")).await.unwrap();
    let refuse = Effect::Refuse { code: 403, retry_after_s: None };
    bed.server.faults().add(Fault::new(Target::any().user("c-0").resource("backups"), refuse));
    let coordinator = leading(&bed).await;
    let absent = async |code: u16| {
        let of_backups = move |line: &Value| line["resource"] == "backups.velero.io" && line["code"] == code;
        coordinator.line("kind_absent", SOON, of_backups).await
    };
    absent(404).await;
    // Velero is installed, but the coordinator's right to read its Backups is not.
    bed.server.install_group("velero.io");
    absent(403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_refusal_does_not_make_a_kind_absent() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let coordinator = leading(&bed).await;
    let refuse = Effect::Refuse { code: 403, retry_after_s: None };
    let target = Target::any().user("c-0").resource("backups");
    let fault = bed.server.faults().add(Fault::new(target.clone(), refuse).first(3));
    bed.server.faults().add(Fault::new(target.verb(Verb::Watch), Effect::EndWatch).first(1));
    bed.server.put(backup("one")).unwrap();
    eventually("three refusals", SOON, || bed.server.faults().struck(fault).filter(|n| *n == 3)).await;
    bed.server.put(backup("two")).unwrap();
    coordinator.line("api_usable", SOON, |line| line["resource"] == "backups.velero.io").await;
    assert_eq!(coordinator.lines_of("kind_absent"), [] as [Value; 0]);
}

fn backup(name: &str) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": name},
        "spec": {"includedNamespaces": ["prod"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn veleros_workers_are_read_from_its_deployment() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let coordinator = leading(&bed).await;
    for (arguments, workers) in
        [(json!(["server", "--item-block-worker-count=4"]), json!(4)), (json!(["server"]), json!(1))]
    {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "velero", "name": "velero"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "velero", "image": "example.invalid/velero", "args": arguments}]}}},
        });
        bed.server.put(deployment).unwrap();
        coordinator.line("velero_workers", SOON, |line| line["workers"] == workers).await;
    }
    bed.server.delete("apps/v1", "Deployment", "velero", "velero").unwrap();
    coordinator.line("velero_workers", SOON, |line| line["workers"].is_null()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_coordinator_only_renews_its_lease() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let made = bed.workload(&Workload::stateful_set("prod", "db", 3)).await;
    let coordinator = leading(&bed).await;
    labelled(&bed, &made).await;
    // What follows the start (the first lists, labels) is over once the budget's and the labels' writes are.
    eventually("a first renewal", SOON, || renewals(&bed, 0).checked_sub(1)).await;
    let from = bed.server.requests().len();
    eventually("three renewals", SOON, || renewals(&bed, from).checked_sub(3)).await;
    let others: Vec<String> = bed.server.requests()[from..]
        .iter()
        .filter(|r| r.user == "c-0" && r.name != "snapshot-coordinator")
        .map(|r| format!("{} {}", r.verb, r.target))
        .collect();
    assert_eq!(others, [] as [String; 0]);
    drop(coordinator);
}

fn renewals(bed: &CoordinatorBed, from: usize) -> usize {
    let requests = bed.server.requests();
    requests[from..].iter().filter(|r| r.verb == "update" && r.name == "snapshot-coordinator").count()
}
