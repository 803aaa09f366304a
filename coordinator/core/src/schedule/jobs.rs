//! A demand in the planner's own units: whole minutes, weights whose sums cannot overflow, domains as numbers.

use super::demand::{Demand, When};
use super::domains::{Domains, domains};
use super::finding::Finding;
use super::open_spans::OpenSpans;
use super::repeats::{RunShape, later_runs, pending_at_once};
use super::settings::{HANDOVER_SEVERAL_S, PlanSettings, RUN_MAX_S};
use super::sliding::DAY;

/// The most volumes that a group is planned with: as many as EBS keeps snapshots a Region by default.
const VOLUMES_MAX: u32 = 100_000;

/// The most that all runs of a day may weigh together, so that no sum over them overflows 32 bits.
const TOTAL_MAX: u32 = i32::MAX as u32;

/// What is to be placed. One a demand, in the order of their keys.
#[derive(Clone, Debug)]
pub(super) struct Job<'a> {
    pub demand: &'a Demand,
    /// Its volumes.
    pub weight: u32,
    /// Its part of the budget: one that is heavier than the whole budget fills it and so runs alone.
    pub clipped: u32,
    /// Minutes from start to expected end: 1 to 1,440.
    pub flight: usize,
    /// Minutes until the next Backup can take its place in Velero: 1 to 1,440.
    pub lane: usize,
    /// The number of its namespace: Velero's queue knows no more.
    pub namespace: usize,
    /// Which other jobs it may not overlap, and for how many minutes from its start.
    pub domain: usize,
    pub taken: usize,
    /// How long after its first run each later one begins, min.
    pub later: Vec<usize>,
    /// The first of its fixed times.
    pub fixed: Option<usize>,
}

impl Job<'_> {
    /// The minutes at which its runs start, when the first starts at `at`.
    pub(super) fn starts(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(at).chain(self.later.iter().map(move |offset| (at + offset) % DAY))
    }

    /// Runs a day.
    pub(super) fn runs(&self) -> u32 {
        u32::try_from(self.later.len() + 1).unwrap_or(u32::MAX)
    }

    /// Whether its first run may start at `at`.
    pub(super) fn may_start(&self, at: usize, spans: &OpenSpans) -> bool {
        match self.fixed {
            Some(fixed) => fixed == at,
            None => self.starts(at).all(|start| spans.allows(start, self.flight)),
        }
    }
}

/// The jobs of `demands`, which must be in the order of their keys, each key once, and none to be skipped.
pub(super) fn jobs<'a>(
    demands: &[&'a Demand],
    settings: &PlanSettings,
    spans: &OpenSpans,
    findings: &mut Vec<Finding>,
) -> (Vec<Job<'a>>, usize) {
    let domains = domains(demands, findings);
    let window_hours = if spans.open_min() as usize == DAY { 24 } else { settings.window_min() as usize / 60 };
    let mut jobs: Vec<Job<'a>> = demands
        .iter()
        .enumerate()
        .map(|(n, demand)| job(n, demand, &domains, settings, window_hours, spans, findings))
        .collect();
    let runs: u32 = jobs.iter().map(Job::runs).sum();
    let weight_max = VOLUMES_MAX.min(TOTAL_MAX / runs.max(1)).max(1);
    for job in &mut jobs {
        let (group, volumes, budget) = (&job.demand.key, job.demand.volumes, settings.budget());
        job.weight = volumes.min(weight_max);
        job.clipped = job.weight.min(budget);
        if job.weight < volumes {
            findings.push(Finding::VolumesClamped { group: group.clone(), volumes, planned: job.weight });
        }
        if volumes > budget {
            findings.push(Finding::HeavierThanBudget { group: group.clone(), volumes, budget });
        }
    }
    (jobs, domains.count)
}

fn job<'a>(
    n: usize,
    demand: &'a Demand,
    domains: &Domains,
    settings: &PlanSettings,
    window_hours: usize,
    spans: &OpenSpans,
    findings: &mut Vec<Finding>,
) -> Job<'a> {
    let in_flight_s = demand.run.in_flight_s.clamp(1, RUN_MAX_S);
    let flight = minutes(in_flight_s);
    let lane = minutes(demand.run.occupies_s.min(in_flight_s) + settings.handover_s());
    // Of a shared volume nothing else may even be pending, and EBS wants 15 s between two snapshots.
    let taken = if domains.sharing.contains(&n) { lane.max(minutes(in_flight_s + HANDOVER_SEVERAL_S)) } else { lane };
    let group = &demand.key;
    if flight > spans.longest() {
        findings.push(Finding::LongerThanWindow {
            group: group.clone(),
            needs_min: u32::try_from(flight).unwrap_or(u32::MAX),
            longest_min: u32::try_from(spans.longest()).unwrap_or(u32::MAX),
        });
    }
    let shape = RunShape { flight, taken, pending_max: demand.pending_per_volume_max.get().into() };
    let (fixed, later) = match &demand.when {
        When::Fixed(times) if !times.is_empty() => fixed_times(demand, shape, spans, findings),
        When::Free { runs_per_day } => {
            let asked = runs_per_day.get();
            let (later, because) = later_runs(asked, shape, window_hours, spans);
            if let Some(because) = because {
                let planned = u8::try_from(later.len() + 1).unwrap_or(asked);
                findings.push(Finding::FewerRuns { group: group.clone(), asked, planned, because });
            }
            (None, later)
        }
        When::Fixed(_) | When::Skip => (None, Vec::new()),
    };
    Job {
        demand,
        weight: 0,
        clipped: 0,
        flight,
        lane,
        namespace: domains.namespaces[n],
        domain: domains.of[n],
        taken,
        later,
        fixed,
    }
}

fn fixed_times(
    demand: &Demand,
    shape: RunShape,
    spans: &OpenSpans,
    findings: &mut Vec<Finding>,
) -> (Option<usize>, Vec<usize>) {
    let When::Fixed(times) = &demand.when else { return (None, Vec::new()) };
    let outside = times.iter().filter(|time| !spans.allows(time.index(), shape.flight));
    findings.extend(outside.map(|time| Finding::FixedOutsideWindow { group: demand.key.clone(), minute: *time }));
    let first = times.first().map(|time| time.index());
    let later: Vec<usize> = times.iter().skip(1).map(|time| time.index() - first.unwrap_or(0)).collect();
    let pending = pending_at_once(&later, shape.flight);
    if pending > shape.pending_max {
        findings.push(Finding::FixedTooClose {
            group: demand.key.clone(),
            pending: u32::try_from(pending).unwrap_or(u32::MAX),
            most: demand.pending_per_volume_max.get(),
        });
    }
    (first, later)
}

/// Whole minutes, 1 to 1,440.
fn minutes(seconds: u32) -> usize {
    usize::try_from(seconds.div_ceil(60)).unwrap_or(DAY).clamp(1, DAY)
}
