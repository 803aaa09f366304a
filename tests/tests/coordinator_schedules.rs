//! One Schedule a group, kept true to the plan: made, changed, removed, held up; others' and paused ones left alone.

use std::time::Duration;

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::Workload;

/// A change settles for ten seconds, and plans are half a minute apart; the rest is for a busy machine.
const SOON: Duration = Duration::from_mins(2);

const APPLY: [&str; 4] = ["--schedules", "apply", "--check-interval-seconds", "10"];

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

fn started(bed: &CoordinatorBed, flags: &[&str]) -> CoordinatorProcess {
    bed.coordinator("c-0", flags)
}

fn put(bed: &CoordinatorBed, object: Value) {
    bed.server.put(object).unwrap_or_else(|e| panic!("{e:?}"));
}

fn others_schedule(name: &str) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"namespace": "velero", "name": name},
        "spec": {"schedule": "0 1 * * *", "template": {"includedNamespaces": ["prod"]}}})
}

/// As Velero does once it has looked at a Schedule.
async fn take_back_the_skip(bed: &CoordinatorBed, name: &str) {
    bed.patch_schedule("velero-server", name, json!({"spec": {"skipImmediately": false}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_group_gets_a_schedule_that_follows_it() {
    let bed = bed().await;
    put(&bed, others_schedule("mine"));
    bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let coordinator = started(&bed, &APPLY);
    let name = coordinator.schedule_created("prod-db", SOON).await;
    let made = bed.schedule(&name).expect("it was said to be there");
    let ordered =
        |schedule: &Value| schedule["spec"]["template"]["orderedResources"]["pods"].as_str().map(str::to_owned);
    assert_eq!(ordered(&made).as_deref(), Some("prod/db-0,prod/db-1"), "{made}");
    assert_eq!(made["spec"]["skipImmediately"], true, "a new cron must not fire at once: {made}");
    let cron = made["spec"]["schedule"].clone();

    // Scaled up: it follows in place, and its cron stays, so nothing is to be skipped.
    bed.workload(&Workload::stateful_set("prod", "db", 3)).await;
    let followed = |schedule: &Value| ordered(schedule).as_deref() == Some("prod/db-0,prod/db-1,prod/db-2");
    let now = eventually("the third pod in the Schedule", SOON, || bed.schedule(&name).filter(followed)).await;
    assert_eq!(now["metadata"]["uid"], made["metadata"]["uid"], "changed in place");
    assert_eq!(now["spec"]["schedule"], cron);
    assert_eq!(
        now["spec"]["skipImmediately"], true,
        "Velero has not seen the wish: it must not be lost with another change"
    );
    take_back_the_skip(&bed, &name).await;
    bed.workload(&Workload::stateful_set("prod", "db", 4)).await;
    let followed = |schedule: &Value| ordered(schedule).is_some_and(|pods| pods.ends_with(",prod/db-3"));
    let now = eventually("the fourth pod in the Schedule", SOON, || bed.schedule(&name).filter(followed)).await;
    assert_eq!(now["spec"]["skipImmediately"], false, "Velero has seen it, and is not asked again");
    assert_eq!(bed.schedule("mine").map(|mine| mine["spec"].clone()), Some(others_schedule("mine")["spec"].clone()));
    let metrics = coordinator.get("/metrics").await.body;
    assert!(metrics.contains("snapshot_coordinator_planned_groups 1"), "{metrics}");
}

/// Plans an hour apart: what comes in between is planned soon after it came, and what comes together is planned once.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_new_workloads_is_planned_soon_and_once() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let coordinator = started(&bed, &["--schedules", "apply", "--check-interval-seconds", "3600"]);
    coordinator.schedule_created("prod-db", SOON).await;
    let new = ["cache", "queue", "search", "users"];
    for name in new {
        bed.workload(&Workload::stateful_set("prod", name, 2)).await;
    }
    for name in new {
        coordinator.schedule_created(&format!("prod-{name}"), SOON).await;
    }
    let plans = coordinator.lines_of("schedule_calculation");
    let groups: Vec<u64> = plans.iter().filter_map(|plan| plan["groups"].as_u64()).collect();
    assert!(groups.iter().all(|groups| [1, 5].contains(groups)), "all four came together: {groups:?}");
    assert!(groups.len() <= 3, "one plan at the start, one for the burst, one for what was under way: {groups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_needs_goes_and_what_a_person_paused_stays() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let ours = |name: &str, paused: bool| {
        let mut object = others_schedule(name);
        object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "snapshot-scheduler"});
        object["spec"]["paused"] = json!(paused);
        object
    };
    put(&bed, ours("auto-gone", false));
    put(&bed, ours("auto-paused", true));
    let coordinator = started(&bed, &APPLY);
    coordinator.line("schedule_deleted", SOON, |line| line["schedule"] == "auto-gone").await;
    eventually("the Schedule is gone", SOON, || bed.schedule("auto-gone").is_none().then_some(())).await;
    assert!(bed.schedule("auto-paused").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let coordinator = started(&bed, &["--schedules", "dry-run", "--check-interval-seconds", "10"]);
    let line = coordinator.line("schedule_created", SOON, |line| line["dry_run"] == true).await;
    assert!(bed.schedule(line["schedule"].as_str().unwrap_or_default()).is_none());
    let wrote = bed.server.requests().iter().any(|r| r.user == "c-0" && r.resource == "schedules" && r.verb == "patch");
    assert!(!wrote, "{:?}", bed.server.requests());
}

/// Fixed by its owner.
const AT: &str = "snapshot-group.velero.io/at";

/// A minute that is so near that a run is held up; the program is built before that, which may take minutes.
fn near() -> String {
    testbed::binaries::coordinator();
    let soon = jiff::Timestamp::now() + Duration::from_secs(150);
    soon.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M").to_string()
}

/// The Backup that a Schedule made before.
fn backup_of(schedule: &str, phase: &str) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": "earlier",
        "labels": {"velero.io/schedule-name": schedule}}, "spec": {"includedNamespaces": ["prod"]}, "status": {"phase": phase}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_held_up_while_the_one_before_is_not_over() {
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", 1).annotation(AT, &near())).await;
    let coordinator = started(&bed, &APPLY);
    let name = coordinator.schedule_created("prod-db", SOON).await;
    put(&bed, backup_of(&name, "Queued"));
    coordinator.line("schedule_paused", SOON, |line| line["schedule"] == name.as_str()).await;
    let paused = |schedule: &Value| schedule["spec"]["paused"] == true;
    eventually("a pause", SOON, || bed.schedule(&name).filter(paused)).await;
    put(&bed, backup_of(&name, "Completed"));
    coordinator.line("schedule_resumed", SOON, |line| line["schedule"] == name.as_str()).await;
    let resumed = bed.schedule(&name).expect("it is there");
    assert_eq!((&resumed["spec"]["paused"], &resumed["spec"]["skipImmediately"]), (&json!(false), &json!(true)));
}

/// Claims' labels go one by one. An API server that takes seconds for each is no reason to look late at what piles up, nor to leave a new workload
/// without a Schedule.
#[tokio::test(flavor = "multi_thread")]
async fn slow_writes_of_claims_keep_nothing_else_waiting() {
    const CLAIMS: u32 = 60;
    let bed = bed().await;
    bed.workload(&Workload::stateful_set("prod", "db", CLAIMS).annotation(AT, &near())).await;
    let of_claims = Target::any().user("c-0").resource("persistentvolumeclaims").verb(Verb::Patch);
    bed.server.faults().add(Fault::new(of_claims, Effect::Delay(Duration::from_secs(4))));
    let native = ["--snapshot-way", "native"];
    let coordinator = started(&bed, &[&APPLY[..], &native[..]].concat());
    let name = coordinator.schedule_created("prod-db", SOON).await;
    coordinator.line("claim_labelled", SOON, |_| true).await;
    put(&bed, backup_of(&name, "Queued"));
    coordinator.line("schedule_paused", SOON, |line| line["schedule"] == name.as_str()).await;
    let labelled = || coordinator.lines_of("claim_labelled").len();
    assert!(labelled() < CLAIMS as usize / 2, "it was paused meanwhile: {} claims", labelled());

    bed.workload(&Workload::stateful_set("prod", "new", 1)).await;
    coordinator.schedule_created("prod-new", SOON).await;
    assert!(labelled() < CLAIMS as usize, "it was planned meanwhile: {} claims", labelled());
    // What a plan leaves over, the next one goes on with.
    let before = labelled();
    eventually("more claims", SOON, || (labelled() > before).then_some(())).await;
}

/// Others' workloads are not this product's: no Schedule, and not one write to what belongs to them.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_selected_gets_a_schedule() {
    let bed = bed().await;
    put(&bed, others_schedule("cache-nightly"));
    bed.workload(&Workload::stateful_set("prod", "db", 2).label("backup", "yes")).await;
    let cache = bed.workload(&Workload::stateful_set("prod", "cache", 2)).await;
    bed.workload(&Workload::deployment("prod", "cache-web")).await;
    bed.workload(&Workload::stateful_set("test", "cache", 1).label("backup", "yes").label("tier", "test")).await;
    let selected = ["--resource-label-selector", "backup in (yes),tier!=test", "--snapshot-way", "native"];
    let coordinator = started(&bed, &[&APPLY[..], &selected[..]].concat());
    let name = coordinator.schedule_created("prod-db", SOON).await;
    coordinator.line("claim_labelled", SOON, |line| line["claim"] == "data-db-1").await;
    let plans = || coordinator.lines_of("schedule_calculation").len();
    let before = plans();
    eventually("two plans more", SOON, || (plans() >= before + 2).then_some(())).await;
    let writes =
        || bed.server.requests().into_iter().filter(|r| r.user == "c-0" && !["get", "list", "watch"].contains(&r.verb));
    let to_others: Vec<_> = writes().filter(|r| r.name.contains("cache")).collect();
    assert!(to_others.is_empty(), "{to_others:?}");
    let created_here = coordinator.lines_of("schedule_created");
    assert_eq!(created_here.iter().map(|line| &line["schedule"]).collect::<Vec<_>>(), [&json!(name)]);
    let metrics = coordinator.get("/metrics").await.body;
    assert!(metrics.contains("snapshot_coordinator_planned_groups 1\n"), "{metrics}");

    // Whoever is enrolled later comes in without a restart, and nothing of the first changes.
    let made = bed.schedule(&name);
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(bed.server.client(), "prod");
    for pod in &cache.pods {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"backup": "yes"}}}));
        pods.patch(&pod.name.name, &PatchParams::default(), &patch).await.unwrap();
    }
    coordinator.schedule_created("prod-cache", SOON).await;
    assert_eq!(bed.schedule(&name).map(|now| now["spec"].clone()), made.map(|made| made["spec"].clone()));
    let left = bed.schedule("cache-nightly").expect("a person's");
    assert_eq!(left["spec"], others_schedule("cache-nightly")["spec"]);
}
