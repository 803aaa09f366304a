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
    let last_good = last_good(facts);
    groups.into_iter().filter_map(|(group, schedules)| missed(&last_good, group, &schedules, now)).collect()
}

/// By Schedule, when its last good Backup ended: looked up for thousands of Schedules among a week of their Backups.
fn last_good(facts: &Facts) -> BTreeMap<&str, WallTime> {
    let mut ended = BTreeMap::new();
    for backup in facts.backups.values().filter(|backup| backup.phase == "Completed") {
        if let (Some(schedule), Some(at)) = (&backup.schedule, backup.completed) {
            let last = ended.entry(schedule.as_str()).or_insert(at);
            *last = at.max(*last);
        }
    }
    ended
}

fn missed(
    good: &BTreeMap<&str, WallTime>,
    group: &GroupKey,
    schedules: &[(&str, &ScheduleFact)],
    now: WallTime,
) -> Option<Missed> {
    let last_good = schedules.iter().filter_map(|(name, _)| good.get(name)).max().copied();
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
