use coordinator_core::throttle::settings::LimiterSettings;

use super::*;
use crate::ec2::{Limits, Load};
use crate::scenario::{Group, Way};

fn group(namespace: u32, due_min: u64, volumes: usize) -> Group {
    Group { namespace, due_ms: vec![due_min * 60_000], changed_mib: vec![1_000; volumes] }
}

fn night(groups: Vec<Group>, concurrent_backups: u32) -> Scenario {
    Scenario { groups, concurrent_backups, ..Scenario::empty(7) }
}

fn ours(max: u32) -> Contender {
    Contender::Ours(LimiterSettings::with_max(max))
}

#[test]
fn one_group_is_held_for_five_seconds_a_volume() {
    let outcome = play(&night(vec![group(0, 0, 3)], 1), ours(5));
    assert_eq!((outcome.cuts, outcome.calls, outcome.frozen_max_ms), (3, 3, 15_000), "{outcome:?}");
    let native = Scenario { way: Way::Native, ..night(vec![group(0, 0, 3)], 1) };
    assert_eq!(play(&native, ours(5)).frozen_max_ms, 210);
}

#[test]
fn the_same_seed_is_the_same_night() {
    let scenario = Scenario::herd(60, 20, 3);
    assert_eq!(play(&scenario, ours(50)), play(&scenario, ours(50)));
}

#[test]
fn one_namespace_runs_one_backup_at_a_time() {
    let same = play(&night(vec![group(0, 0, 4), group(0, 0, 4)], 9), ours(50));
    let apart = play(&night(vec![group(0, 0, 4), group(1, 0, 4)], 9), ours(50));
    assert!(same.makespan_ms >= apart.makespan_ms + 20_000, "{} {}", same.makespan_ms, apart.makespan_ms);
}

#[test]
fn the_budget_is_kept_and_whoever_waits_out_a_hook_goes_over_it() {
    let scenario = night((0..20).map(|n| group(n, 0, 2)).collect(), 20);
    let outcome = play(&scenario, Contender::Fixed(4));
    assert_eq!((outcome.cuts, outcome.over_budget, outcome.released_peak), (40, 0, 4));
    let impatient = Scenario { hook_deadline_ms: 10_000, ..scenario };
    let outcome = play(&impatient, Contender::Fixed(2));
    assert!(outcome.over_budget > 0 && outcome.cuts == 40, "{outcome:?}");
}

#[test]
fn a_starved_bucket_lowers_ours_and_leaves_the_omniscient_alone() {
    let neighbours = vec![Load { from_ms: 0, to_ms: 1_200_000, calls_per_s: 8.0 }];
    let scenario = Scenario { neighbours, ..Scenario::herd(120, 40, 5) };
    let (adaptive, omniscient) = (play(&scenario, ours(100)), play(&scenario, Contender::Omniscient));
    assert!(adaptive.throttled > 0 && adaptive.lowest_limit() < 100, "{:?}", adaptive.limits);
    assert_eq!((omniscient.throttled, omniscient.over_quota), (0, 0));
    assert_eq!(adaptive.cuts + adaptive.failed_volumes, omniscient.cuts);
}

#[test]
fn a_bucket_that_never_fills_fails_volumes_by_velero_s_timeout_and_still_ends() {
    let limits = Limits { burst: 0, refill_per_s: 0, ..Limits::default() };
    let scenario = Scenario { limits, ..night(vec![group(0, 0, 2)], 1) };
    let outcome = play(&scenario, ours(5));
    assert_eq!((outcome.cuts, outcome.failed_volumes, outcome.frozen_max_ms), (0, 2, 1_200_000));
}
