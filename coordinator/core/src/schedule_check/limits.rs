//! What no plan may break: open minutes and pending snapshots always; budget, Velero's places, namespaces and shared volumes when it
//! says that it fits.

use std::collections::{BTreeMap, BTreeSet};

use super::runs::{DAY_S, PlannedRun, by_minute, minutes_of};
use super::violation::Violation;
use crate::schedule::demand::VolumeId;
use crate::schedule::finding::Finding;
use crate::schedule::minute::Minute;
use crate::schedule::plan::Plan;
use crate::schedule::settings::PlanSettings;

/// EBS takes one snapshot of a volume per 15 s (error `SnapshotCreationPerVolumeRateExceeded`).
const BETWEEN_CUTS_S: u32 = 15;

/// Runs outside open minutes, and volumes with too many pending snapshots, that no finding speaks of.
pub(super) fn always(runs: &[PlannedRun], settings: &PlanSettings, plan: &Plan) -> Vec<Violation> {
    let longest = longest_stretch_min(settings);
    let all_open = settings.open_min() == DAY_S / 60;
    let mut wrong = Vec::new();
    for run in runs.iter().filter(|run| !all_open && !run.is_fixed()) {
        // What is longer than every stretch must start at the beginning of a longest one.
        let needed = run.flight_min().min(longest);
        if !minutes_of(run.run.due, needed).all(|minute| settings.is_open(minute)) {
            wrong.push(Violation::OutsideWindow { group: run.group().clone(), due: run.run.due });
        }
    }
    let said = |finding: &Finding, run: &PlannedRun| matches!(finding, Finding::FixedTooClose { group, .. } if group == run.group());
    for of_group in runs.chunk_by(|a, b| a.group() == b.group()).filter(|runs| runs.len() > 1) {
        let first = &of_group[0];
        let most = by_minute(of_group, PlannedRun::flight_min, |_| 1).into_iter().max().unwrap_or(0);
        let excused = plan.findings.iter().any(|finding| said(finding, first));
        if most > u64::from(first.demand.pending_per_volume_max.get()) && !excused {
            wrong.push(Violation::Pending { group: first.group().clone() });
        }
    }
    wrong
}

fn longest_stretch_min(settings: &PlanSettings) -> u32 {
    let open = settings.open();
    let (mut longest, mut now) = (0u32, 0u32);
    for is_open in open.iter().chain(open) {
        now = if *is_open { now + 1 } else { 0 };
        longest = longest.max(now);
    }
    longest.min(DAY_S / 60)
}

/// What a plan that fits must keep.
pub(super) fn when_it_fits(runs: &[PlannedRun], settings: &PlanSettings) -> Vec<Violation> {
    let mut wrong = Vec::new();
    let volumes = by_minute(runs, PlannedRun::flight_min, |run| run.volumes);
    let groups = by_minute(runs, PlannedRun::flight_min, |run| u64::from(run.volumes > 0));
    let backups = by_minute(runs, PlannedRun::held_min, |_| 1);
    for (minute, ((volumes, groups), backups)) in (0..).zip(volumes.into_iter().zip(groups).zip(backups)) {
        let minute = Minute::wrapping(minute);
        // A group that is heavier than the budget may be in flight alone.
        if volumes > u64::from(settings.budget()) && groups > 1 {
            wrong.push(Violation::OverBudget { minute, volumes });
        }
        if backups > u64::from(settings.concurrent_backups()) {
            let backups = u32::try_from(backups).unwrap_or(u32::MAX);
            wrong.push(Violation::VeleroBusy { minute, backups });
        }
    }
    // Runs are in the order of their groups' keys: those of one namespace stand together.
    for of_namespace in runs.chunk_by(|a, b| a.namespace() == b.namespace()) {
        let spans = of_namespace.iter().map(|run| (run.due_s(), run.held_s)).collect();
        if let Some((_, later)) = first_overlap(spans) {
            let minute = Minute::wrapping(i64::from(later / 60));
            wrong.push(Violation::NamespaceBusy { namespace: of_namespace[0].namespace().clone(), minute });
        }
    }
    wrong.extend(shared_volumes(runs));
    wrong
}

/// Two spans (start and length, s of the day, round the clock) of which the second starts before the first ends.
fn first_overlap(mut spans: Vec<(u32, u32)>) -> Option<(u32, u32)> {
    spans.sort_unstable();
    let next_day = spans.first().map(|(start, length)| (start + DAY_S, *length));
    let after = spans.iter().copied().skip(1).chain(next_day).collect::<Vec<_>>();
    // Each is at most a day long: an overlap with any later one is one with the next.
    let pair = spans.iter().zip(after).find(|((start, length), (next, _))| start + length > *next)?;
    (spans.len() > 1 || spans[0].1 > DAY_S).then_some((pair.0.0, pair.1.0 % DAY_S))
}

fn shared_volumes(runs: &[PlannedRun]) -> Vec<Violation> {
    let mut ids: Vec<VolumeId> = Vec::new();
    for of_group in runs.chunk_by(|a, b| a.group() == b.group()) {
        ids.extend(&of_group[0].demand.volume_ids);
    }
    ids.sort_unstable();
    let shared: BTreeSet<VolumeId> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    if shared.is_empty() {
        return Vec::new();
    }
    let mut users: BTreeMap<VolumeId, Vec<&PlannedRun>> = BTreeMap::new();
    for run in runs {
        let ids: BTreeSet<VolumeId> = run.demand.volume_ids.iter().copied().filter(|id| shared.contains(id)).collect();
        for id in ids {
            users.entry(id).or_default().push(run);
        }
    }
    let mut wrong = BTreeSet::new();
    for mut runs in users.into_values() {
        runs.sort_by_key(|run| run.due_s());
        for (n, run) in runs.iter().enumerate() {
            let next = runs[(n + 1) % runs.len()];
            let gap = (next.due_s() + DAY_S - run.due_s()) % DAY_S;
            if next.group() != run.group() && gap < run.in_flight_s + BETWEEN_CUTS_S {
                wrong.insert(Violation::SharedVolume { group: run.group().clone(), other: next.group().clone() });
            }
        }
    }
    wrong.into_iter().collect()
}
