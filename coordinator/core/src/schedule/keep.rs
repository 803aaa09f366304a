//! Which jobs can stay where they are live, and how much has changed since their slots were chosen.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::GroupKey;

use super::live::{LivePlan, LiveSlot, PlannedLoad};
use super::minute::Minute;
use super::night::Night;

/// The live plan beside the jobs.
#[derive(Clone, Debug)]
pub(super) struct Kept<'l> {
    /// By job: its live slot.
    pub live: Vec<Option<&'l LiveSlot>>,
    /// By job: where it can stay.
    pub at: Vec<Option<usize>>,
    /// Jobs and live slots that are new, gone, of another weight or length, planned for other settings, or no longer possible.
    pub changes: usize,
    /// Live slots of groups that are not to be backed up (any more).
    pub gone: BTreeSet<GroupKey>,
    /// Whether the window itself was set anew.
    pub window_changed: bool,
}

/// What a job's slot is chosen for tonight.
pub(super) fn planned_load(night: &Night, n: usize) -> PlannedLoad {
    let demand = night.jobs[n].demand;
    PlannedLoad {
        volumes: demand.volumes,
        in_flight_s: demand.run.in_flight_s,
        occupies_s: demand.run.occupies_s,
        utc_offset_min: night.settings.utc_offset_min(),
        window_mark: night.window_mark,
        budget: night.settings.budget(),
        concurrent_backups: night.settings.concurrent_backups(),
    }
}

/// How far the clocks moved a slot: added to its live minutes it keeps its local time.
pub(super) fn clock_shift_min(slot: &LiveSlot, night: &Night) -> i32 {
    slot.planned.map_or(0, |planned| planned.utc_offset_min.saturating_sub(night.settings.utc_offset_min()))
}

pub(super) fn keep<'l>(night: &Night, live: &'l LivePlan) -> Kept<'l> {
    let mut slots: BTreeMap<&GroupKey, &LiveSlot> = live.slots.iter().collect();
    let mut kept = Kept { live: Vec::new(), at: Vec::new(), changes: 0, gone: BTreeSet::new(), window_changed: false };
    for (n, job) in night.jobs.iter().enumerate() {
        let slot = if slots.is_empty() { None } else { slots.remove(&job.demand.key) };
        let at = slot.and_then(|slot| place_of(night, n, slot));
        let now = planned_load(night, n);
        let same = slot.and_then(|slot| slot.planned).is_some_and(|was| {
            kept.window_changed |= was.window_mark != now.window_mark;
            PlannedLoad { utc_offset_min: now.utc_offset_min, ..was } == now
        });
        kept.changes += usize::from(at.is_none() || !same);
        kept.live.push(slot);
        kept.at.push(at);
    }
    kept.changes += slots.len();
    kept.gone = slots.into_keys().cloned().collect();
    kept
}

/// The start of the first run with which a job's runs are at its live minutes, if that is still allowed.
fn place_of(night: &Night, n: usize, slot: &LiveSlot) -> Option<usize> {
    let job = &night.jobs[n];
    let shift = i64::from(clock_shift_min(slot, night));
    let mut minutes: Vec<usize> =
        slot.minutes.iter().map(|m| Minute::wrapping(i64::from(m.get()) + shift).index()).collect();
    minutes.sort_unstable();
    let same = |at: usize| {
        let mut starts: Vec<usize> = job.starts(at).collect();
        starts.sort_unstable();
        starts == minutes
    };
    minutes.iter().copied().find(|at| job.may_start(*at, &night.spans) && same(*at))
}
