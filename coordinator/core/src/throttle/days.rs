//! How hot was the account lately? Days in which the limit was used, and the budget that the next plan should reckon with.
//!
//! A plan that moves with every bad night is worse than a night that takes longer. So it is lowered after several hot days in a row and
//! raised after more calm ones, and in between it stays (hysteresis): schedules do not flap.

use shared::limiter_lease::{DAYS_MAX, DayNote};

use crate::time::{Mono, Now};

/// So many used days in a row must be hot before the plan's budget is lowered.
pub const HOT_DAYS: usize = 3;
/// So many must have had all of it before it is raised: twice as many and one, so that a weekly rhythm does not become the plan's.
pub const CALM_DAYS: usize = 7;
/// A day says something once the limit was in use for so long, s: less than one Backup is none.
const USED_S_MIN: u32 = 60;
/// A day is hot when the limit's mean was below this part of the plan's budget, in percent.
const HOT_PERCENT: u64 = 75;
/// Two decisions further apart, ms, say nothing about the time between.
const BETWEEN_MS_MAX: u64 = 15_000;
const DAY_S: i64 = 86_400;

/// The days of this coordinator and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days {
    notes: Vec<DayNote>,
    last: Option<Mono>,
    /// Of the present day, what is not a whole second yet, ms.
    used_ms: u64,
    limit_ms: u64,
}

impl Days {
    /// Takes over what stands written.
    pub fn adopt(&mut self, notes: &[DayNote]) {
        notes.clone_into(&mut self.notes);
    }

    /// What stands to be written.
    pub fn notes(&self) -> &[DayNote] {
        &self.notes
    }

    /// Notes that `limit` is in force, and whether it is in use.
    pub fn note(&mut self, limit: u32, used: bool, now: Now) {
        let Some(last) = self.last.replace(now.mono) else { return };
        if !used {
            return;
        }
        let passed_ms = now.mono.ms_since(last).min(BETWEEN_MS_MAX);
        self.used_ms += passed_ms;
        self.limit_ms += passed_ms * u64::from(limit);
        if self.used_ms < 1_000 {
            return;
        }
        let used_s = self.used_ms / 1_000;
        let limit_s = self.limit_ms * used_s * 1_000 / self.used_ms / 1_000;
        (self.used_ms, self.limit_ms) = (self.used_ms - used_s * 1_000, self.limit_ms.saturating_sub(limit_s * 1_000));
        let day = day_of(now);
        if self.notes.last().is_none_or(|note| note.day < day) {
            if self.notes.len() >= DAYS_MAX {
                self.notes.remove(0);
            }
            self.notes.push(DayNote { day, used_s: 0, limit_s: 0 });
        }
        // A clock that went back adds to the last day rather than to a new one.
        if let Some(note) = self.notes.last_mut() {
            note.used_s = note.used_s.saturating_add(u32::try_from(used_s).unwrap_or(u32::MAX));
            note.limit_s = note.limit_s.saturating_add(limit_s);
        }
    }
}

/// Days since 1970-01-01, UTC.
pub fn day_of(now: Now) -> u32 {
    u32::try_from(now.wall.as_micros().div_euclid(1_000_000 * DAY_S)).unwrap_or(0)
}

/// What the next plan should reckon with instead of `current`, where the ceiling is `max`: whole days before `today` count.
///
/// Lowered to the mean of the last [`HOT_DAYS`] used days when each of them was hot; raised by a step (a fifth, at least one volume) when in
/// each of the last [`CALM_DAYS`] the limit was, in the mean, at least as high as that. `since` is the day on which it last changed: days
/// before it were of another plan and do not count.
pub fn planner_budget(days: &[DayNote], today: u32, max: u32, current: u32, since: u32) -> u32 {
    let current = current.clamp(1, max.max(1));
    let counts = |note: &&DayNote| note.day < today && note.day >= since && note.used_s >= USED_S_MIN;
    let used: Vec<&DayNote> = days.iter().filter(counts).collect();
    let mean = |note: &&DayNote| note.limit_s / u64::from(note.used_s.max(1));
    let last = |count: usize| used.len().checked_sub(count).map(|from| &used[from..]);
    if let Some(hot) = last(HOT_DAYS)
        && hot.iter().all(|note| mean(note) * 100 < u64::from(current) * HOT_PERCENT)
    {
        let sum: u64 = hot.iter().map(mean).sum();
        let mean = u32::try_from(sum / hot.len() as u64).unwrap_or(u32::MAX);
        return mean.clamp(1, current);
    }
    let next = current.saturating_add((current / 5).max(1)).min(max.max(1));
    // A tenth of slack: the minutes of a recovery are no reason.
    let had_it = |note: &&DayNote| mean(note) * 10 >= u64::from(next) * 9;
    match last(CALM_DAYS) {
        Some(calm) if next > current && calm.iter().all(had_it) => next,
        _ => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::time::WallTime;

    fn day(day: u32, limit: u64) -> DayNote {
        DayNote { day, used_s: 3_600, limit_s: limit * 3_600 }
    }

    fn days(limits: &[u64]) -> Vec<DayNote> {
        (100..).zip(limits).map(|(n, limit)| day(n, *limit)).collect()
    }

    #[test]
    fn seconds_of_use_are_added_up_by_day() {
        let mut days = Days::default();
        let at =
            |s: u64| Now { mono: Mono(s * 1_000), wall: WallTime::from_micros(i64::try_from(s).unwrap() * 1_000_000) };
        for s in 86_300..86_500 {
            days.note(if s < 86_350 { 4 } else { 2 }, s % 2 == 0, at(s));
        }
        let [first, second] = days.notes() else { panic!("two days: {days:?}") };
        assert_eq!((first.day, first.used_s, second.day, second.used_s), (0, 49, 1, 50));
        assert_eq!((first.limit_s, second.limit_s), (24 * 4 + 25 * 2, 100));
        // A process that slept says nothing about that time.
        days.note(2, true, at(100_000));
        assert_eq!(days.notes()[1].used_s, 65);
    }

    #[test]
    fn some_hot_days_lower_it_and_one_does_not() {
        assert_eq!(planner_budget(&days(&[5, 5, 2]), 103, 5, 5, 0), 5);
        assert_eq!(planner_budget(&days(&[2, 3, 2]), 103, 5, 5, 0), 2);
        assert_eq!(planner_budget(&days(&[2, 3, 2]), 102, 5, 5, 0), 5, "today is not over");
        assert_eq!(planner_budget(&days(&[2, 3, 2]), 103, 5, 5, 101), 5, "before the last change it was another plan");
        assert_eq!(planner_budget(&days(&[1, 1, 1]), 103, 5, 1, 0), 1);
        assert_eq!(planner_budget(&[], 103, 5, 5, 0), 5);
        assert_eq!(planner_budget(&[], 103, 3, 5, 0), 3, "the ceiling was lowered");
    }

    #[test]
    fn many_calm_days_raise_it_by_a_step() {
        assert_eq!(planner_budget(&days(&[10; 7]), 107, 10, 5, 0), 6);
        assert_eq!(planner_budget(&days(&[10; 6]), 106, 10, 5, 0), 5);
        assert_eq!(planner_budget(&days(&[10, 10, 10, 10, 10, 10, 4]), 107, 10, 5, 0), 5);
        assert_eq!(planner_budget(&days(&[40; 7]), 107, 40, 20, 0), 24);
        assert_eq!(planner_budget(&days(&[10; 7]), 107, 10, 10, 0), 10);
    }

    proptest! {
        /// No flapping: whatever the nights are like, it changes at most once in three days and rises at most once in seven.
        #[test]
        fn it_does_not_flap(limits in prop::collection::vec(1u64..=20, 0..120), max in 1u32..=20) {
            let notes = days(&limits.iter().map(|limit| (*limit).min(u64::from(max))).collect::<Vec<_>>());
            let (mut current, mut since) = (max, 0);
            for today in 100..100 + u32::try_from(limits.len()).unwrap() {
                let next = planner_budget(&notes, today, max, current, since);
                prop_assert!((1..=max).contains(&next));
                if next != current {
                    let days_min = if next > current { 7 } else { 3 };
                    prop_assert!(since == 0 || today - since >= days_min, "after {} days", today - since);
                    (current, since) = (next, today);
                }
            }
        }
    }
}
