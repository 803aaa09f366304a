//! The night around now: which one it is, when each run is due in it, and what became of it.

use std::collections::BTreeMap;

use coordinator_core::schedule::minute::{MINUTES_PER_DAY, Minute};
use shared::admission::RoundPhase;
use shared::identity::GroupKey;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::planned::{Planned, PlannedGroup, PlannedRun};
use super::seen::GroupSeen;

const DAY_MIN: u32 = MINUTES_PER_DAY as u32;
const MINUTE_MS: i64 = 60_000;

/// A round may begin so much before its run is due, ms, and still be of it: clocks differ, and cron has no seconds.
const EARLY_MS: i64 = 60_000;

/// A round that begins so long after its run was due is of another Backup, made by hand for instance, ms.
const LATE_MS: i64 = 6 * 3_600_000;

/// A run that should be over for this long, and of which nothing was heard, is not waited for any more, min.
const OVERDUE_MIN: i64 = 10;

/// Which night it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Its window is open now.
    Tonight,
    /// Its window closed lately.
    Last,
    /// Its window opens soon.
    Coming,
}

impl Which {
    /// As a heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Tonight => "Tonight",
            Self::Last => "Last night",
            Self::Coming => "The coming night",
        }
    }

    /// For machines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tonight => "tonight",
            Self::Last => "last",
            Self::Coming => "coming",
        }
    }
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is not due yet.
    Planned,
    /// Its round is over, and this is proven.
    Done(Verdict),
    /// Its time is over, and no receipt tells of it.
    NoReceipt,
    /// It is due, and its round has not begun, or it has no hooks.
    Due,
    /// Its round is open now.
    Running,
}

/// One run.
#[derive(Clone, Debug)]
pub struct NightRun<'a> {
    /// Its group, as planned.
    pub group: &'a PlannedGroup,
    /// When it is due.
    pub due_at: WallTime,
    /// Minutes from the night's beginning to when it is due.
    pub after_min: u32,
    /// How it was planned.
    pub run: PlannedRun,
    /// What became of it.
    pub outcome: Outcome,
}

impl NightRun<'_> {
    /// Minutes from the night's beginning to its expected end; to when it is due where it never comes to its turn.
    pub fn ends_min(&self) -> u32 {
        let seconds = self.run.queued_s.map_or(0, |queued| queued.saturating_add(self.run.takes_s));
        self.after_min.saturating_add(seconds.div_ceil(60)).max(self.after_min + 1)
    }
}

/// A night.
#[derive(Clone, Debug)]
pub struct Night<'a> {
    /// The plan that it is of.
    pub planned: &'a Planned,
    /// Which.
    pub which: Which,
    /// When its window opens.
    pub starts_at: WallTime,
    /// When its window closes.
    pub ends_at: WallTime,
    /// Minutes that are shown: the window, or the whole day where a run lies outside of it.
    pub minutes: u32,
    /// Minutes from its beginning to now; outside of what is shown when negative or beyond.
    pub now_min: i64,
    /// Its runs, by when they are due.
    pub runs: Vec<NightRun<'a>>,
}

/// One hour of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Its first minute, local.
    pub start: Minute,
    /// Runs that are due in it.
    pub runs: usize,
    /// The most volumes in flight in one of its minutes.
    pub in_flight_most: u64,
}

impl<'a> Night<'a> {
    /// The one around `now`.
    pub fn around(planned: &'a Planned, groups: &[GroupSeen], now: WallTime) -> Self {
        let (which, starts_at) = which(planned, now);
        let by_key: BTreeMap<GroupKey, &GroupSeen> = groups.iter().map(|seen| (key_of(seen), seen)).collect();
        let mut runs: Vec<NightRun<'a>> = planned
            .groups
            .iter()
            .flat_map(|group| runs(group, by_key.get(&group.key).copied(), planned, starts_at, now))
            .collect();
        runs.sort_by(|a, b| (a.after_min, &a.group.key).cmp(&(b.after_min, &b.group.key)));
        let last = runs.iter().map(NightRun::ends_min).max().unwrap_or(0);
        let minutes = if last <= planned.window_min { planned.window_min } else { DAY_MIN };
        Self {
            planned,
            which,
            starts_at,
            ends_at: starts_at.plus_ms(i64::from(planned.window_min) * MINUTE_MS),
            minutes: minutes.clamp(60, DAY_MIN),
            now_min: now.ms_since(starts_at).div_euclid(MINUTE_MS),
            runs,
        }
    }

    /// A minute after its beginning as a local time of day.
    pub fn local(&self, minute: u32) -> Minute {
        let utc = self.planned.window_start.plus(minute);
        Minute::wrapping(i64::from(utc.get()) + i64::from(self.planned.offset_min))
    }

    /// Volumes in flight in a minute after its beginning, as planned.
    pub fn in_flight(&self, minute: u32) -> u64 {
        self.planned.in_flight.get(self.planned.window_start.plus(minute).index()).copied().unwrap_or(0)
    }

    /// Whether anything may be in flight in a minute after its beginning.
    pub fn is_open(&self, minute: u32) -> bool {
        self.planned.open.get(self.planned.window_start.plus(minute).index()).copied().unwrap_or(true)
    }

    /// Hour by hour, as far as it is shown.
    pub fn hours(&self) -> Vec<Hour> {
        let hour = |first: u32| {
            let end = (first + 60).min(self.minutes);
            Hour {
                start: self.local(first),
                runs: self.runs.iter().filter(|run| (first..end).contains(&run.after_min)).count(),
                in_flight_most: (first..end).map(|minute| self.in_flight(minute)).max().unwrap_or(0),
            }
        };
        (0..self.minutes.div_ceil(60)).map(|number| hour(number * 60)).collect()
    }

    /// How many of its runs came to what, in the order of [`Outcome`].
    pub fn outcomes(&self) -> BTreeMap<Outcome, usize> {
        self.runs.iter().fold(BTreeMap::new(), |mut counts, run| {
            *counts.entry(run.outcome).or_default() += 1;
            counts
        })
    }
}

/// The open window's night; else the one that is nearer.
fn which(planned: &Planned, now: WallTime) -> (Which, WallTime) {
    let now_min = now.as_micros().div_euclid(60_000_000);
    let into = u32::from(planned.window_start.minutes_until(Minute::wrapping(now_min)));
    let at = |minute: i64| WallTime::from_micros(minute.saturating_mul(60_000_000));
    let last = at(now_min - i64::from(into));
    let closed_for = into.saturating_sub(planned.window_min);
    if into < planned.window_min {
        (Which::Tonight, last)
    } else if closed_for < DAY_MIN.saturating_sub(planned.window_min) / 2 {
        (Which::Last, last)
    } else {
        (Which::Coming, last.plus_ms(i64::from(DAY_MIN) * MINUTE_MS))
    }
}

fn runs<'a>(
    group: &'a PlannedGroup,
    seen: Option<&GroupSeen>,
    planned: &Planned,
    starts_at: WallTime,
    now: WallTime,
) -> Vec<NightRun<'a>> {
    let mut runs: Vec<NightRun<'a>> = group
        .runs
        .iter()
        .map(|run| {
            let after_min = u32::from(planned.window_start.minutes_until(run.due));
            let due_at = starts_at.plus_ms(i64::from(after_min) * MINUTE_MS);
            NightRun { group, due_at, after_min, run: *run, outcome: Outcome::Planned }
        })
        .collect();
    runs.sort_by_key(|run| run.after_min);
    let next: Vec<Option<WallTime>> =
        runs.iter().skip(1).map(|run| Some(run.due_at)).chain(std::iter::once(None)).collect();
    for (run, next) in runs.iter_mut().zip(next) {
        run.outcome = outcome(run, next, seen, now);
    }
    runs
}

fn outcome(run: &NightRun<'_>, next: Option<WallTime>, seen: Option<&GroupSeen>, now: WallTime) -> Outcome {
    let from = run.due_at.plus_ms(-EARLY_MS);
    let to = next.map_or(run.due_at.plus_ms(LATE_MS), |next| next.plus_ms(-EARLY_MS));
    let is_of_it = |opened_at: WallTime| (from..to).contains(&opened_at);
    if let Some(seen) = seen {
        let group = &seen.group;
        let open = group.phase.is_some_and(|phase| phase != RoundPhase::Closed);
        if open && group.opened_at.is_some_and(is_of_it) {
            return Outcome::Running;
        }
        if let Some(last) = group.last.as_ref().filter(|last| is_of_it(last.opened_at)) {
            return Outcome::Done(last.verdict);
        }
    }
    let over_at = run.due_at.plus_ms((i64::from(run.ends_min() - run.after_min) + OVERDUE_MIN) * MINUTE_MS);
    if now < run.due_at {
        Outcome::Planned
    } else if now < over_at {
        Outcome::Due
    } else {
        Outcome::NoReceipt
    }
}

/// When a group runs next, by the plan.
pub fn next_run(group: &PlannedGroup, now: WallTime) -> Option<WallTime> {
    let now_min = now.as_micros().div_euclid(60_000_000);
    let minute = Minute::wrapping(now_min);
    let wait = group.runs.iter().map(|run| match minute.minutes_until(run.due) {
        0 => MINUTES_PER_DAY,
        wait => wait,
    });
    wait.min().map(|wait| WallTime::from_micros((now_min + i64::from(wait)).saturating_mul(60_000_000)))
}

/// The group's key.
pub fn key_of(seen: &GroupSeen) -> GroupKey {
    GroupKey { namespace: seen.group.namespace.clone(), group: seen.group.group.clone() }
}

#[cfg(test)]
#[path = "night_tests.rs"]
mod tests;
