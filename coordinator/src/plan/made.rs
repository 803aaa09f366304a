//! The plan with everything that it rests on and leads to: one value that every output is made from.

use std::collections::BTreeMap;

use coordinator_core::inventory::demands::{demands, live_plan};
use coordinator_core::inventory::facts::Facts;
use coordinator_core::inventory::finding::Finding;
use coordinator_core::inventory::{Inventory, take};
use coordinator_core::schedule::demand::Demand;
use coordinator_core::schedule::plan::Plan;
use coordinator_core::schedule::planner;
use coordinator_core::schedule::settings::PlanSettings;
use coordinator_core::schedule::settings_error::SettingsError;
use coordinator_core::schedule_apply::claim_labels::{self, ClaimLabel};
use coordinator_core::schedule_check::{self, Violation};
use coordinator_core::velero_schedule::change::{Change, changes, skip_where_the_cron_is_new};
use coordinator_core::velero_schedule::object::Schedule;
use coordinator_core::velero_schedule::{HookRecipe, OnError, Recipe, SnapshotWay, schedules};
use jiff::Timestamp;
use jiff::civil::Date;
use shared::deadline::{HookTimeoutError, agent_deadline_ms};

use super::local_time::{LocalTime, plan_input};
use crate::cli::{HookError, ScheduleFlags, Way};

/// Velero's timeout of the generated post hook, ms: half as long again as the agent's own end (20 s).
const POST_HOOK_TIMEOUT_MS: u64 = 30_000;

/// How many violations an error shows.
const VIOLATIONS_SHOWN_MAX: usize = 5;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The settings allow none.
    #[error("the settings allow no plan")]
    Settings(#[from] SettingsError),
    /// The hook timeout leaves the agent no time.
    #[error("the hooks cannot be written")]
    Hooks(#[from] HookTimeoutError),
    /// The planner's work did not pass the check.
    #[error("the plan breaks its own rules, which is a defect of the coordinator; please report this: {0}")]
    Violations(String),
}

/// A plan and its surroundings.
#[derive(Debug)]
pub struct Made {
    /// Local time on the day that is planned.
    pub time: LocalTime,
    /// What the plan was made with.
    pub settings: PlanSettings,
    /// What is to be backed up.
    pub inventory: Inventory,
    /// One a group.
    pub demands: Vec<Demand>,
    /// When.
    pub plan: Plan,
    /// What is to stand in the cluster.
    pub schedules: Vec<Schedule>,
    /// What that changes, by Schedule.
    pub changes: BTreeMap<String, Change>,
    /// Claims whose label is to be another.
    pub claim_labels: Vec<ClaimLabel>,
    /// What is odd, sorted.
    pub findings: Vec<Finding>,
}

impl Made {
    /// Plans.
    pub fn new(facts: &Facts, flags: &ScheduleFlags, day: Option<Date>, now: Timestamp) -> Result<Self, MakeError> {
        let time = LocalTime::new(&flags.time_zone, day, flags.backup_window_start.0, now);
        let settings = PlanSettings::new(&plan_input(flags, &time))?;
        let recipe = recipe(flags)?;
        let everything = Vec::new();
        let selector = flags.resource_label_selector.as_ref().map_or(&everything, |selector| &selector.selector);
        let inventory = take(facts, selector);
        let live = live_plan(facts);
        let demands = demands(facts, &inventory, &live, &settings);
        let plan = planner::plan(&demands, &live, &settings);
        let violations = schedule_check::check(&demands, &live, &settings, &plan);
        if !violations.is_empty() {
            return Err(MakeError::Violations(shown(&violations)));
        }
        let (mut schedules, unselectable) = schedules(facts, &inventory, &plan, &recipe);
        let changes = changes(&schedules, facts, recipe.velero_namespace.as_str());
        skip_where_the_cron_is_new(&mut schedules, &changes, facts);
        let labels = claim_labels::decide(facts, &inventory, &plan, recipe.way);
        let mut findings = inventory.findings.clone();
        findings.extend(unselectable);
        findings.extend(labels.findings);
        findings.sort();
        Ok(Self { time, settings, inventory, demands, plan, schedules, changes, claim_labels: labels.writes, findings })
    }

    /// Whether applying it would write anything.
    pub fn writes(&self) -> bool {
        self.changes.values().any(Change::writes)
    }

    /// Whether applying it would write this Schedule.
    pub fn is_written(&self, schedule: &Schedule) -> bool {
        self.changes.get(&schedule.metadata.name).is_some_and(Change::writes)
    }
}

fn shown(violations: &[Violation]) -> String {
    let first: Vec<String> = violations.iter().take(VIOLATIONS_SHOWN_MAX).map(|v| format!("{v:?}")).collect();
    format!("{} ({} in all)", first.join("; "), violations.len())
}

fn recipe(flags: &ScheduleFlags) -> Result<Recipe, HookTimeoutError> {
    let hooks = HookRecipe {
        command: flags.hook_command.clone(),
        pre_timeout_ms: flags.hook_timeout.0,
        pre_deadline_ms: agent_deadline_ms(flags.hook_timeout.0)?,
        post_timeout_ms: POST_HOOK_TIMEOUT_MS,
        on_error: match flags.hook_on_error {
            HookError::Fail => OnError::Fail,
            HookError::Continue => OnError::Continue,
        },
    };
    Ok(Recipe {
        velero_namespace: flags.velero_namespace.clone(),
        storage_location: flags.storage_location.clone(),
        ttl_h: flags.retention.0,
        hooks: flags.ensure_backup_consistency.then_some(hooks),
        way: match flags.snapshot_way {
            Way::Csi => SnapshotWay::Csi,
            Way::Native => SnapshotWay::Native,
        },
        label_pods: flags.ensure_backup_consistency,
    })
}
