//! What the stagger scheduler counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::ActionLabel;
use super::set::Metrics;

/// A claim's label was set.
const PUT_ON: &str = "label";
/// A claim's label was removed.
const TAKEN_OFF: &str = "unlabel";

/// Moved by the scheduler.
#[derive(Debug, Default)]
pub(super) struct ScheduleSet {
    groups: Gauge,
    volumes: Gauge,
    volumes_ungrouped: Gauge,
    paused: Gauge,
    taken: Gauge,
    short: Gauge,
    missed: Gauge,
    writes: Family<ActionLabel, Counter>,
    failures: Counter,
    claim_labels: Family<ActionLabel, Counter>,
}

/// What a plan counts.
#[derive(Clone, Copy, Debug)]
pub struct PlanGauges {
    /// Groups that are planned.
    pub groups: usize,
    /// EBS volumes of the cluster.
    pub volumes: usize,
    /// Those of them that are in groups.
    pub grouped: usize,
    /// Schedules that a person paused.
    pub paused: usize,
    /// Schedules whose name somebody else's has.
    pub taken: usize,
    /// Whether the plan does not fit its window.
    pub short: bool,
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl ScheduleSet {
    pub(super) fn register(&self, registry: &mut Registry) {
        for action in ["create", "update", "remove", "pause", "resume"] {
            drop(self.writes.get_or_create(&ActionLabel { action }));
        }
        registry.register("planned_groups", "Groups that the last plan has a Schedule for", self.groups.clone());
        registry.register("ebs_volumes", "EBS volumes of the cluster at the last plan", self.volumes.clone());
        registry.register(
            "ebs_volumes_unscheduled",
            "EBS volumes that no Schedule backs up",
            self.volumes_ungrouped.clone(),
        );
        registry.register("schedules_paused", "Generated Schedules that a person paused", self.paused.clone());
        registry.register("schedules_taken", "Planned Schedules whose name somebody else's has", self.taken.clone());
        registry.register("plan_short", "1 while the plan does not fit its window", self.short.clone());
        registry.register("groups_missed", "Groups without a successful backup in their interval", self.missed.clone());
        registry.register("schedule_writes", "Schedules written, by what was done", self.writes.clone());
        registry.register(
            "schedule_failures",
            "Plans, Schedules and claims' labels that failed",
            self.failures.clone(),
        );
        for action in [PUT_ON, TAKEN_OFF] {
            drop(self.claim_labels.get_or_create(&ActionLabel { action }));
        }
        let help = "Group labels of claims that native snapshots need, by what was done";
        registry.register("claim_label_writes", help, self.claim_labels.clone());
    }
}

impl Metrics {
    /// A plan was made.
    pub fn planned(&self, plan: &PlanGauges) {
        let PlanGauges { groups, volumes, grouped, paused, taken, short } = *plan;
        let set = &self.set().schedules;
        set.groups.set(count(groups));
        set.volumes.set(count(volumes));
        set.volumes_ungrouped.set(count(volumes.saturating_sub(grouped)));
        set.paused.set(count(paused));
        set.taken.set(count(taken));
        set.short.set(i64::from(short));
    }

    /// So many groups have had no good backup for too long.
    pub fn groups_missed(&self, groups: usize) {
        self.set().schedules.missed.set(count(groups));
    }

    /// A Schedule was written.
    pub fn schedule_written(&self, action: &'static str) {
        self.set().schedules.writes.get_or_create(&ActionLabel { action }).inc();
    }

    /// A claim got a group's label, or lost it.
    pub fn claim_labelled(&self, put_on: bool) {
        let action = if put_on { PUT_ON } else { TAKEN_OFF };
        self.set().schedules.claim_labels.get_or_create(&ActionLabel { action }).inc();
    }

    /// A plan was not made, or a Schedule or a claim's label not written.
    pub fn schedule_failed(&self) {
        self.set().schedules.failures.inc();
    }
}
