//! What every output of the plan shows: rows, load, changes and findings, in the order of the night.

use std::collections::BTreeMap;

use coordinator_core::inventory::Workload;
use coordinator_core::inventory::facts::Facts;
use coordinator_core::schedule::demand::{Demand, Learned};
use coordinator_core::schedule::minute::Minute;
use coordinator_core::schedule::plan::{Feasibility, Reason, Run, Slot};
use coordinator_core::velero_schedule::change::Change;
use serde::Serialize;
use shared::identity::GroupKey;
use shared::names::{LABEL_GROUP_NAMESPACE, LABEL_SNAPSHOT_GROUP};

use super::local_time::offset_text;
use super::made::Made;
use super::words;

/// Everything that is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// How the night is cut out of the day.
    pub window: WindowView,
    /// Volumes that may be in flight at once.
    pub budget: u32,
    /// Volumes of all groups that are planned.
    pub volumes: usize,
    /// Groups, by their first start after the window begins.
    pub groups: Vec<GroupView>,
    /// What the night carries.
    pub load: LoadView,
    /// Whether it fits.
    pub feasibility: FeasibilityView,
    /// What applying it would change, by Schedule.
    pub changes: Vec<ChangeView>,
    /// Schedules that are not this product's.
    pub schedules_of_others: usize,
    /// What is odd.
    pub findings: Vec<FindingView>,
}

/// The window.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowView {
    /// The time zone's name.
    pub time_zone: String,
    /// The day that is planned.
    pub day: String,
    /// How far local time is ahead of UTC then.
    pub utc_offset: String,
    /// Local.
    pub start: String,
    /// Local.
    pub end: String,
    /// UTC.
    pub start_utc: String,
    /// Hours.
    pub hours: u32,
    /// Minutes of it in which something may be in flight.
    pub open_minutes: u32,
    /// A change of the clocks within a month: all slots move then, by design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks_change: Option<ClocksView>,
}

/// A change of the clocks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClocksView {
    /// The day.
    pub day: String,
    /// The offset from then on.
    pub utc_offset: String,
}

/// One group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// Its namespace.
    pub namespace: String,
    /// What it stands for: a StatefulSet's name, `volumes`, or the group's own id.
    pub workload: String,
    /// `statefulset`, `volumes` or `label`.
    pub kind: &'static str,
    /// The value of its label.
    pub group: String,
    /// Its Schedules.
    pub schedules: Vec<String>,
    /// Its volumes.
    pub volumes: usize,
    /// Its live pods.
    pub pods: usize,
    /// Its runs.
    pub runs: Vec<RunView>,
    /// How long one is expected to take, s.
    pub expected_s: u32,
    /// From how many past runs that was learned; 0 is the default.
    pub learned_from_runs: u8,
    /// Why then, for machines.
    pub reason: &'static str,
    /// Why then.
    pub reason_text: &'static str,
    /// Its present times, UTC, where they are others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_from_utc: Vec<String>,
    /// What applying the plan does to its Schedules.
    pub change: &'static str,
    /// For drawing.
    #[serde(skip)]
    pub why: Reason,
}

/// One run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// Local.
    pub start: String,
    /// UTC.
    pub start_utc: String,
    /// When its end is expected, local; none when it never comes to its turn.
    pub end: Option<String>,
    /// In Velero's queue before, s; none when it never comes to its turn.
    pub queued_s: Option<u32>,
    /// Minutes from the window's start to this run's.
    #[serde(skip)]
    pub after_window_start: u16,
    /// Minutes that it waits and takes.
    #[serde(skip)]
    pub wait_and_take_s: (u32, u32),
}

/// The load.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadView {
    /// Each hour from the window's start.
    pub hours: Vec<HourView>,
    /// The most volumes in flight in a minute.
    pub in_flight_peak: u64,
    /// What no plan could be below.
    pub in_flight_lower_bound: u64,
    /// The most volumes that start in a minute.
    pub starting_peak: u64,
    /// What no plan could be below.
    pub starting_lower_bound: u64,
}

/// One hour of the day.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HourView {
    /// Its first minute, local.
    pub start: String,
    /// The most volumes in flight in one of its minutes.
    pub in_flight_most: u64,
    /// Volumes that start in it.
    pub starting: u64,
    /// Minutes of it in which something may be in flight.
    pub open_minutes: usize,
}

/// Whether it fits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeasibilityView {
    /// `fits` or `short`.
    pub verdict: &'static str,
    /// What is missing.
    pub shortages: Vec<String>,
    /// What would help, each line alone.
    pub fixes: Vec<String>,
}

/// One Schedule's change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeView {
    /// Its name.
    pub schedule: String,
    /// One word.
    pub change: &'static str,
    /// The group, where it is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The cron that it gets or has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The cron that it has, where it gets another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron_from: Option<String>,
    /// Fields of its template that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Something odd.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingView {
    /// One word for machines.
    pub code: &'static str,
    /// Whether a volume is not backed up, or not as asked, because of it.
    pub costs_a_backup: bool,
    /// What it is.
    pub text: String,
}

/// Puts it together.
pub fn view(made: &Made, facts: &Facts) -> View {
    let schedules = schedules_by_group(made);
    let demands: BTreeMap<&GroupKey, &Demand> = made.demands.iter().map(|demand| (&demand.key, demand)).collect();
    let mut groups: Vec<GroupView> = made
        .plan
        .slots
        .iter()
        .filter_map(|(key, slot)| {
            group(made, key, slot, demands.get(key)?, schedules.get(key).map_or(&[], Vec::as_slice))
        })
        .collect();
    groups.sort_by_key(|group| group.runs.iter().map(|run| run.after_window_start).min());
    View {
        window: window(made),
        budget: made.settings.budget(),
        volumes: groups.iter().map(|group| group.volumes).sum(),
        groups,
        load: load(made),
        feasibility: feasibility(&made.plan.feasibility),
        changes: changes(made),
        schedules_of_others: facts.schedules.values().filter(|schedule| !schedule.ours).count(),
        findings: findings(made),
    }
}

fn schedules_by_group(made: &Made) -> BTreeMap<GroupKey, Vec<&str>> {
    let mut by_group: BTreeMap<GroupKey, Vec<&str>> = BTreeMap::new();
    for schedule in &made.schedules {
        let label = |name: &str| schedule.metadata.labels.get(name);
        let group = label(LABEL_GROUP_NAMESPACE).zip(label(LABEL_SNAPSHOT_GROUP));
        if let Some(Ok(key)) = group.map(|(namespace, group)| format!("{namespace}/{group}").parse()) {
            by_group.entry(key).or_default().push(&schedule.metadata.name);
        }
    }
    by_group
}

fn window(made: &Made) -> WindowView {
    let (time, settings) = (&made.time, &made.settings);
    let start = settings.window_start();
    WindowView {
        time_zone: time.zone.clone(),
        day: time.day.to_string(),
        utc_offset: time.offset(),
        start: time.local(start).to_string(),
        end: time.local(start.plus(settings.window_min())).to_string(),
        start_utc: start.to_string(),
        hours: settings.window_min() / 60,
        open_minutes: settings.open_min(),
        clocks_change: time
            .next_change
            .map(|(day, offset)| ClocksView { day: day.to_string(), utc_offset: offset_text(offset) }),
    }
}

fn group(made: &Made, key: &GroupKey, slot: &Slot, demand: &Demand, schedules: &[&str]) -> Option<GroupView> {
    let group = made.inventory.groups.get(key)?;
    let change = schedules.iter().filter_map(|name| made.changes.get(*name)).max_by_key(|change| change.writes());
    let mut runs: Vec<RunView> = slot.runs.iter().map(|run| run_view(made, run)).collect();
    runs.sort_by_key(|run| run.after_window_start);
    Some(GroupView {
        namespace: key.namespace.to_string(),
        workload: group.workload.name(key).to_owned(),
        kind: match group.workload {
            Workload::StatefulSet(_) => "statefulset",
            Workload::OtherVolumes => "volumes",
            Workload::Labelled => "label",
        },
        group: key.group.to_string(),
        schedules: schedules.iter().map(|name| (*name).to_owned()).collect(),
        volumes: group.claims.len(),
        pods: group.pods.len(),
        runs,
        expected_s: demand.run.in_flight_s,
        learned_from_runs: match demand.run.learned {
            Learned::Default => 0,
            Learned::Runs { count } => count,
        },
        reason: words::reason_code(slot.reason),
        reason_text: words::reason(slot.reason),
        moved_from_utc: slot.moved_from.iter().flatten().map(ToString::to_string).collect(),
        change: change.map_or("keep", Change::word),
        why: slot.reason,
    })
}

fn run_view(made: &Made, run: &Run) -> RunView {
    let ends = run.ends_after_s();
    RunView {
        start: made.time.local(run.due).to_string(),
        start_utc: run.due.to_string(),
        end: ends.map(|seconds| made.time.local(run.due.plus(seconds.div_ceil(60))).to_string()),
        queued_s: ends.map(|_| run.queued_s),
        after_window_start: made.settings.window_start().minutes_until(run.due),
        wait_and_take_s: (ends.map_or(0, |_| run.queued_s), run.in_flight_s),
    }
}

fn load(made: &Made) -> LoadView {
    let profile = &made.plan.load;
    // Hours are counted from the window's start, by UTC minutes: a zone that is half an hour off has its own hours.
    let first = made.settings.window_start();
    let hours = (0..24).map(|hour| {
        let minutes: Vec<Minute> = (0..60).map(|minute| first.plus(hour * 60 + minute)).collect();
        let at = |loads: &[u64], minute: &Minute| loads.get(minute.index()).copied().unwrap_or(0);
        HourView {
            start: made.time.local(first.plus(hour * 60)).to_string(),
            in_flight_most: minutes.iter().map(|minute| at(&profile.in_flight, minute)).max().unwrap_or(0),
            starting: minutes.iter().map(|minute| at(&profile.starting, minute)).sum(),
            open_minutes: minutes.iter().filter(|minute| made.settings.is_open(**minute)).count(),
        }
    });
    LoadView {
        hours: hours.collect(),
        in_flight_peak: profile.in_flight_peak.volumes,
        in_flight_lower_bound: profile.in_flight_peak.lower_bound,
        starting_peak: profile.starting_peak.volumes,
        starting_lower_bound: profile.starting_peak.lower_bound,
    }
}

fn feasibility(feasibility: &Feasibility) -> FeasibilityView {
    let (shortages, fixes) = match feasibility {
        Feasibility::Fits { .. } => (vec![], vec![]),
        Feasibility::Short { shortages, fixes } => (
            shortages.iter().map(words::shortage).collect(),
            fixes.iter().map(|together| words::together(together)).collect(),
        ),
    };
    FeasibilityView { verdict: words::feasibility_code(feasibility), shortages, fixes }
}

fn changes(made: &Made) -> Vec<ChangeView> {
    let planned: BTreeMap<&str, _> =
        made.schedules.iter().map(|schedule| (schedule.metadata.name.as_str(), schedule)).collect();
    made.changes
        .iter()
        .map(|(name, change)| {
            let schedule = planned.get(name.as_str());
            let group = schedule.and_then(|schedule| {
                let label = |label: &str| schedule.metadata.labels.get(label);
                Some(format!("{}/{}", label(LABEL_GROUP_NAMESPACE)?, label(LABEL_SNAPSHOT_GROUP)?))
            });
            let (cron_from, fields) = match change {
                Change::Update { cron_from, fields } => (cron_from.clone(), fields.clone()),
                Change::Create | Change::Keep | Change::Paused | Change::Taken | Change::Remove => (None, vec![]),
            };
            ChangeView {
                schedule: name.clone(),
                change: change.word(),
                group,
                cron: schedule.map(|schedule| schedule.spec.schedule.clone()),
                cron_from,
                fields,
            }
        })
        .collect()
}

fn findings(made: &Made) -> Vec<FindingView> {
    let of_cluster = made.findings.iter().map(|finding| FindingView {
        code: finding.code(),
        costs_a_backup: finding.costs_a_backup(),
        text: finding.to_string(),
    });
    let of_plan = made.plan.findings.iter().map(|finding| FindingView {
        code: "plan",
        costs_a_backup: false,
        text: words::noticed(finding),
    });
    of_cluster.chain(of_plan).collect()
}
