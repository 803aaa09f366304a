//! Single nights whose plan can be told beforehand, and plans that were tampered with.

mod nights;

use std::num::NonZeroU8;

use coordinator_core::schedule::demand::{Demand, VolumeId, When};
use coordinator_core::schedule::finding::{FewerRunsReason, Finding};
use coordinator_core::schedule::live::LivePlan;
use coordinator_core::schedule::minute::Minute;
use coordinator_core::schedule::plan::{Feasibility, Fix, Plan, Reason, Shortage};
use coordinator_core::schedule::planner::plan;
use coordinator_core::schedule::settings::{PlanInput, PlanSettings};
use coordinator_core::schedule_check::{Violation, check};

fn group(name: &str, volumes: u32, in_flight_s: u32) -> Demand {
    let mut demand = nights::demands(1, 1).remove(0);
    demand.key = name.parse().unwrap();
    (demand.volumes, demand.volume_ids) = (volumes, Vec::new());
    demand.run.in_flight_s = in_flight_s;
    demand.run.occupies_s = in_flight_s.min(60);
    demand
}

fn set(change: impl FnOnce(&mut PlanInput)) -> PlanSettings {
    let mut input = PlanInput { budget: 100, concurrent_backups: 10, ..PlanInput::default() };
    change(&mut input);
    PlanSettings::new(&input).unwrap()
}

fn planned(demands: &[Demand], settings: &PlanSettings) -> Plan {
    let plan = plan(demands, &LivePlan::default(), settings);
    assert_eq!(check(demands, &LivePlan::default(), settings, &plan), [], "{plan:?}");
    plan
}

fn times(plan: &Plan, name: &str) -> Vec<String> {
    plan.slots[&name.parse().unwrap()].minutes().map(|minute| minute.to_string()).collect()
}

#[test]
fn few_groups_spread_over_the_window() {
    let demands = ["a/1", "b/1", "c/1", "d/1"].map(|name| group(name, 3, 60));
    let plan = planned(&demands, &set(|i| (i.window_start, i.window_hours) = (Minute::wrapping(-120), 8)));
    let all: Vec<String> = demands.iter().flat_map(|demand| times(&plan, &demand.key.to_string())).collect();
    assert_eq!(all, ["22:00", "02:00", "00:00", "04:00"]);
}

#[test]
fn wishes_are_granted() {
    let mut fixed = group("a/fixed", 3, 60);
    fixed.when = When::Fixed(["03:07", "15:30"].map(|t| t.parse().unwrap()).into());
    let mut often = group("a/often", 3, 60);
    often.when = When::Free { runs_per_day: NonZeroU8::new(3).unwrap() };
    let mut never = group("a/never", 3, 60);
    never.when = When::Skip;
    let (mut first, mut last) = (group("b/first", 3, 60), group("b/last", 3, 60));
    (first.priority, last.priority) = (5, -5);
    let plan = planned(&[fixed, often, never, first, last], &set(|i| i.window_hours = 12));

    assert_eq!(times(&plan, "a/fixed"), ["03:07", "15:30"]);
    let group = "a/fixed".parse().unwrap();
    assert_eq!(plan.findings, [Finding::FixedOutsideWindow { group, minute: "15:30".parse().unwrap() }]);
    let often: Vec<u16> = plan.slots[&"a/often".parse().unwrap()].minutes().map(Minute::get).collect();
    assert_eq!((often[1] - often[0], often[2] - often[1]), (240, 240), "{often:?}");
    assert!(plan.skipped.contains(&"a/never".parse().unwrap()) && plan.slots.len() == 4);
    assert_eq!((times(&plan, "b/first"), times(&plan, "b/last")), (vec!["00:00".into()], vec!["11:59".into()]));
    assert_eq!(plan.slots[&"b/last".parse().unwrap()].reason, Reason::ByPriority);
}

#[test]
fn a_group_heavier_than_the_budget_runs_alone() {
    let mut demands = vec![group("a/huge", 40, 1_800)];
    demands.extend((0..20).map(|n| group(&format!("n{n}/g"), 3, 300)));
    let plan = planned(&demands, &set(|i| (i.budget, i.window_hours) = (10, 2)));
    assert!(matches!(plan.feasibility, Feasibility::Fits { budget_spare: 0, .. }), "{:?}", plan.feasibility);
    assert_eq!(plan.load.in_flight.iter().filter(|volumes| **volumes >= 40).count(), 30);
    assert!(plan.load.in_flight.iter().all(|volumes| *volumes <= 10 || *volumes == 40));
}

/// 30 groups of 3 volumes for 20 minutes: 1,800 volume-minutes. An hour with a budget of 10 has 600.
#[test]
fn what_does_not_fit_says_how_much_and_what_helps() {
    let demands: Vec<Demand> = (0..30).map(|n| group(&format!("n{n}/g"), 3, 1_200)).collect();
    let plan = planned(&demands, &set(|i| (i.budget, i.window_hours) = (10, 1)));
    let Feasibility::Short { shortages, fixes } = &plan.feasibility else { panic!("{:?}", plan.feasibility) };
    assert!(matches!(shortages[..], [Shortage::Budget { peak: 30.., budget: 10, .. }]), "{shortages:?}");
    // 3 groups fit at once: 10 turns of 20 minutes.
    assert!(fixes.contains(&vec![Fix::WindowHours(4)]), "{fixes:?}");
    assert!(matches!(fixes[1][..], [Fix::Budget(30..=39)]), "{fixes:?}");
}

#[test]
fn one_backup_at_a_time_queues_and_says_until_when() {
    // Each holds Velero for a minute, and a minute more for the hand-over: 40 of them take 80 minutes of 60.
    let demands: Vec<Demand> = (0..40).map(|n| group(&format!("n{n}/g"), 1, 60)).collect();
    let plan = planned(&demands, &set(|i| (i.concurrent_backups, i.window_hours) = (1, 1)));
    let Feasibility::Short { shortages, fixes } = &plan.feasibility else { panic!("{:?}", plan.feasibility) };
    assert!(
        matches!(
            shortages[..],
            [
                Shortage::ConcurrentBackups { peak: 2, concurrent_backups: 1, longest_queue_s: Some(1_080..=1_380) },
                Shortage::Window { by_min: 18..=23, .. }
            ]
        ),
        "{shortages:?}"
    );
    assert_eq!(*fixes, [vec![Fix::WindowHours(2)], vec![Fix::ConcurrentBackups(2)]]);
}

#[test]
fn a_namespace_that_is_too_full_is_named() {
    let demands: Vec<Demand> = (0..10).map(|n| group(&format!("only/g{n}"), 1, 600)).collect();
    let demands: Vec<Demand> =
        demands.into_iter().map(|mut d| (d.run.occupies_s = 585, d).1).chain([group("other/g", 1, 60)]).collect();
    let plan = planned(&demands, &set(|i| i.window_hours = 1));
    let Feasibility::Short { shortages, fixes } = &plan.feasibility else { panic!("{:?}", plan.feasibility) };
    let only = "only".parse().unwrap();
    assert!(
        shortages.iter().any(|s| matches!(s, Shortage::Namespace { namespace, .. } if *namespace == only)),
        "{shortages:?}"
    );
    assert_eq!(*fixes, [vec![Fix::WindowHours(2)]]);
    assert_eq!(plan.findings, [Finding::NamespaceOverfull { namespace: only, needs_min: 100, window_min: 60 }]);
}

/// EBS takes one snapshot of a volume per 15 s: who shares one is never cut while the other's is pending or has just been.
#[test]
fn groups_that_share_a_volume_keep_its_fifteen_seconds() {
    let shared = VolumeId::parse("vol-0123456789abcdef0").unwrap();
    // As long as they can be and still fit: 59 min and the gap are an hour, and the window has three.
    let mut demands = ["a/1", "b/1", "c/1"].map(|name| group(name, 1, 58 * 60));
    for demand in &mut demands {
        demand.volume_ids = vec![shared];
    }
    let settings = set(|i| i.window_hours = 3);
    let plan = planned(&demands, &settings);
    let mut due: Vec<i64> = plan.slots.values().map(|slot| i64::from(slot.runs[0].due.get())).collect();
    due.sort_unstable();
    assert!(due.windows(2).all(|two| (two[1] - two[0]) * 60 >= 58 * 60 + 15), "{due:?}");

    // Fixed by their owners to the minute at which the other's has just ended: that is not 15 s.
    let mut close = ["a/1", "b/1"].map(|name| group(name, 1, 60));
    for (demand, at) in close.iter_mut().zip(["03:00", "03:01"]) {
        demand.volume_ids = vec![shared];
        demand.when = When::Fixed([at.parse().unwrap()].into());
    }
    let forced = coordinator_core::schedule::planner::plan(&close, &LivePlan::default(), &settings);
    let fits = Plan { feasibility: Feasibility::Fits { budget_spare: 0, concurrent_spare: 0 }, ..forced };
    let found = check(&close, &LivePlan::default(), &settings, &fits);
    assert!(found.iter().any(|v| matches!(v, Violation::SharedVolume { .. })), "{found:?}");
}

/// A run every two hours whose snapshots are pending for five: three of a volume at once, where EBS allows st1 and sc1 volumes one.
#[test]
fn a_volume_never_has_more_snapshots_pending_than_its_quota() {
    let mut often = group("a/often", 1, 5 * 3_600);
    often.when = When::Free { runs_per_day: NonZeroU8::new(12).unwrap() };
    let plan = planned(&[often.clone()], &set(|i| i.window_hours = 24));
    assert_eq!((plan.slots[&often.key].runs.len(), plan.findings.len()), (12, 0), "three of five: {:?}", plan.findings);

    often.pending_per_volume_max = NonZeroU8::MIN;
    let plan = planned(&[often.clone()], &set(|i| i.window_hours = 24));
    let fewer = Finding::FewerRuns {
        group: often.key.clone(),
        asked: 12,
        planned: 4,
        because: FewerRunsReason::PendingSnapshots,
    };
    assert_eq!((plan.slots[&often.key].runs.len(), plan.findings), (4, vec![fewer]));

    // What its owner fixed is honoured, and said.
    often.when = When::Fixed(["01:00", "03:00"].map(|at| at.parse().unwrap()).into());
    let plan = planned(&[often.clone()], &set(|i| i.window_hours = 24));
    assert_eq!(plan.findings, [Finding::FixedTooClose { group: often.key, pending: 2, most: 1 }]);
}

type Tamper<'t> = &'t dyn Fn(&mut Plan);

/// Whatever is changed in a sound plan, the checker sees it.
#[test]
fn the_checker_sees_what_was_tampered_with() {
    let mut demands = nights::demands(60, 3);
    demands[7].when = When::Fixed(["05:00".parse().unwrap()].into());
    let settings = set(|i| (i.budget, i.window_hours) = (300, 12));
    let nothing = LivePlan::default();
    let sound = planned(&demands, &settings);
    let key = demands[0].key.clone();
    let tampered: [(&str, Tamper); 14] = [
        ("a slot is missing", &|p| drop(p.slots.remove(&key))),
        ("a slot nobody asked for", &|p| drop(p.slots.insert("x/y".parse().unwrap(), p.slots[&key].clone()))),
        ("a run is missing", &|p| p.slots.get_mut(&key).unwrap().runs.clear()),
        ("a run twice", &|p| p.slots.get_mut(&key).unwrap().runs.push(sound.slots[&key].runs[0])),
        ("another minute", &|p| p.slots.get_mut(&key).unwrap().runs[0].due = Minute::wrapping(601)),
        ("outside the window", &|p| p.slots.get_mut(&key).unwrap().runs[0].due = Minute::wrapping(1_000)),
        ("another fixed time", &|p| p.slots.get_mut(&demands[7].key).unwrap().runs[0].due = Minute::wrapping(301)),
        ("a promise", &|p| p.slots.get_mut(&key).unwrap().runs[0].queued_s = 60),
        ("kept what was not there", &|p| p.slots.get_mut(&key).unwrap().reason = Reason::Kept),
        ("the load it was planned with", &|p| p.slots.get_mut(&key).unwrap().planned.volumes += 1),
        ("skipped", &|p| p.skipped.extend([key.clone()])),
        ("gone", &|p| p.gone.extend(["x/y".parse().unwrap()])),
        ("a load", &|p| p.load.in_flight[3] += 1),
        ("what is spare", &|p| p.feasibility = Feasibility::Fits { budget_spare: 0, concurrent_spare: 0 }),
    ];
    for (what, tamper) in tampered {
        let mut plan = sound.clone();
        tamper(&mut plan);
        assert_ne!(check(&demands, &nothing, &settings, &plan), [], "{what}");
    }
}

/// All at one minute, with the figures of a sound plan.
#[test]
fn the_checker_sees_each_limit_that_is_broken() {
    let demands = ["a/1", "a/2", "b/1"].map(|name| group(name, 60, 600));
    let settings = set(|i| i.concurrent_backups = 2);
    let mut plan = planned(&demands, &settings);
    for slot in plan.slots.values_mut() {
        slot.runs[0].due = Minute::MIDNIGHT;
    }
    let found = check(&demands, &LivePlan::default(), &settings, &plan);
    let has = |is: fn(&Violation) -> bool| found.iter().any(is);
    assert!(has(|v| matches!(v, Violation::OverBudget { volumes: 180, .. })), "{found:?}");
    assert!(has(|v| matches!(v, Violation::VeleroBusy { backups: 3, .. })), "{found:?}");
    assert!(has(|v| matches!(v, Violation::NamespaceBusy { .. })), "{found:?}");
}
