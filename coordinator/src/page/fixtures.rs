//! Small clusters for the unit tests of the page.

use std::sync::Arc;

use coordinator_core::schedule::minute::Minute;
use shared::admission::{Mode, RoundPhase};
use shared::group_lease::Epoch;
use shared::identity::{GroupId, GroupKey};
use shared::limiter_lease::SignalNote;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::planned::{Planned, PlannedGroup, PlannedRun, SchedulerWord};
use super::seen::{GroupSeen, LeaderSeen, Seen};
use super::view::Parts;
use crate::status::limit_view::LimitView;
use crate::status::view::{GroupView, LastRound};

/// 2023-11-14 22:13:20 UTC, and `s` seconds more.
pub fn at(s: i64) -> WallTime {
    WallTime::from_micros(1_700_000_000_000_000).plus_ms(s * 1_000)
}

pub fn key(namespace: &str, group: &str) -> GroupKey {
    format!("{namespace}/{group}").parse().unwrap()
}

/// A group that never ran.
pub fn group(namespace: &str, id: &str) -> GroupSeen {
    GroupSeen {
        group: GroupView {
            namespace: namespace.parse().unwrap(),
            group: GroupId::new(id).unwrap(),
            phase: None,
            epoch: Epoch(0),
            mode: None,
            degraded: false,
            pods: 3,
            weight: 3,
            waiting: 0,
            quiesced: 0,
            done: 0,
            failed: 0,
            wait: None,
            opened_at: None,
            backup: None,
            last: None,
            members: vec![],
        },
        workload: None,
        volumes: 3,
        ignored: vec![],
    }
}

/// One whose last round began then and took a minute.
pub fn ran(namespace: &str, id: &str, verdict: Verdict, opened_s: i64) -> GroupSeen {
    let mut seen = group(namespace, id);
    seen.group.phase = Some(RoundPhase::Closed);
    seen.group.opened_at = Some(at(opened_s));
    seen.group.last = Some(LastRound {
        verdict,
        why: format!("because of {id}"),
        closed_at: at(opened_s + 60),
        skew_ms: Some(470),
        epoch: Some(Epoch(4)),
        backup: Some("nightly-1".to_owned()),
        opened_at: at(opened_s),
        members: 3,
        held_ms: Some(12_400),
        unadmitted: 0,
    });
    seen
}

/// One whose round is open since then.
pub fn runs(namespace: &str, id: &str, phase: RoundPhase, opened_s: i64) -> GroupSeen {
    let mut seen = group(namespace, id);
    seen.group.phase = Some(phase);
    seen.group.mode = Some(Mode::ArriveAndGo);
    seen.group.opened_at = Some(at(opened_s));
    seen.group.waiting = 2;
    seen
}

pub fn limit(level: &str, volumes: u32) -> LimitView {
    LimitView {
        volumes,
        max: 5,
        why: "nothing holds it down".to_owned(),
        changed_at: None,
        level: level.to_owned(),
        signals: vec![SignalNote {
            source: "driver-metrics".to_owned(),
            health: "working".to_owned(),
            level: level.to_owned(),
            evidence: "12 CreateSnapshot calls".to_owned(),
            at: Some(at(-9)),
            heard_at: None,
        }],
        plan_budget: 5,
        written_at: at(-3),
    }
}

pub fn seen(groups: Vec<GroupSeen>) -> Seen {
    Seen { synced: true, leads: true, groups, limit: Some(limit("calm", 5)), ..Seen::default() }
}

/// A night from 22:00 to 06:00 UTC with a run of ten minutes for each: group and minutes after 22:00.
pub fn planned(runs: &[(GroupKey, u32)]) -> SchedulerWord {
    let start = Minute::new(22 * 60).unwrap();
    let groups = runs.iter().map(|(key, after)| PlannedGroup {
        key: key.clone(),
        workload: key.group.to_string(),
        volumes: 3,
        runs: vec![PlannedRun { due: start.plus(*after), queued_s: Some(0), takes_s: 600 }],
        reason: "stays",
    });
    let planned = Planned {
        at: at(-600),
        zone: "UTC".to_owned(),
        offset_min: 0,
        window_start: start,
        window_min: 480,
        open: (0..1_440).map(|minute| !(360..1_320).contains(&minute)).collect(),
        budget: 5,
        in_flight: vec![3; 1_440],
        in_flight_peak: 3,
        groups: groups.collect(),
        shortages: vec![],
        fixes: vec![],
        findings: vec![],
        findings_count: 0,
        taken: vec![],
    };
    SchedulerWord { mode: "apply", planned: Some(Arc::new(planned)), ..SchedulerWord::default() }
}

pub fn leader() -> LeaderSeen {
    LeaderSeen {
        holder: Some("c-0".to_owned()),
        renewed_at: Some(at(-1)),
        unchanged_ms: 1_000,
        known: true,
        stands_back: None,
    }
}

pub fn parts<'a>(seen: &'a Seen, leader: &'a LeaderSeen, scheduler: &'a SchedulerWord) -> Parts<'a> {
    Parts {
        identity: "c-0",
        namespace: "velero",
        seen: Some(seen),
        seen_age_ms: 0,
        leader,
        scheduler,
        troubles: &[],
        now: at(0),
    }
}
