//! How even a night is and how little of it moves, for clusters of every size.

mod nights;

use coordinator_core::schedule::demand::Demand;
use coordinator_core::schedule::live::LivePlan;
use coordinator_core::schedule::plan::{Feasibility, Peak, Plan};
use coordinator_core::schedule::planner::plan;
use coordinator_core::schedule_check::check;
use nights::{demands, live, moved, roomy};

/// The peak is at most so many thousandths of its lower bound.
fn within(peak: Peak, thousandths: u64) -> bool {
    peak.volumes * 1_000 <= peak.lower_bound * thousandths
}

fn even(plan: &Plan, thousandths: u64) {
    let load = &plan.load;
    let (starting, in_flight) = (load.starting_peak, load.in_flight_peak);
    assert!(within(starting, thousandths) && within(in_flight, thousandths), "{starting:?} {in_flight:?}");
    assert!(matches!(plan.feasibility, Feasibility::Fits { .. }), "{:?}", plan.feasibility);
}

/// A night is within 1 % of what no plan can undercut; when a twentieth of the groups comes or goes it stays so, and at most a fiftieth
/// of the others moves.
fn check_size(count: u32) {
    let all = demands(count, 1);
    let settings = roomy(&all);
    let fewer: Vec<Demand> =
        all.iter().enumerate().filter(|(n, _)| n % 20 != 7).map(|(_, demand)| demand.clone()).collect();

    let nothing = LivePlan::default();
    let first = plan(&all, &nothing, &settings);
    even(&first, 1_010);
    assert_eq!(check(&all, &nothing, &settings, &first), []);

    let shrunk = plan(&fewer, &live(&first), &settings);
    even(&shrunk, 1_010);
    assert!(moved(&shrunk) * 50 <= fewer.len(), "{} of {} moved", moved(&shrunk), fewer.len());

    let small = plan(&fewer, &nothing, &settings);
    let grown = plan(&all, &live(&small), &settings);
    even(&grown, 1_010);
    assert!(moved(&grown) * 50 <= fewer.len(), "{} of {} moved", moved(&grown), fewer.len());
    assert_eq!(check(&all, &live(&small), &settings, &grown), []);
}

#[test]
fn ten_groups() {
    check_size(10);
}

#[test]
fn three_hundred_groups() {
    check_size(300);
}

#[test]
fn five_thousand_groups() {
    check_size(5_000);
}

#[test]
fn a_hundred_thousand_groups() {
    check_size(100_000);
}
