//! A Schedule whose earlier Backup is not over does not add another one to it.
//!
//! Velero itself skips a run only while an earlier Backup is New or InProgress (velero `schedule_controller.go`); one that is Queued or ReadyToStart
//! does not count there, so Backups of one group pile up behind a Velero that is stuck.

use std::collections::BTreeMap;

use crate::inventory::facts::{Facts, ScheduleFact};
use crate::objects::ObjectKey;
use crate::schedule::cron;
use crate::schedule::minute::Minute;
use shared::identity::Namespace;
use shared::time::WallTime;

use super::Action;

/// A Schedule is paused when its next run is nearer than this, min: Velero looks at its Schedules once a minute, and this is looked at as often.
pub const LEAD_MIN: u16 = 3;

/// Phases of a Backup that Velero has not begun to end (velero `pkg/apis/velero/v1/backup_types.go`). One without a phase is new.
const NOT_OVER: [&str; 5] = ["", "New", "Queued", "ReadyToStart", "InProgress"];

/// Which Schedules are to be paused now, and which may run again; and which a person let run again.
pub fn decide(facts: &Facts, velero_namespace: &Namespace, now: WallTime) -> Vec<Action> {
    let minute = Minute::wrapping(now.as_micros().div_euclid(60_000_000));
    let not_over = not_over(facts, velero_namespace);
    let ours = facts.schedules.iter().filter(|(key, fact)| fact.ours && key.namespace == *velero_namespace);
    ours.filter_map(|(key, fact)| {
        let pending = not_over.get(key.name.as_str());
        match (fact.paused, pending) {
            (false, Some(backup)) if is_near(fact, minute) => {
                Some(Action::Pause { name: key.name.clone(), backup: backup.name.clone() })
            }
            (false, _) if fact.paused_by_breaker => Some(Action::Unmark { name: key.name.clone() }),
            (true, None) if fact.paused_by_breaker => Some(Action::Resume { name: key.name.clone() }),
            (true | false, _) => None,
        }
    })
    .collect()
}

/// By Schedule, the first by name of its Backups that are not over: looked up for thousands of Schedules among a week of their Backups.
fn not_over<'a>(facts: &'a Facts, velero_namespace: &Namespace) -> BTreeMap<&'a str, &'a ObjectKey> {
    let open = facts
        .backups
        .iter()
        .filter(|(key, fact)| key.namespace == *velero_namespace && NOT_OVER.contains(&fact.phase.as_str()));
    let mut of_schedules = BTreeMap::new();
    for (key, fact) in open {
        if let Some(schedule) = &fact.schedule {
            of_schedules.entry(schedule.as_str()).or_insert(key);
        }
    }
    of_schedules
}

fn is_near(fact: &ScheduleFact, now: Minute) -> bool {
    cron::minutes(&fact.cron).into_iter().flatten().any(|minute| now.minutes_until(minute) <= LEAD_MIN)
}
