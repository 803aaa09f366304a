//! What becomes of a leader whose API server answers nothing any more.

use super::*;
use crate::api::silent;
use crate::cli::OtherInstalls;
use crate::log::{Format, Level};
use crate::publish::Publisher;
use crate::{input, own_place};
use coordinator_core::election::{LEADER_LEASE_S, RENEW_DEADLINE_MS};
use coordinator_core::time::Mono;
use std::time::Instant;
use tokio::sync::mpsc;

/// One that leads for so long yet, ms, of an API server that answers nothing any more; and what it tells.
fn leader(left_ms: u64) -> (Candidate, mpsc::Receiver<Input>) {
    let client = silent();
    let namespace: Namespace = "velero".parse().unwrap();
    let log = Log::start(Level::Error, Format::Json).unwrap();
    let metrics = Metrics::new();
    let publisher = Publisher::start(client.clone(), "c-0", log.clone(), metrics.clone());
    let own_pod = own_place::pod(&namespace, "c-0");
    let troubles = Arc::new(Troubles::new(log.clone(), metrics.clone(), publisher, own_pod));
    let (inbox, news) = input::channel();
    let voice = Voice { inbox, log, metrics, troubles, leader: watch::Sender::new(LeaderSeen::default()) };
    let clock = Clock::started_ago(Duration::from_millis(RENEW_DEADLINE_MS - left_ms));
    let lookout = Lookout::new(client.clone(), namespace.clone(), OtherInstalls::StandBack);
    let mut candidate = Candidate::new(client, namespace, "c-0".to_owned(), clock, lookout, voice);
    let record = Record {
        holder: Some("c-0".to_owned()),
        duration_s: LEADER_LEASE_S,
        acquired_at: Clock::wall(),
        renewed_at: Clock::wall(),
        transitions: 0,
    };
    candidate.election.written(record, Version { resource: "1".to_owned(), uid: "u".to_owned() }, Mono(0));
    candidate.led = true;
    (candidate, news)
}

#[tokio::test]
async fn a_look_for_other_installs_that_gets_no_answer_ends_before_leadership_would() {
    let begin = Instant::now();
    let (mut candidate, mut news) = leader(500);
    let told = tokio::select! {
        told = news.recv() => told,
        () = candidate.attempt() => None,
    };
    let leads_no_more = matches!(told, Some(Input::Event(event)) if matches!(*event, Event::Leading(false)));
    assert!(leads_no_more, "it tells nobody that it leads no more");
    let took_ms = u64::try_from(begin.elapsed().as_millis()).unwrap();
    assert!(took_ms < CALL_TIMEOUT_MS / 2, "told after {took_ms} ms, as late as a call may take");
}
