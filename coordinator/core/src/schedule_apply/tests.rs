//! Breaker and missed runs, by facts.

use shared::identity::{GroupKey, Namespace};
use shared::time::WallTime;

use super::{Action, breaker, missed};
use crate::fixtures::key;
use crate::inventory::facts::{BackupFact, Facts, ScheduleFact};

const HOUR_MS: i64 = 3_600_000;

fn velero() -> Namespace {
    "velero".parse().unwrap()
}

/// 03:10 is the Schedule's minute.
fn facts(paused: bool, paused_by_breaker: bool, backup: Option<&str>) -> Facts {
    let mut facts = Facts::default();
    let group: GroupKey = "shop/db".parse().unwrap();
    let schedule = ScheduleFact {
        ours: true,
        group: Some(group),
        cron: "10 3 * * *".to_owned(),
        paused,
        paused_by_breaker,
        created: Some(WallTime::EPOCH),
        ..ScheduleFact::default()
    };
    facts.schedules.insert(key("velero", "shop-db"), schedule);
    if let Some(phase) = backup {
        let backup =
            BackupFact { schedule: Some("shop-db".to_owned()), phase: phase.to_owned(), ..BackupFact::default() };
        facts.backups.insert(key("velero", "shop-db-1"), backup);
    }
    facts
}

fn at(hours: i64, minutes: i64) -> WallTime {
    WallTime::EPOCH.plus_ms(hours * HOUR_MS + minutes * 60_000)
}

#[track_caller]
fn check(facts: &Facts, now: WallTime, expected: &[&str]) {
    let words: Vec<&str> = breaker::decide(facts, &velero(), now).iter().map(Action::word).collect();
    assert_eq!(words, expected);
}

#[test]
fn a_run_is_held_up_while_the_one_before_is_not_over() {
    for phase in ["", "New", "Queued", "ReadyToStart", "InProgress"] {
        check(&facts(false, false, Some(phase)), at(27, 8), &["pause"]);
    }
    // Over, or far away: Velero may work on it for as long as it likes.
    for phase in ["Finalizing", "WaitingForPluginOperations", "Completed", "PartiallyFailed", "Failed"] {
        check(&facts(false, false, Some(phase)), at(27, 8), &[]);
    }
    check(&facts(false, false, Some("InProgress")), at(27, 0), &[]);
    check(&facts(false, false, Some("InProgress")), at(27, 11), &[]);
    check(&facts(false, false, None), at(27, 8), &[]);
}

#[test]
fn it_runs_again_once_that_is_over_and_a_persons_pause_stays() {
    check(&facts(true, true, Some("Completed")), at(27, 8), &["resume"]);
    check(&facts(true, true, None), at(27, 8), &["resume"]);
    check(&facts(true, true, Some("Queued")), at(27, 8), &[]);
    check(&facts(true, false, None), at(27, 8), &[]);
}

#[test]
fn a_pause_after_a_person_resumed_it_is_the_persons() {
    // Paused by the breaker, resumed by a person while the Backup still ran: the mark is of no pause any more.
    check(&facts(false, true, Some("InProgress")), at(27, 0), &["unmark"]);
    check(&facts(false, true, None), at(27, 0), &["unmark"]);
    check(&facts(false, true, Some("Queued")), at(27, 8), &["pause"]);
    // Without it, what they pause later stays paused.
    check(&facts(true, false, None), at(27, 0), &[]);
}

#[test]
fn others_schedules_are_nobodys_business() {
    let mut others = facts(false, false, Some("InProgress"));
    others.schedules.values_mut().for_each(|schedule| schedule.ours = false);
    check(&others, at(27, 8), &[]);
    assert_eq!(missed::decide(&others, &velero(), at(1_000, 0)), []);
}

#[track_caller]
fn check_missed(facts: &Facts, now: WallTime, expected: bool) {
    assert_eq!(missed::decide(facts, &velero(), now).len(), usize::from(expected));
}

#[test]
fn a_group_without_a_good_backup_for_a_day_and_a_grace_is_missed() {
    let never = facts(false, false, None);
    check_missed(&never, at(26, 0), false);
    check_missed(&never, at(26, 1), true);
    let mut good = facts(false, false, Some("Completed"));
    good.backups.values_mut().for_each(|backup| backup.completed = Some(at(27, 15)));
    check_missed(&good, at(53, 15), false);
    check_missed(&good, at(53, 16), true);
    let mut partial = good.clone();
    partial.backups.values_mut().for_each(|backup| backup.phase = "PartiallyFailed".to_owned());
    check_missed(&partial, at(53, 0), true);
    check_missed(&facts(true, false, None), at(1_000, 0), false);
    check_missed(&facts(true, true, None), at(1_000, 0), true);
}

#[test]
fn more_runs_a_day_promise_more() {
    let mut twice = facts(false, false, None);
    twice.schedules.values_mut().for_each(|schedule| schedule.cron = "10 3,15 * * *".to_owned());
    check_missed(&twice, at(14, 0), false);
    check_missed(&twice, at(14, 1), true);
}
