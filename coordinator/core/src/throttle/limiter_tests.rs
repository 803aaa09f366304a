//! Unit and property tests of [`super`], a closed loop with an account's real rules among them.

use super::*;
use proptest::prelude::*;

const FULL: Usage = Usage { volumes: u32::MAX, waited_for: true };

fn word(level: Level, at: u64) -> Assessment {
    let evidence = match level {
        Level::Throttled => Evidence::DriverThrottles { count: 1 },
        Level::Calm | Level::Unknown => Evidence::DriverCalls { count: 1 },
    };
    Assessment { level, source: Source::Driver, evidence, at: Some(Mono(at)) }
}

fn limiter(max: u32) -> Limiter {
    Limiter::new(LimiterSettings::with_max(max))
}

/// Looks once a second from `from` to `to`, s.
fn run(limiter: &mut Limiter, level: Level, usage: Usage, from: u64, to: u64) -> Vec<(u64, u32)> {
    let mut changes = Vec::new();
    for s in from..to {
        if let Some(change) = limiter.step(&word(level, s * 1_000), usage, Mono(s * 1_000)) {
            changes.push((s, change.to));
        }
    }
    changes
}

#[test]
fn it_halves_at_once_and_then_once_a_cool_down() {
    let mut limiter = limiter(10);
    assert_eq!(run(&mut limiter, Level::Throttled, FULL, 0, 200), [(0, 5), (60, 2), (120, 1)]);
}

#[test]
fn what_was_seen_within_the_cool_down_is_of_the_old_limit() {
    let mut limiter = limiter(8);
    assert!(limiter.step(&word(Level::Throttled, 0), FULL, Mono(0)).is_some());
    assert_eq!(limiter.step(&word(Level::Throttled, 59_999), FULL, Mono(100_000)), None);
    assert_eq!(limiter.step(&word(Level::Throttled, 60_000), FULL, Mono(100_001)).map(|c| c.to), Some(2));
}

#[test]
fn it_rises_by_a_step_a_calm_period_and_only_if_it_was_used_up() {
    let mut limiter = limiter(10);
    run(&mut limiter, Level::Throttled, FULL, 0, 1);
    assert_eq!(run(&mut limiter, Level::Calm, FULL, 1, 200), [(60, 7), (80, 9), (100, 10)]);
    run(&mut limiter, Level::Throttled, FULL, 200, 201);
    let idle = Usage { volumes: 4, waited_for: false };
    assert_eq!(run(&mut limiter, Level::Calm, idle, 201, 3_000), []);
    let waits = Usage { volumes: 4, waited_for: true };
    assert_eq!(run(&mut limiter, Level::Calm, waits, 3_000, 3_002), [(3_000, 7)]);
}

#[test]
fn unknown_holds_and_does_not_undo_calm() {
    let mut limiter = limiter(10);
    run(&mut limiter, Level::Throttled, FULL, 0, 1);
    assert_eq!(run(&mut limiter, Level::Unknown, FULL, 1, 100_000), []);
    let mut at = 100_000;
    let mut changes = Vec::new();
    for _ in 0..3 {
        changes.extend(run(&mut limiter, Level::Calm, FULL, at, at + 9));
        changes.extend(run(&mut limiter, Level::Unknown, FULL, at + 9, at + 100));
        at += 100;
    }
    assert_eq!(changes, [(100_204, 7)], "8 s of calm each time, 20 in all");
}

#[test]
fn two_looks_far_apart_prove_no_long_calm() {
    let mut limiter = limiter(10);
    run(&mut limiter, Level::Throttled, FULL, 0, 1);
    limiter.step(&word(Level::Calm, 0), FULL, Mono(100_000));
    assert_eq!(limiter.calm_ms, 0);
    limiter.step(&word(Level::Calm, 0), FULL, Mono(10_000_000));
    assert_eq!(limiter.limit(), 7, "one period's worth, whatever lay between");
}

#[test]
fn recovery_takes_less_than_five_minutes_whatever_the_ceiling() {
    for max in [1, 2, 3, 5, 10, 11, 50, 100, 999, 1_000] {
        let mut limiter = limiter(max);
        run(&mut limiter, Level::Throttled, FULL, 0, 700);
        assert_eq!(limiter.limit(), 1);
        // A step at most doubles the limit, so the first of a high ceiling are small.
        let periods = if max <= 100 { 11 } else { 15 };
        run(&mut limiter, Level::Calm, FULL, 720, 720 + 20 * periods + 1);
        assert_eq!(limiter.limit(), max);
    }
}

#[test]
fn a_written_limit_is_taken_over_within_bounds() {
    for (written, ceiling, max, expected) in [
        (3, 10, 10, 3),
        (10, 10, 10, 10),
        (5, 5, 50, 50), // nothing held it down: the new ceiling
        (3, 5, 50, 3),  // throttled: it rises step by step
        (8, 10, 4, 4),
        (4, 20, 3, 3),  // lowered, and the new ceiling is lower still
        (0, 10, 10, 1), // by hand
        (99, 10, 10, 10),
    ] {
        let mut limiter = limiter(max);
        let change = limiter.adopt(written, ceiling, Mono(5));
        assert_eq!(limiter.limit(), expected, "{written} of {ceiling}, {max} now");
        assert_eq!(change.is_some(), expected != max);
        // What was throttled before the restart is not halved for again at once.
        if written < ceiling {
            assert_eq!(limiter.step(&word(Level::Throttled, 6), FULL, Mono(6)), None);
        }
    }
}

#[test]
fn the_ceiling_may_change_while_running() {
    let mut limiter = limiter(10);
    assert_eq!(limiter.set_max(10), None);
    assert_eq!(limiter.set_max(20).map(|c| (c.from, c.to, c.why)), Some((10, 20, Why::Ceiling)));
    run(&mut limiter, Level::Throttled, FULL, 0, 1);
    assert_eq!(limiter.set_max(30), None, "throttled: it stays at 10");
    assert_eq!(limiter.set_max(4).map(|c| c.to), Some(4));
    assert_eq!(limiter.set_max(0).map(|c| c.to), Some(1));
}

/// An account with a bucket of calls, shared with a neighbour; each of `limit` slots makes a call, holds its place for `hold_s`, and makes
/// the next. Gives the limit, the calls and the refused ones of each second.
fn closed_loop(
    max: u32,
    refill: f64,
    hold_s: f64,
    neighbour: impl Fn(u64) -> f64,
    seconds: u64,
) -> Vec<(u32, f64, f64)> {
    let mut limiter = limiter(max);
    let mut tokens = refill * 5.0;
    let mut last_refused: Option<u64> = None;
    let mut seen = Vec::new();
    for s in 0..seconds {
        let calls = f64::from(limiter.limit()) / hold_s;
        let left = tokens + refill - neighbour(s) - calls;
        let refused = (-left).clamp(0.0, calls);
        tokens = left.clamp(0.0, refill * 20.0);
        if refused > 0.0 {
            last_refused = Some(s);
        }
        // The driver is scraped every 10 s.
        if s % 10 == 0 {
            let level = if last_refused.is_some_and(|at| s - at <= 10) { Level::Throttled } else { Level::Calm };
            limiter.step(
                &word(level, last_refused.filter(|_| level == Level::Throttled).unwrap_or(s) * 1_000),
                FULL,
                Mono(s * 1_000),
            );
        }
        seen.push((limiter.limit(), calls, refused));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is said, in whatever order: the bounds hold, unknown moves nothing, only calm raises and only throttling lowers,
    /// by half at most once a cool-down.
    #[test]
    fn each_move_has_its_cause(
        max in 1u32..1_000,
        looks in prop::collection::vec((0usize..3, 0u64..40_000, 0u64..120_000, any::<bool>(), 0u32..2_000), 0..300),
    ) {
        let mut limiter = limiter(max);
        let (mut now, mut lowered): (u64, Option<u64>) = (0, None);
        for (level, passed, ago, waited_for, volumes) in looks {
            now += passed;
            let level = [Level::Calm, Level::Throttled, Level::Unknown][level];
            let before = limiter.limit();
            let change = limiter.step(&word(level, now.saturating_sub(ago)), Usage { volumes, waited_for }, Mono(now));
            let after = limiter.limit();
            prop_assert!((1..=max).contains(&after));
            prop_assert_eq!(change.map(|c| (c.from, c.to)), (before != after).then_some((before, after)));
            match level {
                Level::Unknown => prop_assert_eq!(before, after),
                Level::Calm => prop_assert!(after >= before && after <= before + limiter.settings().step()),
                Level::Throttled => {
                    prop_assert!(after == before || after == (before / 2).max(1));
                    if after < before {
                        prop_assert!(lowered.is_none_or(|at| now - at >= 60_000));
                        lowered = Some(now);
                    }
                }
            }
        }
    }

    /// The same words at the same moments give the same limits, however often they are repeated in between.
    #[test]
    fn looking_more_often_at_one_moment_changes_nothing(levels in prop::collection::vec(0usize..3, 1..80), times in 1usize..4) {
        let mut once = limiter(20);
        let mut often = limiter(20);
        for (i, level) in levels.iter().enumerate() {
            let (level, at) = ([Level::Calm, Level::Throttled, Level::Unknown][*level], i as u64 * 10_000);
            once.step(&word(level, at), FULL, Mono(at));
            for _ in 0..times {
                often.step(&word(level, at), FULL, Mono(at));
            }
            prop_assert_eq!(once.limit(), often.limit());
        }
    }

    /// Stability: under a constant load the limit settles around what EC2 allows. The bucket hides an excess until it is empty, so the limit
    /// rises past the goal by at most the steps that emptying takes (20 s' worth of refill, one step in 20 s), and a scrape.
    #[test]
    fn it_settles_around_what_ec2_allows(max in 2u32..60, allowed in 1u32..60, hold_s in 5u32..40) {
        let hold_s = f64::from(hold_s);
        let refill = (f64::from(allowed) + 0.5) / hold_s;
        let seen = closed_loop(max, refill, hold_s, |_| 0.0, 7_200);
        let goal = allowed.min(max);
        let step = f64::from(LimiterSettings::with_max(max).step().min(goal));
        let hidden = (2.0 * f64::from(goal) / step).sqrt();
        let highest = f64::from(goal) + step * (3.0 + hidden);
        let settled = &seen[3_600..];
        prop_assert!(settled.iter().all(|(limit, ..)| *limit >= (goal / 2).max(1)), "not below half of {goal}");
        prop_assert!(settled.iter().all(|(limit, ..)| f64::from(*limit) <= highest), "never above {highest}");
        let (calls, refused) = settled.iter().fold((0.0, 0.0), |sum, (_, calls, refused)| (sum.0 + calls, sum.1 + refused));
        prop_assert!(refused <= calls / 3.0, "{refused} of {calls} calls refused");
    }

    /// A neighbour's burst is forgotten within five minutes after it was last seen.
    #[test]
    fn it_recovers_from_a_neighbour_s_burst(max in 1u32..=100, burst_s in 60u64..1_200) {
        let seen = closed_loop(max, 1_000.0, 10.0, |s| if (100..100 + burst_s).contains(&s) { 1e9 } else { 0.0 }, 3_600);
        let end = usize::try_from(100 + burst_s).unwrap();
        prop_assert!(seen[100..].iter().any(|(limit, ..)| *limit < max.max(2)));
        // A scrape until the last refusal is no longer recent, the rest of a cool-down, thirteen calm periods.
        prop_assert_eq!(seen[end + 20 + 60 + 13 * 20].0, max);
    }
}
