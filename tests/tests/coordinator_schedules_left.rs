//! Schedules that a person has taken over or paused: left as they are, until the person gives them back.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::Workload;

/// A change settles for ten seconds, and plans are half a minute apart; the rest is for a busy machine.
const SOON: Duration = Duration::from_mins(2);

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const PAUSED_BY: &str = "snapshot-group.velero.io/paused-by";

/// Fixed by its owner to a minute that is far, so that nothing is held up.
fn db(replicas: u32) -> Workload {
    let far = jiff::Timestamp::now() + Duration::from_hours(6);
    let at = far.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:00").to_string();
    Workload::stateful_set("prod", "db", replicas).annotation("snapshot-group.velero.io/at", &at)
}

/// A coordinator that plans every ten seconds, and the Schedule that it made for `prod/db`.
async fn planned() -> (CoordinatorBed, CoordinatorProcess, String) {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    bed.workload(&db(1)).await;
    let coordinator = bed.coordinator("c-0", ["--schedules", "apply", "--check-interval-seconds", "10"]);
    let name = coordinator.schedule_created("prod-db", SOON).await;
    (bed, coordinator, name)
}

fn schedule(bed: &CoordinatorBed, name: &str) -> Value {
    bed.schedule(name).expect("it was made")
}

/// A person changes it.
async fn by_hand(bed: &CoordinatorBed, name: &str, patch: Value) {
    bed.patch_schedule("kubectl-edit", name, patch).await;
}

/// Waits for plans that know of three pods.
async fn grows(bed: &CoordinatorBed, coordinator: &CoordinatorProcess) {
    bed.workload(&db(3)).await;
    let knows = |line: &Value| line["count"] == 3;
    let plans = || coordinator.lines_of("schedule_calculation").iter().filter(|line| knows(line)).count();
    eventually("two plans with three volumes", SOON, || (plans() >= 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_made_his_own_is_left_and_told() {
    let (bed, coordinator, name) = planned().await;
    by_hand(&bed, &name, json!({"metadata": {"labels": {MANAGED_BY: null}}})).await;
    let theirs = schedule(&bed, &name);
    let line = coordinator.line("schedule_conflict", SOON, |line| line["schedule"] == name.as_str()).await;
    assert!(line["message"].as_str().is_some_and(|said| said.contains("not this product's")), "{line}");
    grows(&bed, &coordinator).await;
    assert_eq!(schedule(&bed, &name), theirs);
    assert_eq!(coordinator.lines_of("schedule_conflict").len(), 1, "said once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_paused_changes_only_once_it_runs_again() {
    let (bed, coordinator, name) = planned().await;
    by_hand(&bed, &name, json!({"spec": {"paused": true}})).await;
    let paused = schedule(&bed, &name);
    grows(&bed, &coordinator).await;
    assert_eq!(schedule(&bed, &name), paused);
    by_hand(&bed, &name, json!({"spec": {"paused": false}})).await;
    let pods = |schedule: &Value| schedule["spec"]["template"]["orderedResources"]["pods"].clone();
    let follows = || Some(schedule(&bed, &name)).filter(|now| pods(now) == "prod/db-0,prod/db-1,prod/db-2");
    eventually("the Schedule follows", SOON, follows).await;
}

/// Held up by the breaker, resumed by a person, and later paused by that person: it must not run again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_after_a_person_resumed_it_is_the_persons() {
    let (bed, coordinator, name) = planned().await;
    let held_up = json!({"metadata": {"annotations": {PAUSED_BY: "breaker"}}, "spec": {"paused": true}});
    let backup = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": "earlier",
        "labels": {"velero.io/schedule-name": name}}, "spec": {"includedNamespaces": ["prod"]}, "status": {"phase": "Queued"}});
    bed.server.put(backup).unwrap();
    by_hand(&bed, &name, held_up).await;
    by_hand(&bed, &name, json!({"spec": {"paused": false}})).await;
    let mark = || schedule(&bed, &name)["metadata"]["annotations"][PAUSED_BY].clone();
    eventually("the mark is off", SOON, || mark().is_null().then_some(())).await;

    by_hand(&bed, &name, json!({"spec": {"paused": true}})).await;
    assert!(bed.server.delete("velero.io/v1", "Backup", "velero", "earlier").unwrap());
    grows(&bed, &coordinator).await;
    assert_eq!(schedule(&bed, &name)["spec"]["paused"], true);
    assert!(coordinator.lines_of("schedule_resumed").is_empty());
}

/// Generated once, for a workload that is no more.
fn needless() -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"namespace": "velero", "name": "auto-old", "labels": {MANAGED_BY: "snapshot-scheduler"}},
        "spec": {"schedule": "0 1 * * *", "template": {"includedNamespaces": ["prod"]}}})
}

/// A slip of the pen must not take every Schedule away.
#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_selects_nothing_removes_nothing() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    bed.workload(&Workload::stateful_set("prod", "db", 1).label("backup", "yes")).await;
    bed.server.put(needless()).unwrap();
    let stands = schedule(&bed, "auto-old");
    let mistyped =
        ["--schedules", "apply", "--check-interval-seconds", "10", "--resource-label-selector", "backup=yess"];
    let coordinator = bed.coordinator("c-0", mistyped);
    let line = coordinator.line("schedule_failed", SOON, |_| true).await;
    let said = line["message"].as_str().unwrap_or_default();
    assert!(said.contains("--resource-label-selector backup=yess selects no pod"), "{said}");
    let plans = || coordinator.lines_of("schedule_calculation").len();
    eventually("two plans", SOON, || (plans() >= 2).then_some(())).await;
    assert_eq!(schedule(&bed, "auto-old"), stands);
}

/// What one by one is allowed and together leaves no minute: told, and nothing that stands is touched.
#[tokio::test(flavor = "multi_thread")]
async fn settings_that_allow_no_plan_change_nothing() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    bed.server.put(needless()).unwrap();
    let stands = schedule(&bed, "auto-old");
    let coordinator =
        bed.coordinator("c-0", ["--schedules", "apply", "--check-interval-seconds", "10", "--excluded-hours", "0-24"]);
    let line = coordinator.line("schedule_failed", SOON, |_| true).await;
    let said = line["message"].as_str().unwrap_or_default();
    assert!(said.contains("nothing is changed") && said.contains("leave no minute"), "{said}");
    let status = coordinator.get("/status.json").await.body;
    assert!(status.contains("no-plan"), "{status}");
    assert_eq!(schedule(&bed, "auto-old"), stands);
    assert!(coordinator.lines_of("schedule_created").is_empty());
}
