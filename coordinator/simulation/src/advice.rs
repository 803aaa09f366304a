//! What should `MAX_CONCURRENT_SNAPSHOTS` be set to, and why?

use coordinator_core::throttle::settings::LimiterSettings;
use serde::Serialize;

use crate::contender::Contender;
use crate::night::play;
use crate::outcome::Outcome;
use crate::scenario::Scenario;

/// Ceilings that are tried.
pub const LADDER: [u32; 9] = [1, 2, 5, 10, 20, 30, 50, 70, 100];
/// A night that is longer than the shortest by no more than this part is as good, %.
pub const AS_GOOD_PERCENT: u64 = 5;
/// More throttled calls than this of all are too many, per mille.
pub const THROTTLED_MAX_PER_MILLE: u64 = 10;

/// A ceiling and the nights with it: what is worst of them for misses, what is in the middle for the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The ceiling, volumes.
    pub max: u32,
    /// The median night's makespan, ms.
    pub makespan_ms: u64,
    /// The median night's throttled calls, per mille.
    pub throttled_per_mille: u64,
    /// The worst night's Backups that missed the window.
    pub missed_window: u32,
    /// The worst night's volumes that failed.
    pub failed_volumes: u32,
    /// The worst night's groups that went over budget.
    pub over_budget: u32,
    /// The median night's longest hold, ms.
    pub frozen_max_ms: u64,
}

/// Why a ceiling is recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// The smallest with which the night is as short as with any, and calls are not throttled.
    SmallestAsGood,
    /// Every ceiling leaves something undone or throttled; with this one it is the least.
    LeastBad,
}

/// What is recommended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// The ceiling, volumes.
    pub max: u32,
    /// Why.
    pub why: Why,
    /// Volumes of the largest group. One that exceeds the budget is released alone, which nobody should plan on.
    pub largest_group: u32,
    /// All that were tried, in the order of their ceilings.
    pub tried: Vec<Tried>,
}

/// Takes several nights with one ceiling together.
pub fn tried(max: u32, nights: &[Outcome]) -> Tried {
    let median = |of: fn(&Outcome) -> u64| {
        let mut all: Vec<u64> = nights.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or(0)
    };
    let worst = |of: fn(&Outcome) -> u32| nights.iter().map(of).max().unwrap_or(0);
    Tried {
        max,
        makespan_ms: median(|night| night.makespan_ms),
        throttled_per_mille: median(Outcome::throttled_per_mille),
        missed_window: worst(|night| night.missed_window),
        failed_volumes: worst(|night| night.failed_volumes),
        over_budget: worst(|night| night.over_budget),
        frozen_max_ms: median(|night| night.frozen_max_ms),
    }
}

/// Plays all nights with one ceiling, the limiter being what it is in the product.
pub fn try_ceiling(max: u32, limiter: LimiterSettings, nights: &[Scenario]) -> Tried {
    let contender = Contender::Ours(LimiterSettings { max, ..limiter });
    let outcomes: Vec<Outcome> = nights.iter().map(|night| play(night, contender)).collect();
    tried(max, &outcomes)
}

/// Chooses, for groups of at most so many volumes. None when nothing was tried.
///
/// First no volume may fail and no window be missed more than is unavoidable; then calls should not be throttled; then the night be
/// as short as any; and of those that are equal the smallest, because a ceiling is also what one hour of a wrong reading may cost.
pub fn advise(tried: Vec<Tried>, largest_group: u32) -> Option<Advice> {
    let undone = |of: &Tried| (of.failed_volumes, of.missed_window, of.over_budget);
    let least = tried.iter().map(undone).min()?;
    let done: Vec<&Tried> = tried.iter().filter(|of| undone(of) == least).collect();
    let is_calm = |of: &&Tried| of.throttled_per_mille <= THROTTLED_MAX_PER_MILLE;
    let calmest = done.iter().map(|of| of.throttled_per_mille).min()?;
    let calm: Vec<&Tried> = if done.iter().any(is_calm) {
        done.into_iter().filter(is_calm).collect()
    } else {
        done.into_iter().filter(|of| of.throttled_per_mille == calmest).collect()
    };
    let shortest = calm.iter().map(|of| of.makespan_ms).min()?;
    let as_good = shortest.saturating_add(shortest * AS_GOOD_PERCENT / 100);
    let as_good = || calm.iter().filter(|of| of.makespan_ms <= as_good).map(|of| of.max);
    let max = as_good().filter(|max| *max >= largest_group).min().or_else(|| as_good().min())?;
    let is_bad = least != (0, 0, 0) || calmest > THROTTLED_MAX_PER_MILLE;
    Some(Advice { max, why: if is_bad { Why::LeastBad } else { Why::SmallestAsGood }, largest_group, tried })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(max: u32, makespan_ms: u64, throttled_per_mille: u64, failed_volumes: u32) -> Tried {
        Tried {
            max,
            makespan_ms,
            throttled_per_mille,
            missed_window: 0,
            failed_volumes,
            over_budget: 0,
            frozen_max_ms: 0,
        }
    }

    #[test]
    fn the_smallest_that_is_as_good_wins_and_failures_weigh_most() {
        let check = |tried: &[Tried], expected: (u32, Why)| {
            let advice = advise(tried.to_vec(), 1).unwrap();
            assert_eq!((advice.max, advice.why), expected, "{tried:?}");
        };
        check(&[of(1, 900, 0, 0), of(5, 104, 0, 0), of(20, 100, 0, 0)], (5, Why::SmallestAsGood));
        check(&[of(5, 200, 0, 0), of(20, 100, 50, 0)], (5, Why::SmallestAsGood));
        check(&[of(5, 200, 0, 3), of(20, 100, 50, 0)], (20, Why::LeastBad));
        check(&[of(5, 100, 0, 3), of(20, 100, 0, 2)], (20, Why::LeastBad));
        assert_eq!(advise(Vec::new(), 1), None);
    }

    #[test]
    fn every_group_should_fit_into_it() {
        let equal: Vec<Tried> = [1, 10, 50, 100].map(|max| of(max, 100, 0, 0)).to_vec();
        for (largest, expected) in [(1, 1), (2, 10), (50, 50), (58, 100), (500, 1)] {
            assert_eq!(advise(equal.clone(), largest).unwrap().max, expected, "{largest}");
        }
        // Not at the price of being throttled.
        let throttled = vec![of(10, 100, 0, 0), of(50, 100, 200, 0)];
        assert_eq!(advise(throttled, 20).unwrap().max, 10);
    }
}
