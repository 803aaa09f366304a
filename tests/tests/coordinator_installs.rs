//! Two installs of the product in one cluster: the older one serves, the younger one stands back, and takes over while the older is away.

use std::time::Duration;

use rustix::process::Signal;
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};

/// Another install is looked for every ten seconds; the rest is for a busy machine.
const SOON: Duration = Duration::from_mins(1);

const STAND_BACK: [&str; 2] = ["--other-installs", "stand-back"];
const ELSEWHERE: [&str; 6] =
    ["--other-installs", "stand-back", "--namespace", "backup", "--velero-namespace", "velero"];

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default().with_namespace("backup")).await.unwrap()
}

async fn leads(coordinator: &CoordinatorProcess) {
    coordinator.line("leading", SOON, |_| true).await;
}

async fn stood_back(coordinator: &CoordinatorProcess, times: usize) {
    eventually("it to stand back", SOON, || (coordinator.lines_of("stands_back").len() == times).then_some(())).await;
}

/// Who holds the leader Lease of an install.
fn holder(bed: &CoordinatorBed, namespace: &str) -> Option<String> {
    let holder = bed.lease(namespace, "snapshot-coordinator")?.spec?.holder_identity;
    holder.filter(|holder| !holder.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_younger_install_stands_back_as_long_as_the_older_one_serves() {
    let bed = bed().await;
    let mut older = bed.coordinator("v-0", STAND_BACK);
    leads(&older).await;
    let younger = bed.coordinator("b-0", ELSEWHERE);
    let said = younger.line("stands_back", SOON, |_| true).await;
    assert_eq!((&said["other"], &said["holder"]), (&"velero".into(), &"v-0".into()), "{said}");
    younger.line("synced", SOON, |_| true).await;
    assert_eq!(younger.get("/readyz").await.status, 200, "standing back is no fault of this process");
    assert!(younger.get("/metrics").await.body.contains("snapshot_coordinator_stands_back 1"));
    let page = younger.get("/status.json").await.body;
    assert!(page.contains("other-install") && !page.contains("no-leader"), "{page}");
    assert_eq!(holder(&bed, "backup"), None);

    older.signal(Signal::TERM);
    older.ended(SOON).await;
    leads(&younger).await;
    assert_eq!(holder(&bed, "backup").as_deref(), Some("b-0"));

    // Its Lease is the older one still.
    let back = bed.coordinator("v-1", STAND_BACK);
    leads(&back).await;
    stood_back(&younger, 2).await;
    eventually("the younger one to give the lead up", SOON, || holder(&bed, "backup").is_none().then_some(())).await;
    assert!(younger.get("/metrics").await.body.contains("snapshot_coordinator_leader 0"));
    assert!(back.lines_of("stands_back").is_empty() && holder(&bed, "velero").as_deref() == Some("v-1"));
}

/// It was killed, and gave nothing up: its Lease says that it leads, and nobody renews it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_install_is_waited_for_and_then_passed_over() {
    let bed = bed().await;
    let mut older = bed.coordinator("v-0", STAND_BACK);
    leads(&older).await;
    older.kill();
    let younger = bed.coordinator("b-0", ELSEWHERE);
    stood_back(&younger, 1).await;
    leads(&younger).await;
    assert_eq!(holder(&bed, "velero").as_deref(), Some("v-0"));
}

/// What it saw last still counts when it cannot look: else it would lead beside the older one.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_makes_nobody_lead() {
    let bed = bed().await;
    let older = bed.coordinator("v-0", STAND_BACK);
    leads(&older).await;
    let younger = bed.coordinator("b-0", ELSEWHERE);
    stood_back(&younger, 1).await;
    let looks = Target::any().verb(Verb::List).resource("leases").name("snapshot-coordinator").user("b-0");
    let fault = bed.server.faults().add(Fault::new(looks, Effect::Refuse { code: 503, retry_after_s: None }));
    // It tries again with each attempt of the election; the fourth is long after the first that failed.
    eventually("four looks that fail", SOON, || bed.server.faults().struck(fault).filter(|times| *times >= 4)).await;
    assert!(younger.lines_of("leading").is_empty(), "{:?}", younger.lines());
    assert_eq!(holder(&bed, "backup"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_ignore_others_leads() {
    let bed = bed().await;
    let older = bed.coordinator("v-0", STAND_BACK);
    leads(&older).await;
    let younger = bed.coordinator("b-0", ["--other-installs", "ignore", "--namespace", "backup"]);
    leads(&younger).await;
    assert!(younger.lines_of("stands_back").is_empty());
}
