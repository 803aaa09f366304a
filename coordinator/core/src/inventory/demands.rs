//! What the inventory asks of the planner: one demand a group, the slots that stand, and what past runs taught.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;

use shared::identity::GroupKey;
use shared::names::MANAGED_BY_SCHEDULER;

use super::facts::Facts;
use super::{Group, Inventory};
use crate::schedule::cron;
use crate::schedule::demand::{Demand, PENDING_PER_VOLUME_DEFAULT, VolumeId, When};
use crate::schedule::learning::{FinishedRun, expected};
use crate::schedule::live::{LivePlan, LiveSlot};
use crate::schedule::minute::Minute;
use crate::schedule::settings::PlanSettings;

/// Phases of Backups whose length says how long the next one takes: they ran to their end.
const RAN_TO_ITS_END: [&str; 2] = ["Completed", "PartiallyFailed"];

/// The slots of the Schedules that are this product's, paused ones included: they keep their time.
pub fn live_plan(facts: &Facts) -> LivePlan {
    let mut slots: BTreeMap<GroupKey, LiveSlot> = BTreeMap::new();
    for schedule in facts.schedules.values().filter(|schedule| schedule.ours) {
        let Some(group) = &schedule.group else { continue };
        let planned = schedule.planned.as_ref().and_then(|text| text.parse().ok());
        let slot = slots.entry(group.clone()).or_insert_with(|| LiveSlot { minutes: BTreeSet::new(), planned });
        slot.minutes.extend(cron::minutes(&schedule.cron).unwrap_or_default());
    }
    LivePlan { slots }
}

/// One demand a group, in order.
pub fn demands(facts: &Facts, inventory: &Inventory, live: &LivePlan, settings: &PlanSettings) -> Vec<Demand> {
    let runs = finished_runs(facts);
    inventory
        .groups
        .iter()
        .map(|(key, group)| {
            let volumes = u32::try_from(group.claims.len()).unwrap_or(u32::MAX);
            let planned = live.slots.get(key).and_then(|slot| slot.planned.as_ref());
            let past = runs.get(key).map_or(&[][..], Vec::as_slice);
            Demand {
                key: key.clone(),
                volumes,
                volume_ids: group.claims.values().filter_map(|held| VolumeId::parse(held.ebs_id.as_deref()?)).collect(),
                run: expected(past, volumes, planned, settings),
                when: when(group, settings),
                priority: group.wishes.priority.and_then(|priority| i8::try_from(priority).ok()).unwrap_or(0),
                pending_per_volume_max: PENDING_PER_VOLUME_DEFAULT,
            }
        })
        .collect()
}

fn when(group: &Group, settings: &PlanSettings) -> When {
    let wishes = &group.wishes;
    if wishes.skip == Some(true) {
        return When::Skip;
    }
    if let Some(local) = &wishes.at {
        let offset = i64::from(settings.utc_offset_min());
        return When::Fixed(local.iter().map(|minute| Minute::wrapping(i64::from(*minute) - offset)).collect());
    }
    let times = wishes.times_a_day.and_then(|times| u8::try_from(times).ok()).and_then(NonZeroU8::new);
    times.map_or(When::DAILY, |runs_per_day| When::Free { runs_per_day })
}

/// Backups that ran to their end, by the group whose Schedule made them.
fn finished_runs(facts: &Facts) -> BTreeMap<GroupKey, Vec<FinishedRun>> {
    let by_schedule: BTreeMap<(&str, &str), &GroupKey> = facts
        .schedules
        .iter()
        .filter(|(_, schedule)| schedule.ours)
        .filter_map(|(key, schedule)| Some(((key.namespace.as_str(), key.name.as_str()), schedule.group.as_ref()?)))
        .collect();
    let mut runs: BTreeMap<GroupKey, Vec<FinishedRun>> = BTreeMap::new();
    for (key, backup) in &facts.backups {
        let (Some(schedule), Some(started), Some(ended)) = (&backup.schedule, backup.started, backup.completed) else {
            continue;
        };
        if !RAN_TO_ITS_END.contains(&backup.phase.as_str()) {
            continue;
        }
        if let Some(group) = by_schedule.get(&(key.namespace.as_str(), schedule.as_str())) {
            runs.entry((*group).clone()).or_default().push(FinishedRun { started, ended });
        }
    }
    runs
}

/// Whether a Schedule's label says that it is this product's.
pub fn is_ours(managed_by: Option<&str>) -> bool {
    managed_by == Some(MANAGED_BY_SCHEDULER)
}
