//! Which groups have had no good backup for longer than their Schedules promise.

use std::collections::BTreeMap;

use shared::identity::{GroupKey, Namespace};
use shared::time::WallTime;

use crate::inventory::facts::{Facts, ScheduleFact};
use crate::schedule::cron;

/// A backup may end so much later than it is due, s: a night's queue, a retry by hand, an expected run of an hour.
const GRACE_S: i64 = 2 * 3_600;

const DAY_S: i64 = 86_400;

/// A group without a good backup in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The group.
    pub group: GroupKey,
    /// One of its Schedules, the first by name: where it is told.
    pub schedule: String,
    /// When its last good backup ended; `None`: there has been none.
    pub last_good: Option<WallTime>,
    /// For how long it has had none, s.
    pub for_s: i64,
    /// How long that may be, s.
    pub allowed_s: i64,
}

/// Every such group, in order. A Schedule that a person paused promises nothing; a new one promises its first run.
pub fn decide(facts: &Facts, velero_namespace: &Namespace, now: WallTime) -> Vec<Missed> {
    let mut groups: BTreeMap<&GroupKey, Vec<(&str, &ScheduleFact)>> = BTreeMap::new();
    for (key, fact) in &facts.schedules {
        let is_promise = fact.ours && key.namespace == *velero_namespace && (!fact.paused || fact.paused_by_breaker);
        if let Some(group) = fact.group.as_ref().filter(|_| is_promise) {
            groups.entry(group).or_default().push((key.name.as_str(), fact));
        }
    }
    groups.into_iter().filter_map(|(group, schedules)| missed(facts, group, &schedules, now)).collect()
}

fn missed(facts: &Facts, group: &GroupKey, schedules: &[(&str, &ScheduleFact)], now: WallTime) -> Option<Missed> {
    let is_of_it = |name: &str| schedules.iter().any(|(schedule, _)| *schedule == name);
    let good = facts
        .backups
        .values()
        .filter(|backup| backup.phase == "Completed" && backup.schedule.as_deref().is_some_and(is_of_it));
    let last_good = good.filter_map(|backup| backup.completed).max();
    let created = schedules.iter().filter_map(|(_, fact)| fact.created).min();
    // Neither: nothing is known of since when it is promised.
    let since = last_good.into_iter().chain(created).max()?;
    let allowed_s = longest_gap_s(schedules) + GRACE_S;
    let for_s = now.ms_since(since).div_euclid(1_000);
    let schedule = schedules.iter().map(|(name, _)| (*name).to_owned()).min()?;
    (for_s > allowed_s).then(|| Missed { group: group.clone(), schedule, last_good, for_s, allowed_s })
}

/// The longest time between two runs of a day, s.
fn longest_gap_s(schedules: &[(&str, &ScheduleFact)]) -> i64 {
    let mut minutes: Vec<i64> = schedules
        .iter()
        .flat_map(|(_, fact)| cron::minutes(&fact.cron).unwrap_or_default())
        .map(|minute| i64::from(minute.get()))
        .collect();
    minutes.sort_unstable();
    let around = minutes.first().map(|first| first + DAY_S / 60);
    let next = minutes.iter().copied().skip(1).chain(around);
    minutes.iter().zip(next).map(|(this, next)| (next - this) * 60).max().unwrap_or(DAY_S)
}
