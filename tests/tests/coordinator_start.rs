//! How a coordinator starts, stands and stops, and what it says of an API server that cannot be used.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use testbed::api::{Effect, Fault, ServerOptions, Target};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, eventually};

const SOON: Duration = Duration::from_secs(20);
const NO_FLAGS: [&str; 0] = [];

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

async fn ready(coordinator: &CoordinatorProcess) {
    coordinator.line("leading", SOON, |_| true).await;
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_leads_and_stops_when_told() {
    let bed = bed().await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut coordinator = bed.coordinator("c-0", NO_FLAGS);
        ready(&coordinator).await;
        assert_eq!(coordinator.get("/livez").await.status, 200);
        assert!((coordinator.metric("snapshot_coordinator_leader").await - 1.0).abs() < f64::EPSILON);
        let lease = bed.lease("velero", "snapshot-coordinator").unwrap().spec.unwrap();
        assert_eq!(lease.holder_identity.as_deref(), Some("c-0"));

        let told = Instant::now();
        coordinator.signal(signal);
        let status = coordinator.ended(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{:?}", coordinator.lines().last());
        assert!(told.elapsed() < Duration::from_secs(5));
        let lease = bed.lease("velero", "snapshot-coordinator").unwrap().spec.unwrap();
        assert_eq!(lease.holder_identity, None, "the lead is given up");
        assert_eq!(coordinator.lines().last().unwrap()["event_type"], "shutdown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_json_with_a_documented_event_type() {
    let bed = bed().await;
    let coordinator = bed.coordinator("c-0", ["--log-level", "debug"]);
    ready(&coordinator).await;
    let document = include_str!("../../coordinator/EVENTS.md");
    let documented: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for line in coordinator.lines() {
        let event = line["event_type"].as_str().unwrap_or_else(|| panic!("no event_type: {line}"));
        assert!(documented.contains(event), "{event} is not documented");
        for field in ["timestamp", "level", "message"] {
            assert!(line[field].is_string(), "{field} is missing: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn startup_names_its_settings() {
    let bed = bed().await;
    let mut command = testbed::coordinator_process::coordinator_command();
    command.args(["run", "--http-address", "127.0.0.1:0"]);
    command.env("KUBECONFIG", bed.kubeconfig("env")).env("POD_NAME", "from-env").env("POD_NAMESPACE", "velero");
    command
        .env("MAX_CONCURRENT_SNAPSHOTS", "7")
        .env("BACKUP_WINDOW_HOURS", "24")
        .env("AWS_REGION", "eu-west-1")
        .env("RESOURCE_LABEL_SELECTOR", "");
    let coordinator = CoordinatorProcess::spawn(command);
    let line = coordinator.line("startup", SOON, |_| true).await;
    assert_eq!((&line["identity"], &line["max_concurrent_snapshots"]), (&"from-env".into(), &7.into()));
    assert_eq!(line["resource_label_selector"], Value::Null, "set to nothing is not set");
}

/// Not ready while the API server misbehaves; says what and what to do; ready once it behaves.
async fn check_unusable(effect: Effect, body_has: &str, message_has: &str) {
    let bed = bed().await;
    let fault = bed.server.faults().add(Fault::new(Target::any().user("c-0"), effect.clone()));
    let mut coordinator = bed.coordinator("c-0", NO_FLAGS);
    let line = coordinator.line("api_unusable", Duration::from_mins(1), |_| true).await;
    let message = line["message"].as_str().unwrap();
    assert!(message.contains(message_has), "{effect:?}: {message}");
    let answer = coordinator.get("/readyz").await;
    assert_eq!(answer.status, 503, "{effect:?}");
    assert!(answer.body.contains(body_has), "{effect:?}: {}", answer.body);
    assert_eq!(coordinator.get("/livez").await.status, 200, "waiting is no reason to be restarted");
    bed.server.faults().remove(fault);
    // Pauses between tries have grown to a few seconds by now.
    coordinator.line("leading", Duration::from_mins(1), |_| true).await;
    assert_eq!(coordinator.get("/readyz").await.status, 200);
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ended(Duration::from_secs(5)).await.code(), Some(0));
}

fn refuse(code: u16) -> Effect {
    Effect::Refuse { code, retry_after_s: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_does_not_know_us() {
    check_unusable(refuse(401), "401", "does not know us: check the token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_forbids() {
    check_unusable(refuse(403), "403", "bind the coordinator's ClusterRole").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_fails() {
    check_unusable(refuse(500), "500", "cannot answer now").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_busy() {
    check_unusable(Effect::Refuse { code: 429, retry_after_s: Some(1) }, "429", "cannot answer now").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_is_no_api_server() {
    check_unusable(Effect::Garbage, "pods", "does the address lead to one?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_down_and_comes_back() {
    let bed = bed().await;
    bed.server.go_down().await;
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    let line = coordinator.line("api_unusable", SOON, |_| true).await;
    assert!(line["message"].as_str().unwrap().contains("cannot be reached: check its address"), "{line}");
    assert_eq!(coordinator.get("/readyz").await.status, 503);
    assert_eq!(coordinator.lines_of("api_unusable").len(), 1, "one line for all watches");
    bed.server.come_back().await.unwrap();
    coordinator.line("leading", Duration::from_mins(1), |_| true).await;
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_never_answers_keeps_nobody_from_stopping_it() {
    let bed = bed().await;
    bed.server.faults().add(Fault::new(Target::any().user("c-0"), Effect::Silence));
    let mut coordinator = bed.coordinator("c-0", NO_FLAGS);
    let answer = coordinator.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(coordinator.get("/livez").await.status, 200);
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ended(Duration::from_secs(5)).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_takes_connections_and_never_answers() {
    check_unusable(Effect::Silence, "no answer within 20 s", "is it overloaded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_the_middle_of_a_write_that_nobody_answers() {
    let bed = bed().await;
    let mut coordinator = bed.coordinator("c-0", NO_FLAGS);
    ready(&coordinator).await;
    let target = Target::any().user("c-0").resource("pods").verb(testbed::api::Verb::Patch);
    let fault = bed.server.faults().add(Fault::new(target, Effect::Silence));
    bed.workload(&testbed::velero::cluster::Workload::stateful_set("prod", "db", 2)).await;
    eventually("a label write under way", SOON, || bed.server.faults().struck(fault).filter(|n| *n > 0)).await;
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ended(Duration::from_secs(5)).await.code(), Some(0));
    let lease = bed.lease("velero", "snapshot-coordinator").unwrap().spec.unwrap();
    assert_eq!(lease.holder_identity, None, "the lead is given up all the same");
}
