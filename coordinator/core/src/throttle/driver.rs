//! What do the EBS CSI driver's counters tell? The only place where mild throttling shows at once.
//!
//! Names and labels are those of driver v1.64.0 as seen. The families of throttles and errors are absent until their first event; the
//! histogram of durations is there from the start, so it proves that the endpoint is the right one, and its count that calls were made.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Level, Silence, Source};
use super::settings::RECENT_MS;
use super::signals::Reading;
use super::snapshot_error::{Reach, SnapshotError};
use crate::time::Mono;

/// A scrape that is older than this, ms, says nothing about now; and two that lie further apart say nothing about when it was in between.
pub const SCRAPE_OLD_MS: u64 = 90_000;
/// Endpoints that are followed: the controller runs two replicas, and a few more while it is rolled out.
pub const TARGETS_MAX: usize = 16;

/// What one endpoint counts, as far as it concerns CreateSnapshot. All of them grow from the process's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Throttled attempts.
    pub throttles: u64,
    /// Errors by code.
    pub errors: BTreeMap<String, u64>,
    /// Calls that succeeded, where the endpoint says.
    pub calls: Option<u64>,
}

#[derive(Clone, Debug)]
struct Target {
    last: Option<(Mono, Counters)>,
    failure: Option<String>,
}

/// All endpoints.
#[derive(Clone, Debug, Default)]
pub struct Driver {
    on: bool,
    targets: BTreeMap<String, Target>,
    /// Why there is no endpoint to scrape.
    nowhere: Option<String>,
    heard_at: Option<Mono>,
    throttled: Option<(Mono, Evidence)>,
    called: Option<(Mono, u64)>,
}

impl Driver {
    /// Whether anybody scrapes.
    pub fn set_on(&mut self, on: bool) {
        self.on = on;
    }

    /// An endpoint was scraped.
    pub fn scraped(&mut self, target: &str, counters: &Counters, now: Mono) {
        self.heard_at = Some(now);
        self.nowhere = None;
        let Some(known) = self.known(target) else { return };
        let before = known.last.replace((now, counters.clone()));
        known.failure = None;
        // The first scrape, and one after a long silence, are only where counting begins.
        let Some((then, before)) = before.filter(|(then, _)| now.ms_since(*then) <= SCRAPE_OLD_MS) else { return };
        if then == now {
            return;
        }
        // A counter that fell belongs to a process that began anew: all it says happened since.
        let grown = |before: u64, after: u64| after.checked_sub(before).unwrap_or(after);
        let throttles = grown(before.throttles, counters.throttles);
        let of_account = counters.errors.iter().filter_map(|(code, after)| {
            let error = SnapshotError::of_code(code);
            let count = grown(before.errors.get(code).copied().unwrap_or(0), *after);
            (error.reach() == Reach::Account && count > 0).then_some(Evidence::DriverErrors { error, count })
        });
        let error = of_account.max_by_key(|evidence| match evidence {
            Evidence::DriverErrors { count, .. } => *count,
            _ => 0,
        });
        let calls_throttled = (throttles > 0).then_some(Evidence::DriverThrottles { count: throttles });
        if let Some(evidence) = calls_throttled.or(error) {
            self.throttled = Some((now, evidence));
        }
        let calls = counters.calls.map(|after| grown(before.calls.unwrap_or(0), after));
        if let Some(calls) = calls.filter(|calls| *calls > 0) {
            self.called = Some((now, calls));
        }
    }

    /// An endpoint could not be scraped.
    pub fn failed(&mut self, target: &str, why: String, now: Mono) {
        self.heard_at = Some(now);
        if let Some(known) = self.known(target) {
            known.failure = Some(why);
        }
    }

    /// The endpoints that there are now; others are forgotten. Without any, `why`.
    pub fn keep(&mut self, targets: &[String], why: Option<String>, now: Mono) {
        self.heard_at = Some(now);
        self.nowhere = why;
        self.targets.retain(|name, _| targets.contains(name));
    }

    fn known(&mut self, target: &str) -> Option<&mut Target> {
        if !self.targets.contains_key(target) && self.targets.len() >= TARGETS_MAX {
            return None;
        }
        Some(self.targets.entry(target.to_owned()).or_insert(Target { last: None, failure: None }))
    }

    /// What it says now.
    pub fn reading(&self, now: Mono) -> Reading {
        let (level, evidence, at) = self.judge(now);
        Reading { source: Source::Driver, level, evidence, at, heard_at: self.heard_at }
    }

    fn judge(&self, now: Mono) -> (Level, Evidence, Option<Mono>) {
        let recent = |at: &Mono| now.ms_since(*at) <= RECENT_MS;
        if !self.on {
            return (Level::Unknown, Evidence::Nothing(Silence::Off), None);
        }
        if let Some((at, evidence)) = self.throttled.as_ref().filter(|(at, _)| recent(at)) {
            return (Level::Throttled, evidence.clone(), Some(*at));
        }
        if let Some((at, count)) = self.called.as_ref().filter(|(at, _)| recent(at)) {
            return (Level::Calm, Evidence::DriverCalls { count: *count }, Some(*at));
        }
        (Level::Unknown, Evidence::Nothing(self.silence(now)), None)
    }

    fn silence(&self, now: Mono) -> Silence {
        let is_fresh =
            |target: &&Target| target.last.as_ref().is_some_and(|(at, _)| now.ms_since(*at) <= SCRAPE_OLD_MS);
        if self.targets.values().any(|target| target.failure.is_none() && is_fresh(&target)) {
            return Silence::Idle;
        }
        if let Some(why) = self.targets.values().find_map(|target| target.failure.clone()).or(self.nowhere.clone()) {
            return Silence::Unreadable(why);
        }
        if self.heard_at.is_none() { Silence::NotHeardYet } else { Silence::Old }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(throttles: u64, calls: u64) -> Counters {
        Counters { throttles, errors: BTreeMap::new(), calls: Some(calls) }
    }

    fn after(scrapes: &[(u64, Counters)], now_s: u64) -> (Level, Evidence) {
        let mut driver = Driver::default();
        driver.set_on(true);
        for (s, counters) in scrapes {
            driver.scraped("a", counters, Mono(s * 1_000));
        }
        let reading = driver.reading(Mono(now_s * 1_000));
        (reading.level, reading.evidence)
    }

    #[test]
    fn growth_counts_and_where_counting_begins_does_not() {
        assert_eq!(after(&[(0, counters(14, 5))], 1), (Level::Unknown, Evidence::Nothing(Silence::Idle)));
        assert_eq!(after(&[(0, counters(14, 5)), (15, counters(14, 5))], 16).0, Level::Unknown, "no call, no calm");
        assert_eq!(
            after(&[(0, counters(0, 5)), (15, counters(0, 9))], 16),
            (Level::Calm, Evidence::DriverCalls { count: 4 })
        );
        let throttled = Evidence::DriverThrottles { count: 1 };
        assert_eq!(after(&[(0, counters(0, 5)), (15, counters(1, 9))], 16), (Level::Throttled, throttled));
        assert_eq!(
            after(&[(0, counters(0, 5)), (15, counters(1, 9))], 50).0,
            Level::Unknown,
            "what was is not what is"
        );
    }

    #[test]
    fn a_driver_that_began_anew_starts_at_nothing() {
        let scrapes = [(0, counters(14, 50)), (15, counters(2, 1))];
        assert_eq!(after(&scrapes, 16), (Level::Throttled, Evidence::DriverThrottles { count: 2 }));
        assert_eq!(
            after(&[(0, counters(14, 50)), (15, counters(0, 3))], 16),
            (Level::Calm, Evidence::DriverCalls { count: 3 })
        );
    }

    #[test]
    fn growth_over_a_long_silence_is_not_of_now() {
        assert_eq!(after(&[(0, counters(0, 0)), (600, counters(9, 9))], 601).0, Level::Unknown);
        assert_eq!(after(&[(0, counters(0, 0))], 600).1, Evidence::Nothing(Silence::Old));
    }

    #[test]
    fn only_the_account_s_errors_count() {
        let errors = |code: &str, count| {
            let errors = BTreeMap::from([(code.to_owned(), count)]);
            [(0, counters(0, 0)), (15, Counters { errors, ..counters(0, 0) })]
        };
        assert_eq!(after(&errors("ConcurrentSnapshotLimitExceeded", 10), 16).0, Level::Unknown);
        let expected = Evidence::DriverErrors { error: SnapshotError::PendingSnapshotLimitExceeded, count: 6 };
        assert_eq!(after(&errors("PendingSnapshotLimitExceeded", 6), 16), (Level::Throttled, expected));
    }

    #[test]
    fn one_endpoint_that_works_is_enough_and_none_is_told() {
        let mut driver = Driver::default();
        assert_eq!(driver.reading(Mono(0)).evidence, Evidence::Nothing(Silence::Off));
        driver.set_on(true);
        assert_eq!(driver.reading(Mono(0)).evidence, Evidence::Nothing(Silence::NotHeardYet));
        driver.failed("a", "HTTP 404".to_owned(), Mono(0));
        assert_eq!(driver.reading(Mono(0)).evidence, Evidence::Nothing(Silence::Unreadable("HTTP 404".to_owned())));
        driver.scraped("b", &counters(0, 0), Mono(0));
        assert_eq!(driver.reading(Mono(1)).evidence, Evidence::Nothing(Silence::Idle));
        driver.keep(&[], Some("no pod".to_owned()), Mono(2));
        assert_eq!(driver.reading(Mono(2)).evidence, Evidence::Nothing(Silence::Unreadable("no pod".to_owned())));
    }

    #[test]
    fn endpoints_are_bounded() {
        let mut driver = Driver::default();
        for i in 0..100 {
            driver.scraped(&i.to_string(), &counters(0, 0), Mono(0));
        }
        assert_eq!(driver.targets.len(), TARGETS_MAX);
    }
}
