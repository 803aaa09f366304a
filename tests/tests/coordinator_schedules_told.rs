//! What owners of workloads and of Schedules are told when the scheduler cannot do as they wrote: it goes on by the defaults, and fights nobody.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::Workload;
use testbed::velero::schedule::schedules;

/// A change settles for ten seconds, and plans are half a minute apart; the rest is for a busy machine.
const SOON: Duration = Duration::from_mins(2);

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

/// A coordinator that plans every ten seconds, and the Schedule that it made for `prod/db`.
async fn planned(bed: &CoordinatorBed) -> (CoordinatorProcess, String) {
    let coordinator = bed.coordinator("c-0", ["--schedules", "apply", "--check-interval-seconds", "10"]);
    let name = coordinator.schedule_created("prod-db", SOON).await;
    (coordinator, name)
}

fn template(bed: &CoordinatorBed, schedule: &str) -> Value {
    bed.schedule(schedule).expect("it was made")["spec"]["template"].clone()
}

/// Waits for an Event with this reason on this object.
async fn told(bed: &CoordinatorBed, reason: &str, kind: &str, name: &str) -> Event {
    let events: Api<Event> = Api::all(bed.server.client());
    let fits = |event: &Event| {
        let about = event.regarding.clone().unwrap_or_default();
        event.reason.as_deref() == Some(reason)
            && (about.kind.as_deref(), about.name.as_deref()) == (Some(kind), Some(name))
    };
    let found = async {
        loop {
            let mut all = events.list(&ListParams::default()).await.expect("Events").items;
            if let Some(at) = all.iter().position(fits) {
                return all.swap_remove(at);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, found).await;
    waited.unwrap_or_else(|_| panic!("no Event {reason} on {kind} {name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_that_cannot_be_read_costs_no_backup_and_is_told_on_its_workload() {
    let bed = bed().await;
    let workload = Workload::stateful_set("prod", "db", 1)
        .annotation("snapshot-group.velero.io/ttl", "a week")
        .annotation("snapshot-group.velero.io/storage-location", "far");
    let made = bed.workload(&workload).await;
    let (_coordinator, schedule) = planned(&bed).await;
    let template = template(&bed, &schedule);
    assert_eq!(template["ttl"], "168h0m0s", "the default: {template}");
    assert_eq!(template["storageLocation"], "far", "what can be read counts: {template}");
    let event = told(&bed, "SnapshotAnnotationIgnored", "Pod", "db-0").await;
    let note = event.note.unwrap_or_default();
    for part in ["snapshot-group.velero.io/ttl", "`a week`", "168h", "the default applies"] {
        assert!(note.contains(part), "`{part}` is not in: {note}");
    }
    assert_eq!(event.regarding.and_then(|about| about.uid).as_deref(), Some(made.pods[0].uid.as_str()), "for describe");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_manager_owns_is_reported_and_left_as_it_is() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let (coordinator, name) = planned(&bed).await;
    let theirs = json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": name},
        "spec": {"template": {"ttl": "1h0m0s"}}});
    let apply = PatchParams::apply("somebody").force();
    schedules(bed.server.client(), "velero").patch(&name, &apply, &Patch::Apply(&theirs)).await.unwrap();

    let line = coordinator.line("schedule_conflict", SOON, |line| line["schedule"] == name.as_str()).await;
    assert!(line["message"].as_str().is_some_and(|said| said.contains("another field manager owns it")), "{line}");
    let event = told(&bed, "SnapshotScheduleConflict", "Schedule", &name).await;
    assert!(event.note.is_some_and(|note| note.contains("somebody")), "who it is");
    // Told once, and planned on: the field stays theirs.
    let plans = || coordinator.lines_of("schedule_calculation").len();
    let before = plans();
    eventually("two plans more", SOON, || (plans() >= before + 2).then_some(())).await;
    assert_eq!(template(&bed, &name)["ttl"], "1h0m0s");
    assert_eq!(coordinator.lines_of("schedule_conflict").len(), 1);
}
