//! What the scheduler leaves for those who look: the night that it planned, and which Schedules and groups are not as they should be.

use std::sync::Arc;

use coordinator_core::inventory::facts::Facts;
use coordinator_core::schedule::minute::Minute;
use coordinator_core::schedule::plan::Feasibility;
use coordinator_core::schedule_apply::missed::Missed;
use coordinator_core::velero_schedule::change::Change;
use shared::identity::{GroupKey, Namespace};
use shared::time::WallTime;

use crate::plan::made::Made;
use crate::plan::words;

/// Findings that are kept word by word; the rest is counted.
const FINDINGS_MAX: usize = 20;

/// What the scheduler has to say.
#[derive(Clone, Debug, Default)]
pub struct SchedulerWord {
    /// `off`, `dry-run` or `apply`.
    pub mode: &'static str,
    /// The last plan that was made.
    pub planned: Option<Arc<Planned>>,
    /// Why there is no newer one.
    pub failure: Option<String>,
    /// Groups that have had no good backup for too long.
    pub missed: Vec<Missed>,
    /// Generated Schedules that are paused.
    pub held_up: Vec<HeldUp>,
}

/// A generated Schedule that does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// Its name.
    pub schedule: String,
    /// Its group, as its labels say.
    pub group: Option<GroupKey>,
    /// Held up because its earlier Backup is not over; else a person paused it.
    pub by_breaker: bool,
}

/// A night as it is planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it was planned.
    pub at: WallTime,
    /// The time zone's name.
    pub zone: String,
    /// Minutes that local time is ahead of UTC.
    pub offset_min: i32,
    /// When the window begins.
    pub window_start: Minute,
    /// How long it is, min.
    pub window_min: u32,
    /// Of each of the day's UTC minutes: may something be in flight?
    pub open: Vec<bool>,
    /// Volumes that the plan reckons with.
    pub budget: u32,
    /// Volumes in flight in each of the day's UTC minutes.
    pub in_flight: Vec<u64>,
    /// The most of them.
    pub in_flight_peak: u64,
    /// The groups, in order.
    pub groups: Vec<PlannedGroup>,
    /// What is missing, where it does not fit.
    pub shortages: Vec<String>,
    /// What would help.
    pub fixes: Vec<String>,
    /// Findings that cost a backup, the first of them.
    pub findings: Vec<String>,
    /// How many there are of these.
    pub findings_count: usize,
    /// Schedules whose names others took.
    pub taken: Vec<String>,
}

/// A group of the plan.
#[derive(Clone, Debug)]
pub struct PlannedGroup {
    /// Which.
    pub key: GroupKey,
    /// What it stands for: a StatefulSet's name, `volumes`, or the group's own id.
    pub workload: String,
    /// Its volumes.
    pub volumes: usize,
    /// Its runs of a day.
    pub runs: Vec<PlannedRun>,
    /// Why then.
    pub reason: &'static str,
}

/// A run of a day.
#[derive(Clone, Copy, Debug)]
pub struct PlannedRun {
    /// The minute that its cron says, UTC.
    pub due: Minute,
    /// In Velero's queue before, s; none when it never comes to its turn.
    pub queued_s: Option<u32>,
    /// From its start to its expected end, s.
    pub takes_s: u32,
}

impl Planned {
    /// Of a plan that was made then.
    pub fn of(made: &Made, at: WallTime) -> Self {
        let (shortages, fixes) = match &made.plan.feasibility {
            Feasibility::Fits { .. } => (Vec::new(), Vec::new()),
            Feasibility::Short { shortages, fixes } => (
                shortages.iter().map(words::shortage).collect(),
                fixes.iter().map(|together| words::together(together)).collect(),
            ),
        };
        let costly = || made.findings.iter().filter(|finding| finding.costs_a_backup());
        let taken = made.changes.iter().filter(|(_, change)| matches!(change, Change::Taken));
        Self {
            at,
            zone: made.time.zone.clone(),
            offset_min: made.time.offset_min,
            window_start: made.settings.window_start(),
            window_min: made.settings.window_min(),
            open: made.settings.open().to_vec(),
            budget: made.settings.budget(),
            in_flight: made.plan.load.in_flight.clone(),
            in_flight_peak: made.plan.load.in_flight_peak.volumes,
            groups: groups(made),
            shortages,
            fixes,
            findings: costly().take(FINDINGS_MAX).map(ToString::to_string).collect(),
            findings_count: costly().count(),
            taken: taken.map(|(name, _)| name.clone()).collect(),
        }
    }
}

fn groups(made: &Made) -> Vec<PlannedGroup> {
    let slots = made.plan.slots.iter();
    let of = slots.filter_map(|(key, slot)| {
        let group = made.inventory.groups.get(key)?;
        let run = |run: &coordinator_core::schedule::plan::Run| PlannedRun {
            due: run.due,
            queued_s: run.ends_after_s().map(|_| run.queued_s),
            takes_s: run.in_flight_s,
        };
        Some(PlannedGroup {
            key: key.clone(),
            workload: group.workload.name(key).to_owned(),
            volumes: group.claims.len(),
            runs: slot.runs.iter().map(run).collect(),
            reason: words::reason(slot.reason),
        })
    });
    of.collect()
}

/// The generated Schedules that are paused.
pub fn held_up(facts: &Facts, velero_namespace: &Namespace) -> Vec<HeldUp> {
    let ours = facts.schedules.iter().filter(|(key, fact)| fact.ours && key.namespace == *velero_namespace);
    ours.filter(|(_, fact)| fact.paused)
        .map(|(key, fact)| HeldUp {
            schedule: key.name.clone(),
            group: fact.group.clone(),
            by_breaker: fact.paused_by_breaker,
        })
        .collect()
}
