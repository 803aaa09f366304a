//! A kind that cannot be read, or is not read to its end: no Schedule is made, changed or removed by what is seen of the others.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use testbed::api::{Effect, Fault, FaultId, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::{Made, Workload};

/// A change settles for ten seconds, plans are half a minute apart, and a watch that is refused is tried again after 30 s at most; the rest is
/// for a busy machine.
const SOON: Duration = Duration::from_mins(3);

const APPLY: [&str; 4] = ["--schedules", "apply", "--check-interval-seconds", "10"];

/// What a plan is made from: as requests name it, and as the product's words do.
const KINDS: [(&str, &str); 4] = [
    ("persistentvolumes", "persistentvolumes"),
    ("persistentvolumeclaims", "persistentvolumeclaims"),
    ("statefulsets", "statefulsets.apps"),
    ("pods", "pods"),
];

/// So many refusals of a list are some seconds in which a coordinator could plan.
const REFUSALS: u64 = 5;

/// Objects that come before those of other namespaces in a list, and are as many as the coordinator takes at once.
const A_PAGE: usize = 500;

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

fn started(bed: &CoordinatorBed) -> CoordinatorProcess {
    bed.coordinator("c-0", APPLY)
}

/// A Schedule of the product's that no workload needs.
fn needless(name: &str) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"namespace": "velero", "name": name, "labels": {"app.kubernetes.io/managed-by": "snapshot-scheduler"}},
        "spec": {"schedule": "0 1 * * *", "template": {"includedNamespaces": ["prod"]}}})
}

/// What the coordinator wrote of Schedules: verbs and names.
fn writes(bed: &CoordinatorBed) -> Vec<(&'static str, String)> {
    let requests = bed.server.requests().into_iter();
    let of_schedules = requests.filter(|r| r.user == "c-0" && r.resource == "schedules");
    of_schedules.filter(|r| !["get", "list", "watch"].contains(&r.verb)).map(|r| (r.verb, r.name)).collect()
}

fn of(resource: &str, verb: Verb) -> Target {
    Target::any().user("c-0").resource(resource).verb(verb)
}

fn refused(bed: &CoordinatorBed, resource: &str, verb: Verb) -> FaultId {
    bed.server.faults().add(Fault::new(of(resource, verb), Effect::Refuse { code: 403, retry_after_s: None }))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_planned_before_every_kind_is_listed() {
    join_all(KINDS.map(|(resource, said)| refused_from_the_start(resource, said))).await;
}

async fn refused_from_the_start(resource: &str, said: &str) {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    bed.server.put(needless("auto-gone")).unwrap();
    let refusal = refused(&bed, resource, Verb::List);
    let coordinator = started(&bed);
    coordinator.line("api_unusable", SOON, |line| line["resource"] == said && line["code"] == 403).await;
    eventually("refusals", SOON, || bed.server.faults().struck(refusal).filter(|struck| *struck >= REFUSALS)).await;
    let ready = coordinator.get("/readyz").await;
    assert!(ready.status == 503 && ready.body.contains(said), "{ready:?}");
    assert_eq!((writes(&bed), coordinator.lines_of("schedule_calculation").len()), (vec![], 0), "{said}");

    bed.server.faults().remove(refusal);
    coordinator.schedule_created("prod-db", SOON).await;
    coordinator.line("schedule_deleted", SOON, |line| line["schedule"] == "auto-gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_refused_later_costs_no_schedule_and_is_told() {
    join_all(KINDS.map(|(resource, said)| refused_later(resource, said))).await;
}

async fn refused_later(resource: &str, said: &str) {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let old = bed.workload(&Workload::stateful_set("prod", "old", 1)).await;
    let coordinator = started(&bed);
    let names =
        [coordinator.schedule_created("prod-db", SOON).await, coordinator.schedule_created("prod-old", SOON).await];
    let as_made = names.each_ref().map(|name| bed.schedule(name));
    let before = writes(&bed);

    let refusals = [Verb::List, Verb::Watch].map(|verb| refused(&bed, resource, verb));
    // The API server ends each watch in time. Here the next event does, which is that of what comes and goes meanwhile.
    bed.server.faults().add(Fault::new(of(resource, Verb::Watch), Effect::EndWatch).first(1));
    goes(&bed, "old", &old);
    bed.workload(&Workload::stateful_set("prod", "new", 1)).await;
    let is_told = |line: &Value| {
        line["message"].as_str().is_some_and(|told| told.contains("no plan") && told.contains(&format!("list {said}")))
    };
    coordinator.line("schedule_failed", SOON, is_told).await;
    // Two more plans that do not come about: nothing wears off.
    let failures = coordinator.metric("snapshot_coordinator_schedule_failures_total").await;
    failures_reach(&coordinator, failures + 2.0).await;
    let status = coordinator.get("/status.json").await.body;
    assert!(status.contains("no-plan") && status.contains(&format!("list {said}")), "{status}");
    assert_eq!(coordinator.lines_of("schedule_failed").iter().filter(|line| is_told(line)).count(), 1, "said once");
    assert_eq!(writes(&bed), before, "{said}");
    assert_eq!(names.each_ref().map(|name| bed.schedule(name)), as_made, "{said}");

    for refusal in refusals {
        bed.server.faults().remove(refusal);
    }
    coordinator.schedule_created("prod-new", SOON).await;
    coordinator.line("schedule_deleted", SOON, |line| line["schedule"] == names[1].as_str()).await;
    assert!(bed.schedule(&names[0]).is_some() && bed.schedule(&names[1]).is_none(), "{said}");
}

async fn failures_reach(coordinator: &CoordinatorProcess, count: f64) {
    let reach = async {
        while coordinator.metric("snapshot_coordinator_schedule_failures_total").await < count {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(SOON, reach).await.unwrap_or_else(|_| panic!("fewer than {count} failures"));
}

/// A workload goes with all that it had.
fn goes(bed: &CoordinatorBed, set: &str, made: &Made) {
    let gone = |version: &str, kind: &str, namespace: &str, name: &str| {
        assert!(bed.server.delete(version, kind, namespace, name).unwrap(), "{kind} {namespace}/{name}");
    };
    gone("apps/v1", "StatefulSet", "prod", set);
    for pod in &made.pods {
        // Without its set a pod goes by itself where owners are collected.
        let _ = bed.server.delete("v1", "Pod", &pod.name.namespace, &pod.name.name).unwrap();
        for claim in &pod.claims {
            let stored = bed.server.get("v1", "PersistentVolumeClaim", &claim.namespace, &claim.name).unwrap();
            let volume = stored.value["spec"]["volumeName"].as_str().unwrap().to_owned();
            gone("v1", "PersistentVolumeClaim", &claim.namespace, &claim.name);
            gone("v1", "PersistentVolume", "", &volume);
        }
    }
}

/// A watch that is too old starts over with a list. Until the list's last page is there, a new workload's claims are seen, and its pods are not:
/// planned then, its Schedule would cut claims without a hook.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_half_in_is_no_ground_for_a_plan() {
    // Few events are kept, so that the watch cannot go on where it was: 410, and a new list.
    let bed = CoordinatorBed::start(ServerOptions::default().history_events(5)).await.unwrap();
    let filler = |n: usize| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": format!("filler-{n}")},
            "spec": {"containers": [{"name": "main", "image": "example.invalid/x"}]}});
        bed.server.put(pod).unwrap();
    };
    (0..A_PAGE).for_each(filler);
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let coordinator = started(&bed);
    coordinator.schedule_created("prod-db", SOON).await;

    let away = Fault::new(of("pods", Verb::Watch), Effect::Refuse { code: 503, retry_after_s: None });
    let away = bed.server.faults().add(away);
    bed.server.faults().add(Fault::new(of("pods", Verb::Watch), Effect::EndWatch).first(1));
    bed.workload(&Workload::stateful_set("prod", "new", 2)).await;
    (A_PAGE..A_PAGE + 10).for_each(filler);
    // The second page takes longer than plans are apart, and less than would be a trouble of its own.
    let slow = Fault::new(of("pods", Verb::List), Effect::Delay(Duration::from_secs(15))).every(2);
    let slow = bed.server.faults().add(slow);
    bed.server.faults().remove(away);
    let name = coordinator.schedule_created("prod-new", SOON).await;
    assert_eq!(bed.server.faults().remove(slow), Some(1), "the second page was waited for");
    let plans = coordinator.lines_of("schedule_calculation").len();
    eventually("two plans more", SOON, || {
        (coordinator.lines_of("schedule_calculation").len() >= plans + 2).then_some(())
    })
    .await;
    let template = &bed.schedule(&name).expect("it was made")["spec"]["template"];
    assert_eq!(template["orderedResources"]["pods"], "prod/new-0,prod/new-1", "{template}");
    let again: Vec<Value> =
        coordinator.lines_of("schedule_updated").into_iter().filter(|line| line["schedule"] == name.as_str()).collect();
    assert!(again.is_empty(), "it was right from the start: {again:?}");
}
