//! What the scheduler says: lines, metrics, Kubernetes Events. What stays as it was is said once.

use std::collections::BTreeSet;

use coordinator_core::inventory::finding::Finding;
use coordinator_core::objects::ObjectKey;
use coordinator_core::reason::Reason;
use coordinator_core::report::{Report, Subject, SubjectKind};
use coordinator_core::schedule::plan::Feasibility;
use coordinator_core::schedule_apply::Action;
use coordinator_core::schedule_apply::claim_labels::ClaimLabel;
use coordinator_core::schedule_apply::missed::Missed;
use coordinator_core::velero_schedule::change::Change;
use serde_json::Value;
use shared::identity::Namespace;
use shared::names::LABEL_SNAPSHOT_GROUP;

use super::found::{Empty, Found};
use crate::api::{Trouble, TroubleKind};
use crate::cli::SchedulesMode;
use crate::error_chain::chain;
use crate::log::{EventType, Fields, Log};
use crate::metrics::{Metrics, PlanGauges};
use crate::plan::cluster::ClusterError;
use crate::plan::made::MakeError;
use crate::publish::Publisher;

/// Findings of a plan that are told one by one; the rest is counted.
const FINDINGS_TOLD_MAX: usize = 100;

/// Says things once.
pub struct Teller {
    log: Log,
    metrics: Metrics,
    publisher: Publisher,
    mode: SchedulesMode,
    /// What was said already, and what was said in this pass.
    said: BTreeSet<String>,
    /// Where Schedules are.
    velero_namespace: Namespace,
}

impl Teller {
    /// Nothing is said yet.
    pub fn new(
        log: Log,
        metrics: Metrics,
        publisher: Publisher,
        mode: SchedulesMode,
        velero_namespace: Namespace,
    ) -> Self {
        Self { log, metrics, publisher, mode, said: BTreeSet::new(), velero_namespace }
    }

    /// Whether anything is written.
    pub const fn mode(&self) -> SchedulesMode {
        self.mode
    }

    /// Everything may be said again: another leader may have told since.
    pub fn forget(&mut self) {
        self.said.clear();
    }

    fn once(&mut self, event: EventType, message: &str, fields: &Fields) -> bool {
        let is_new = self.said.insert(format!("{} {message}", event.as_str()));
        if is_new {
            self.log.say(event, message, fields);
        }
        is_new
    }

    /// The cluster could not be read.
    pub fn unreadable(&mut self, error: &ClusterError) -> bool {
        self.once(EventType::ScheduleFailed, &format!("no plan: {}", chain(error)), &Fields::new());
        self.metrics.schedule_failed();
        false
    }

    /// Schedules and Backups could not be read: nothing is held up, and nothing is let go on.
    pub fn unseen(&mut self, error: &ClusterError) {
        let message =
            format!("not known which Backups are over, so no Schedule is paused or resumed: {}", chain(error));
        self.once(EventType::ScheduleFailed, &message, &Fields::new());
        self.metrics.schedule_failed();
    }

    /// The settings allow no plan, or it is wrong: nothing is written.
    pub fn no_plan(&mut self, error: &MakeError) -> bool {
        self.once(
            EventType::ScheduleFailed,
            &format!("no plan, and nothing is changed: {}", chain(error)),
            &Fields::new(),
        );
        self.metrics.schedule_failed();
        false
    }

    /// A plan was made and checked.
    pub fn planned(&mut self, found: &Found) {
        let Found {
            schedules,
            changes,
            findings,
            feasibility,
            groups,
            volumes,
            grouped_volumes,
            claim_labels: _,
            planned: _,
        } = found;
        let count = |wanted: fn(&Change) -> bool| changes.values().filter(|change| wanted(change)).count();
        let paused = count(|change| matches!(change, Change::Paused));
        let taken = count(|change| matches!(change, Change::Taken));
        let short = matches!(feasibility, Feasibility::Short { .. });
        self.metrics.planned(&PlanGauges {
            groups: *groups,
            volumes: *volumes,
            grouped: *grouped_volumes,
            paused,
            taken,
            short,
        });
        let fields = Fields::from_iter([
            ("groups".to_owned(), Value::from(*groups)),
            ("count".to_owned(), Value::from(*volumes)),
            ("schedules".to_owned(), Value::from(schedules.len())),
            ("to_write".to_owned(), Value::from(changes.values().filter(|change| change.writes()).count())),
        ]);
        let message = format!("planned {groups} groups with {grouped_volumes} of {volumes} EBS volumes");
        self.log.say(EventType::ScheduleCalculation, &message, &fields);
        if let Feasibility::Short { .. } = feasibility {
            let message = "the plan does not fit its window: `coordinator plan` says by how much, and what would help";
            self.once(EventType::SchedulesDoNotFit, message, &Fields::new());
        }
        for finding in findings.iter().take(FINDINGS_TOLD_MAX) {
            self.once(EventType::InventoryFinding, &finding.to_string(), &Fields::new());
        }
        // With each plan: the API server forgets Events, and whoever wrote the annotation looks at the workload, not at this log.
        let ignored = findings.iter().filter_map(|finding| match finding {
            Finding::Wish { at, .. } => Some((at, finding)),
            _ => None,
        });
        for (at, finding) in ignored.take(FINDINGS_TOLD_MAX) {
            let note = finding.to_string();
            self.publisher.offer(Report::new(at.clone(), None, Reason::SnapshotAnnotationIgnored, &note));
        }
        let names = |wanted: fn(&Change) -> bool| -> Vec<String> {
            changes.iter().filter(|(_, change)| wanted(change)).map(|(name, _)| name.clone()).collect()
        };
        for name in names(|change| matches!(change, Change::Taken)) {
            let note = format!(
                "a Schedule {name} is there and is not this product's: it is left alone, and its group is not backed up by it"
            );
            self.report(EventType::ScheduleConflict, &name, Reason::SnapshotScheduleConflict, &note);
        }
    }

    /// There seems to be nothing to back up at all: so many Schedules would go, and stay.
    pub fn keeps_all(&mut self, empty: Empty<'_>, schedules: usize) {
        if schedules > 0 {
            let (why, look) = match empty {
                Empty::NoVolume => (
                    "not one EBS volume is to be seen".to_owned(),
                    "may the coordinator list persistentvolumes? If there is none".to_owned(),
                ),
                Empty::NoneSelected(selector) => (
                    format!("--resource-label-selector {selector} selects no pod with an EBS volume"),
                    "is it written as you mean it? If so".to_owned(),
                ),
            };
            let message = format!(
                "{why}, so {schedules} Schedules that nothing needs are kept: {look}, delete them by the label \
                 app.kubernetes.io/managed-by=snapshot-scheduler"
            );
            self.once(EventType::ScheduleFailed, &message, &Fields::new());
        }
    }

    /// Groups without a good backup for too long.
    pub fn missed(&mut self, missed: &[Missed]) {
        self.metrics.groups_missed(missed.len());
        for Missed { group, schedule, last_good, for_s, allowed_s } in missed {
            let since = last_good.map_or_else(|| "ever".to_owned(), |at| format!("since {at}"));
            let key = format!("missed {group} {since}");
            if self.said.insert(key) {
                let note = format!(
                    "snapshot group {group} has had no successful backup {since}: for {} h, {} h are expected at most",
                    for_s / 3_600,
                    allowed_s / 3_600
                );
                self.report(EventType::BackupMissed, schedule, Reason::SnapshotBackupMissed, &note);
            }
        }
    }

    /// It was written.
    pub fn did(&mut self, action: &Action, uid: Option<String>) {
        self.metrics.schedule_written(action.word());
        let (event, message) = words(action);
        let fields = Fields::from_iter([("schedule".to_owned(), Value::from(action.name()))]);
        self.log.say(event, &message, &fields);
        match action {
            Action::Pause { name, .. } => self.event(name, uid, Reason::SnapshotSchedulePaused, &message),
            Action::Resume { name } => self.event(name, uid, Reason::SnapshotScheduleResumed, &message),
            Action::Create(_) | Action::Update { .. } | Action::Remove { .. } | Action::Unmark { .. } => {}
        }
    }

    /// It would be written.
    pub fn would(&mut self, action: &Action) {
        let (event, message) = words(action);
        let fields = Fields::from_iter([
            ("schedule".to_owned(), Value::from(action.name())),
            ("dry_run".to_owned(), Value::from(true)),
        ]);
        self.once(event, &format!("dry run: {message}"), &fields);
    }

    /// It was not written, and will be tried with the next plan.
    pub fn failed(&mut self, action: &Action, trouble: &Trouble) {
        self.metrics.schedule_failed();
        let advice = if trouble.kind == TroubleKind::Conflict {
            "another field manager owns it: it is left as it is; give the field up there, or take the label off"
                .to_owned()
        } else {
            trouble.advice("patch", "schedules.velero.io")
        };
        let note = format!("cannot {} Schedule {}: {trouble}: {advice}", action.word(), action.name());
        if trouble.kind == TroubleKind::Conflict {
            self.report(EventType::ScheduleConflict, action.name(), Reason::SnapshotScheduleConflict, &note);
        } else {
            self.once(EventType::ScheduleFailed, &note, &Fields::new());
        }
    }

    /// A claim's label was written.
    pub fn labelled(&self, label: &ClaimLabel) {
        self.metrics.claim_labelled(label.to.is_some());
        self.log.say(EventType::ClaimLabelled, &words_of_label(label), &fields_of_label(label));
    }

    /// Claims' labels would be written; the first are named, the rest is counted.
    pub fn would_label(&mut self, labels: &[ClaimLabel]) {
        let dry = |mut fields: Fields| {
            fields.insert("dry_run".to_owned(), Value::from(true));
            fields
        };
        for label in labels.iter().take(FINDINGS_TOLD_MAX) {
            let message = format!("dry run: {}", words_of_label(label));
            self.once(EventType::ClaimLabelled, &message, &dry(fields_of_label(label)));
        }
        if let Some(rest) = labels.len().checked_sub(FINDINGS_TOLD_MAX).filter(|rest| *rest > 0) {
            let message = format!("dry run: and {rest} claims more");
            self.once(EventType::ClaimLabelled, &message, &dry(Fields::new()));
        }
    }

    /// A claim's label was not written, and will be tried with a later plan. Where its namespace refuses, that is said of the namespace.
    pub fn not_labelled(&mut self, label: &ClaimLabel, trouble: &Trouble) {
        self.metrics.schedule_failed();
        let ClaimLabel { claim, .. } = label;
        let note = if trouble.kind == TroubleKind::Forbidden {
            format!(
                "claims of namespace {} are left as they are: {trouble}: we may not patch persistentvolumeclaims there: apply \
                 manifests/components/native-snapshots",
                claim.namespace
            )
        } else {
            format!("cannot label claim {claim}: {trouble}: {}", trouble.advice("patch", "persistentvolumeclaims"))
        };
        self.once(EventType::ClaimLabelFailed, &note, &fields_of_label(label));
    }

    fn report(&mut self, event: EventType, schedule: &str, reason: Reason, note: &str) {
        let fields = Fields::from_iter([("schedule".to_owned(), Value::from(schedule))]);
        if self.once(event, note, &fields) {
            self.event(schedule, None, reason, note);
        }
    }

    fn event(&self, schedule: &str, uid: Option<String>, reason: Reason, note: &str) {
        let key = ObjectKey { namespace: self.velero_namespace.clone(), name: schedule.to_owned() };
        let about = Subject { kind: SubjectKind::Schedule, key, uid };
        self.publisher.offer(Report::new(about, None, reason, note));
    }
}

fn words(action: &Action) -> (EventType, String) {
    match action {
        Action::Create(schedule) => (
            EventType::ScheduleCreated,
            format!("Schedule {} is new: `{}` UTC", schedule.metadata.name, schedule.spec.schedule),
        ),
        Action::Update { schedule, cron_is_new: _, what } => {
            (EventType::ScheduleUpdated, format!("Schedule {} is changed: {what}", schedule.metadata.name))
        }
        Action::Remove { name } => (
            EventType::ScheduleDeleted,
            format!("Schedule {name} is deleted: nothing needs it any more; its Backups stay"),
        ),
        Action::Pause { name, backup } => (
            EventType::SchedulePaused,
            format!("Schedule {name} is paused: its Backup {backup} is not over and the next run is near"),
        ),
        Action::Resume { name } => (
            EventType::ScheduleResumed,
            format!("Schedule {name} runs again from its next time on: its earlier Backup is over"),
        ),
        Action::Unmark { name } => (
            EventType::ScheduleUpdated,
            format!(
                "Schedule {name} is no longer marked as held up: somebody resumed it; a pause from now on is theirs"
            ),
        ),
    }
}

fn words_of_label(ClaimLabel { claim, from, to }: &ClaimLabel) -> String {
    match (from, to) {
        (None, Some(group)) => {
            format!("claim {claim} is labelled {LABEL_SNAPSHOT_GROUP}={group}, for native snapshots")
        }
        (Some(from), Some(group)) => {
            format!("claim {claim} is labelled {LABEL_SNAPSHOT_GROUP}={group} instead of {from}")
        }
        (from, None) => {
            let from = from.as_deref().unwrap_or_default();
            format!(
                "claim {claim} loses the label {LABEL_SNAPSHOT_GROUP}={from}: no native snapshots of that group need it any more"
            )
        }
    }
}

fn fields_of_label(label: &ClaimLabel) -> Fields {
    Fields::from_iter([
        ("namespace".to_owned(), Value::from(label.claim.namespace.as_str())),
        ("claim".to_owned(), Value::from(label.claim.name.as_str())),
    ])
}
