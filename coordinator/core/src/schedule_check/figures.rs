//! Do the figures that a plan shows follow from its slots?

use std::collections::BTreeSet;

use super::runs::{PlannedRun, by_minute, minutes_of};
use super::velero::waits_s;
use super::violation::{Figure, Violation};
use crate::schedule::minute::MINUTES_PER_DAY;
use crate::schedule::plan::{Feasibility, Peak, Plan, QUEUE_NEVER_S, Shortage};
use crate::schedule::settings::PlanSettings;

/// The load profile and its peaks.
pub(super) fn load(runs: &[PlannedRun], plan: &Plan) -> Vec<Violation> {
    let real = |run: &PlannedRun| u64::from(run.demand.volumes);
    let load = &plan.load;
    let starting = by_minute(runs, |_| 1, real);
    let in_flight = by_minute(runs, PlannedRun::flight_min, real);
    let running = by_minute(runs, PlannedRun::held_min, |_| 1);
    let mut wrong = Vec::new();
    let mut must = |holds: bool, figure| {
        if !holds {
            wrong.push(Violation::Figures(figure));
        }
    };
    must(is_peak(load.starting_peak, runs, &starting, |_| 1), Figure::Peak);
    must(is_peak(load.in_flight_peak, runs, &in_flight, PlannedRun::flight_min), Figure::Peak);
    must(load.starting == starting, Figure::Starting);
    must(load.in_flight == in_flight, Figure::InFlight);
    must(load.running.iter().map(|n| u64::from(*n)).eq(running), Figure::Running);
    wrong
}

/// The peak is the highest minute; its bound lies between what no plan can undercut and the peak.
fn is_peak<'a>(
    peak: Peak,
    runs: &[PlannedRun<'a>],
    loads: &[u64],
    length_min: impl Fn(&PlannedRun<'a>) -> u32,
) -> bool {
    let heaviest = runs.iter().map(|run| u64::from(run.demand.volumes)).max().unwrap_or(0);
    let area: u64 = runs.iter().map(|run| u64::from(run.demand.volumes) * u64::from(length_min(run))).sum();
    let certain = heaviest.max(area.div_ceil(MINUTES_PER_DAY.into()));
    loads.iter().max() == Some(&peak.volumes) && (certain..=peak.volumes).contains(&peak.lower_bound)
}

/// What is spare, or short, and when each run is promised to begin.
pub(super) fn feasibility(runs: &[PlannedRun], settings: &PlanSettings, plan: &Plan) -> Vec<Violation> {
    let budget = u64::from(settings.budget());
    let places = settings.concurrent_backups();
    let counted = by_minute(runs, PlannedRun::flight_min, |run| run.volumes.min(budget));
    let backups = by_minute(runs, PlannedRun::held_min, |_| 1);
    let highest = |loads: &[u64]| loads.iter().copied().max().unwrap_or(0);
    let (volumes, busiest) = (highest(&counted), u32::try_from(highest(&backups)).unwrap_or(u32::MAX));
    let mut wrong = Vec::new();
    let mut must = |holds: bool, figure| {
        if !holds {
            wrong.push(Violation::Figures(figure));
        }
    };
    let waits = match &plan.feasibility {
        Feasibility::Fits { budget_spare, concurrent_spare } => {
            must(volumes + u64::from(*budget_spare) == budget, Figure::Spare);
            must(busiest + concurrent_spare == places, Figure::Spare);
            // `limits` finds what would queue in a plan that fits; playing it through is for those that do not.
            vec![0; runs.len()]
        }
        Feasibility::Short { shortages, .. } => {
            let waits = waits_s(runs, places);
            must(!shortages.is_empty(), Figure::NothingShort);
            let over = counted.iter().filter(|load| **load > budget).count();
            must(said_of_budget(shortages) == (over > 0).then_some((volumes, over)), Figure::BudgetShortage);
            let longest = waits.iter().copied().max().filter(|wait| *wait != QUEUE_NEVER_S);
            let said = shortages.iter().find_map(|shortage| match shortage {
                Shortage::ConcurrentBackups { peak, longest_queue_s, .. } => Some((*peak, *longest_queue_s)),
                _ => None,
            });
            must(said == (busiest > places).then_some((busiest, longest)), Figure::BackupsShortage);
            must(namespaces_are_said(runs, shortages), Figure::NamespaceShortage);
            must(said_of_window(shortages) == past_window(runs, &waits, settings), Figure::WindowShortage);
            waits
        }
    };
    wrong.extend(runs.iter().zip(waits).filter(|(run, wait)| run.run.queued_s != *wait).map(|(run, queue_s)| {
        Violation::Promise { group: run.group().clone(), due: run.run.due, promised_s: run.run.queued_s, queue_s }
    }));
    wrong
}

fn said_of_budget(shortages: &[Shortage]) -> Option<(u64, usize)> {
    shortages.iter().find_map(|shortage| match shortage {
        Shortage::Budget { peak, minutes_over, .. } => Some((*peak, *minutes_over as usize)),
        _ => None,
    })
}

/// Every namespace whose own runs overlap is named. (More may be: namespaces that share a volume are planned as one.)
fn namespaces_are_said(runs: &[PlannedRun], shortages: &[Shortage]) -> bool {
    let said: BTreeSet<_> = shortages
        .iter()
        .filter_map(|shortage| match shortage {
            Shortage::Namespace { namespace, overlap_min } if *overlap_min > 0 => Some(namespace),
            _ => None,
        })
        .collect();
    let shares = |runs: &[PlannedRun]| runs.iter().any(|run| !run.demand.volume_ids.is_empty());
    runs.chunk_by(|a, b| a.namespace() == b.namespace()).all(|of_namespace| {
        let crowded = by_minute(of_namespace, PlannedRun::held_min, |_| 1).into_iter().any(|backups| backups > 1);
        let named = said.contains(of_namespace[0].namespace());
        named == crowded || shares(of_namespace)
    })
}

fn said_of_window(shortages: &[Shortage]) -> Option<(u32, u32)> {
    shortages.iter().find_map(|shortage| match shortage {
        Shortage::Window { runs, by_min } => Some((*runs, *by_min)),
        _ => None,
    })
}

/// How many runs whose time was free go on past the open minutes that they start in, and for how long the worst does, min.
fn past_window(runs: &[PlannedRun], waits: &[u32], settings: &PlanSettings) -> Option<(u32, u32)> {
    let day = u32::from(MINUTES_PER_DAY);
    if settings.open_min() == day {
        return None;
    }
    let past: Vec<u32> = runs
        .iter()
        .zip(waits)
        .filter(|(run, _)| !run.is_fixed())
        .map(|(run, wait_s)| {
            let ends_after = (wait_s / 60).min(day) + run.flight_min();
            let open = minutes_of(run.run.due, day).take_while(|minute| settings.is_open(*minute)).count();
            ends_after.saturating_sub(u32::try_from(open).unwrap_or(day))
        })
        .filter(|past| *past > 0)
        .collect();
    let worst = past.iter().copied().max()?;
    Some((u32::try_from(past.len()).unwrap_or(u32::MAX), worst))
}
