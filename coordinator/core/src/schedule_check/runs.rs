//! The runs that a plan's slots stand for, in seconds and minutes of the day.

use shared::identity::{GroupKey, Namespace};

use crate::schedule::demand::{Demand, When};
use crate::schedule::finding::Finding;
use crate::schedule::minute::{MINUTES_PER_DAY, Minute};
use crate::schedule::plan::{Plan, Run};
use crate::schedule::settings::{PlanSettings, RUN_MAX_S};

/// Seconds of a day.
pub(super) const DAY_S: u32 = MINUTES_PER_DAY as u32 * 60;

/// One run of one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedRun<'a> {
    pub demand: &'a Demand,
    pub run: Run,
    /// Volumes that it counts for in the budget.
    pub volumes: u64,
    /// From start to expected end, s: at most a day.
    pub in_flight_s: u32,
    /// Until the next Backup can have its place in Velero, s: at most a day.
    pub held_s: u32,
}

impl<'a> PlannedRun<'a> {
    pub(super) fn group(&self) -> &'a GroupKey {
        &self.demand.key
    }

    pub(super) fn namespace(&self) -> &'a Namespace {
        &self.demand.key.namespace
    }

    /// Whether its time was fixed by its owner.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(&self.demand.when, When::Fixed(times) if !times.is_empty())
    }

    /// Start, s of the day.
    pub(super) fn due_s(&self) -> u32 {
        u32::from(self.run.due.get()) * 60
    }

    pub(super) fn flight_min(&self) -> u32 {
        self.in_flight_s.div_ceil(60)
    }

    pub(super) fn held_min(&self) -> u32 {
        self.held_s.div_ceil(60)
    }
}

/// All runs, group by group in the order of their keys. `asked` are the demands in that order.
pub(super) fn planned<'a>(asked: &[&'a Demand], settings: &PlanSettings, plan: &'a Plan) -> Vec<PlannedRun<'a>> {
    let clamped: Vec<(&GroupKey, u32)> = plan
        .findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::VolumesClamped { group, planned, .. } => Some((group, *planned)),
            _ => None,
        })
        .collect();
    let mut demands = asked.iter().copied().peekable();
    let mut runs = Vec::new();
    for (group, slot) in &plan.slots {
        while demands.next_if(|demand| demand.key < *group).is_some() {}
        let Some(demand) = demands.next_if(|demand| demand.key == *group) else { continue };
        let volumes = clamped.iter().find(|(other, _)| *other == group).map_or(demand.volumes, |(_, most)| *most);
        let in_flight_s = demand.run.in_flight_s.clamp(1, RUN_MAX_S);
        let held_s = (demand.run.occupies_s.min(in_flight_s) + settings.handover_s()).min(DAY_S);
        runs.extend(slot.runs.iter().map(|run| PlannedRun {
            demand,
            run: *run,
            volumes: volumes.into(),
            in_flight_s,
            held_s,
        }));
    }
    runs
}

/// The load of each minute, when each run loads the minutes of its span with its height.
pub(super) fn by_minute<'a>(
    runs: &[PlannedRun<'a>],
    span_min: impl Fn(&PlannedRun<'a>) -> u32,
    height: impl Fn(&PlannedRun<'a>) -> u64,
) -> Vec<u64> {
    let day = usize::from(MINUTES_PER_DAY);
    // What rises and falls at each minute of two days; the second is folded back onto the first.
    let mut changes = vec![(0u64, 0u64); 2 * day + 1];
    for run in runs {
        let start = run.run.due.index();
        changes[start].0 += height(run);
        changes[start + span_min(run).min(u32::from(MINUTES_PER_DAY)) as usize].1 += height(run);
    }
    let mut now = 0u64;
    let mut loads = vec![0u64; day];
    for (minute, (up, down)) in changes.into_iter().take(2 * day).enumerate() {
        now = now + up - down;
        loads[minute % day] += now;
    }
    loads
}

/// The minutes of a span, from its start on.
pub(super) fn minutes_of(start: Minute, length_min: u32) -> impl Iterator<Item = Minute> {
    (0..length_min).map(move |offset| start.plus(offset))
}
