//! Each warning comes when it must, and not otherwise.

use super::*;
use crate::page::fixtures::{at, group, key, leader, limit, parts, planned, ran, runs, seen};
use crate::page::planned::{HeldUp, Planned, SchedulerWord};
use crate::page::seen::LeaderSeen;
use coordinator_core::neighbours::Serving;
use coordinator_core::policy::Complaint;
use coordinator_core::schedule_apply::missed::Missed;
use std::path::Path;
use std::sync::Arc;

fn codes(parts: &Parts<'_>) -> Vec<&'static str> {
    warnings(parts).iter().map(|warning| warning.code).collect()
}

fn of_seen(change: impl FnOnce(&mut Seen)) -> Vec<&'static str> {
    let mut seen = seen(vec![ran("prod", "db", Verdict::GroupConsistent, -100)]);
    change(&mut seen);
    codes(&parts(&seen, &leader(), &SchedulerWord::default()))
}

#[test]
fn a_quiet_cluster_has_none() {
    assert_eq!(of_seen(|_| {}), Vec::<&str>::new());
    let fair = of_seen(|seen| seen.groups.push(ran("prod", "web", Verdict::MemberConsistent, -100)));
    assert_eq!(fair, Vec::<&str>::new(), "each pod was held: no reason to wake anybody");
}

#[test]
fn each_trouble_has_its_own() {
    let add = |one: GroupSeen| of_seen(|seen| seen.groups.push(one));
    assert_eq!(add(ran("prod", "x", Verdict::CrashConsistent, -9)), ["groups-torn"]);
    assert_eq!(add(ran("prod", "x", Verdict::Failed, -9)), ["rounds-failed"]);
    assert_eq!(add(ran("prod", "x", Verdict::Unknown, -9)), ["groups-unknown"]);
    assert_eq!(add(runs("prod", "x", RoundPhase::Waiting, -901)), ["queue-long"]);
    assert_eq!(add(runs("prod", "x", RoundPhase::Released, -901)), Vec::<&str>::new());
    let mut by_itself = ran("prod", "x", Verdict::GroupConsistent, -9);
    by_itself.group.last.as_mut().unwrap().unadmitted = 2;
    assert_eq!(add(by_itself), ["unadmitted"]);
    let mut odd = group("prod", "x");
    let (object, value) = ("pod prod/x-0".to_owned(), "soon".to_owned());
    odd.ignored.push(Complaint { annotation: "frozen-time-max", object, value, rule: "a time" });
    assert_eq!(add(odd), ["annotations-ignored"]);
    assert_eq!(of_seen(|seen| seen.limit = Some(limit("throttled", 1))), ["throttled"]);
    assert_eq!(of_seen(|seen| seen.limit = Some(limit("calm", 1))), ["budget-at-one"]);
    assert_eq!(of_seen(|seen| seen.limit.as_mut().unwrap().signals[0].health = "failing".into()), ["signal-failing"]);
    assert_eq!(of_seen(|seen| seen.synced = false), ["not-synced"]);
    assert_eq!(of_seen(|seen| seen.unreadable.push(crate::kind::Kind::Snapshots)), ["kind-unreadable"]);
}

#[test]
fn nobody_leads() {
    let (seen, word) = (seen(vec![]), SchedulerWord::default());
    let nobody = LeaderSeen { holder: None, ..leader() };
    assert_eq!(codes(&parts(&seen, &nobody, &word)), ["no-leader"]);
    let silent = LeaderSeen { unchanged_ms: 15_001, ..leader() };
    assert_eq!(codes(&parts(&seen, &silent, &word)), ["no-leader"]);
    assert_eq!(codes(&parts(&seen, &LeaderSeen::default(), &word)), Vec::<&str>::new(), "not looked yet");
}

#[test]
fn an_older_install_that_serves_is_told_and_nothing_of_a_leader_is() {
    let (seen, word) = (seen(vec![]), SchedulerWord::default());
    let stands_back = Some(Serving { namespace: "velero".parse().unwrap(), holder: "v-0".to_owned() });
    let leader = LeaderSeen { holder: None, stands_back, ..leader() };
    assert_eq!(codes(&parts(&seen, &leader, &word)), ["other-install"]);
}

#[test]
fn a_loop_that_is_silent_is_told_before_all_else() {
    let (seen, leader, word) = (seen(vec![]), leader(), SchedulerWord::default());
    let silent = Parts { seen_age_ms: 9_000, ..parts(&seen, &leader, &word) };
    assert_eq!(codes(&silent), ["engine-silent"]);
    assert_eq!(codes(&Parts { seen: None, ..silent }), ["engine-silent"]);
    let troubles = ["pods: 403".to_owned()];
    assert_eq!(codes(&Parts { troubles: &troubles, seen_age_ms: 0, ..silent }), ["api-unusable"]);
}

#[test]
fn what_the_scheduler_knows() {
    let (seen, leader) = (seen(vec![]), leader());
    let mut word = planned(&[]);
    let held = |by_breaker| HeldUp { schedule: "auto-x".into(), group: Some(key("prod", "x")), by_breaker };
    word.held_up = vec![held(false), held(true)];
    word.failure = Some("cannot list pods".into());
    word.missed = vec![Missed {
        group: key("prod", "x"),
        schedule: "auto-x".into(),
        last_good: Some(at(-200_000)),
        for_s: 200_000,
        allowed_s: 93_600,
    }];
    let plan = word.planned.take().unwrap();
    let plan = Planned {
        shortages: vec!["too much".into()],
        findings: vec!["volume a".into()],
        findings_count: 30,
        taken: vec!["auto-y".into()],
        ..(*plan).clone()
    };
    word.planned = Some(Arc::new(plan));
    let all = warnings(&parts(&seen, &leader, &word));
    let said: Vec<_> = all.iter().map(|warning| warning.code).collect();
    assert_eq!(
        said,
        [
            "groups-missed",
            "no-plan",
            "schedules-paused",
            "schedules-held-up",
            "plan-does-not-fit",
            "not-backed-up",
            "schedule-names-taken"
        ]
    );
    assert_eq!((all[5].examples.len(), all[5].more), (1, 29));
    assert_eq!(all[0].examples, ["prod/x (auto-x): none for 55 h, 26 h at most are expected"]);
}

#[test]
fn examples_are_few_and_runbooks_are_there() {
    let torn = (0..500).map(|n| ran("prod", &format!("g{n}"), Verdict::CrashConsistent, -9)).collect();
    let seen = seen(torn);
    let leader = leader();
    let word = SchedulerWord::default();
    let all = warnings(&parts(&seen, &leader, &word));
    assert_eq!((all[0].examples.len(), all[0].more), (EXAMPLES_MAX, 500 - EXAMPLES_MAX));
    let source = include_str!("warnings.rs");
    let pages = source.split(".runbook(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
    let missing: Vec<&str> = pages.filter(|page| !folder.join(format!("{page}.md")).is_file()).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
