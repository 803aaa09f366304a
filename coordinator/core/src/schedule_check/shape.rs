//! Does every group that asked have a slot of the form it asked for, and does the plan say truly what became of the live ones?

use std::collections::BTreeSet;

use super::violation::{Misstatement, Violation};
use crate::schedule::demand::{Demand, When};
use crate::schedule::finding::Finding;
use crate::schedule::live::{LivePlan, PlannedLoad};
use crate::schedule::minute::Minute;
use crate::schedule::plan::{Plan, Reason, Slot};
use crate::schedule::settings::PlanSettings;

/// `asked` are the demands in the order of their keys, each key once, those to be skipped included.
pub(super) fn shape(asked: &[&Demand], live: &LivePlan, settings: &PlanSettings, plan: &Plan) -> Vec<Violation> {
    let mut wrong = Vec::new();
    let mut slots = plan.slots.iter().peekable();
    let mut live_slots = live.slots.iter().peekable();
    let mark = settings.window_mark();
    for demand in asked {
        while let Some((group, _)) = slots.next_if(|(group, _)| **group < demand.key) {
            wrong.push(Violation::UnaskedSlot { group: group.clone() });
        }
        while live_slots.next_if(|(group, _)| **group < demand.key).is_some() {}
        let slot = slots.next_if(|(group, _)| **group == demand.key).map(|(_, slot)| slot);
        let was = live_slots.next_if(|(group, _)| **group == demand.key).map(|(_, slot)| slot);
        let skip = demand.when == When::Skip;
        let mut misstated = |what| wrong.push(Violation::Misstated { group: demand.key.clone(), what });
        if skip != plan.skipped.contains(&demand.key) {
            misstated(Misstatement::Skipped);
        }
        let Some(slot) = slot else {
            if !skip {
                wrong.push(Violation::NoSlot { group: demand.key.clone() });
            }
            continue;
        };
        let minutes: BTreeSet<Minute> = slot.minutes().collect();
        let left = was.map(|was| &was.minutes).filter(|was| **was != minutes);
        if left != slot.moved_from.as_ref() {
            misstated(Misstatement::MovedFrom);
        }
        if slot.reason == Reason::Kept && (was.is_none() || left.is_some()) {
            misstated(Misstatement::Kept);
        }
        if slot.planned != load(demand, settings, mark) {
            misstated(Misstatement::Planned);
        }
        if skip {
            wrong.push(Violation::UnaskedSlot { group: demand.key.clone() });
        }
        wrong.extend(runs(demand, slot, minutes.len(), plan));
    }
    wrong.extend(slots.map(|(group, _)| Violation::UnaskedSlot { group: group.clone() }));
    wrong.extend(gone(live, plan));
    wrong
}

fn load(demand: &Demand, settings: &PlanSettings, window_mark: u32) -> PlannedLoad {
    PlannedLoad {
        volumes: demand.volumes,
        in_flight_s: demand.run.in_flight_s,
        occupies_s: demand.run.occupies_s,
        utc_offset_min: settings.utc_offset_min(),
        window_mark,
        budget: settings.budget(),
        concurrent_backups: settings.concurrent_backups(),
    }
}

fn runs(demand: &Demand, slot: &Slot, distinct: usize, plan: &Plan) -> Option<Violation> {
    let group = || demand.key.clone();
    let planned = slot.runs.len();
    let asked = match &demand.when {
        When::Fixed(times) if !times.is_empty() => {
            let honoured = times.iter().copied().eq(slot.minutes());
            return (!honoured).then(|| Violation::FixedTimes { group: group() });
        }
        When::Free { runs_per_day } => usize::from(runs_per_day.get()),
        When::Fixed(_) | When::Skip => 1,
    };
    let said = |finding: &Finding| {
        matches!(finding, Finding::FewerRuns { group, planned: few, .. }
            if *group == demand.key && usize::from(*few) == planned && planned < asked)
    };
    if planned == 0 || planned != distinct || (planned != asked && !plan.findings.iter().any(said)) {
        return Some(Violation::Runs { group: group(), asked, planned });
    }
    let of_the_hour: BTreeSet<u16> = slot.minutes().map(Minute::minute_of_hour).collect();
    (of_the_hour.len() > 1).then(|| Violation::SeveralCrons { group: group() })
}

fn gone(live: &LivePlan, plan: &Plan) -> Vec<Violation> {
    let misstated = |group| Violation::Misstated { group, what: Misstatement::Gone };
    let unplanned = live.slots.keys().filter(|group| !plan.slots.contains_key(group));
    let unplanned: BTreeSet<_> = unplanned.collect();
    let said: BTreeSet<_> = plan.gone.iter().collect();
    unplanned.symmetric_difference(&said).map(|group| misstated((*group).clone())).collect()
}
