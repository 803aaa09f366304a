//! What users are told where they look: which notice becomes which Kubernetes Events, and about which objects.

use std::collections::BTreeSet;
use std::fmt;

use shared::admission::Admission;
use shared::duration::format_ms;
use shared::identity::{GroupKey, PodName};
use shared::names::LIMITER_LEASE;
use shared::receipt::{MemberEnd, MemberReceipt, Receipt};
use shared::verdict::Verdict;

use crate::command::Target;
use crate::notice::{Notice, StallReason};
use crate::objects::{Backup, BackupFailure, ObjectKey, Owner, Pod, PodKey};
use crate::reason::Reason;
use crate::state::State;
use crate::stored::Stored;
use crate::throttle::limiter::Change;

/// A note has at most this many bytes (kubernetes `pkg/apis/core/validation/events.go`: `NoteLengthLimit`).
pub const NOTE_BYTES_MAX: usize = 1024;

/// One notice about a group is told on at most so many objects: a namespace's group may have hundreds of pods that belong to
/// nothing, and each Event is a write.
const SUBJECTS_MAX: usize = 8;

/// A Backup that came to nothing is told on the workloads of at most so many groups; it may have been for the whole cluster.
const GROUPS_TOLD_MAX: usize = 100;

/// The kinds of objects that are told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectKind {
    /// `velero.io/v1`.
    Backup,
    /// `coordination.k8s.io/v1`.
    Lease,
    /// `velero.io/v1`.
    Schedule,
    /// `apps/v1`.
    StatefulSet,
    /// `v1`.
    Pod,
    /// `v1`.
    PersistentVolumeClaim,
}

impl SubjectKind {
    /// The kind as its API names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Lease => "Lease",
            Self::Schedule => "Schedule",
            Self::StatefulSet => "StatefulSet",
            Self::Pod => "Pod",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
        }
    }
}

/// An object that is told about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind.
    pub kind: SubjectKind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Its uid, where that is known; `kubectl describe` shows only Events that have it.
    pub uid: Option<String>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.key)
    }
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// About what.
    pub about: Subject,
    /// What else it concerns: the workload where it is about a Backup, and the other way round.
    pub related: Option<Subject>,
    /// Why.
    pub reason: Reason,
    /// For people, at most [`NOTE_BYTES_MAX`] bytes.
    pub note: String,
}

impl Report {
    /// Cuts the note off where it is too long.
    pub fn new(about: Subject, related: Option<Subject>, reason: Reason, note: &str) -> Self {
        Self { about, related, reason, note: bounded(note) }
    }
}

fn bounded(note: &str) -> String {
    if note.len() <= NOTE_BYTES_MAX {
        return note.to_owned();
    }
    let room = NOTE_BYTES_MAX - '…'.len_utf8();
    let end = (0..=room).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &note[..end])
}

impl State {
    /// What users are told of a notice. Only the leader tells; else each replica would.
    pub fn reports(&self, notice: &Notice) -> Vec<Report> {
        if !self.leading {
            return vec![];
        }
        match notice {
            Notice::RoundClosed(receipt) => self.receipt_reports(receipt),
            Notice::BarrierDegraded { group, arrived, expected, why } => {
                let why = match why {
                    StallReason::AllWorkersWait { workers } => format!("all {workers} workers of Velero wait"),
                    StallReason::NoArrival { for_ms } => format!("nobody else came for {}", format_ms(*for_ms)),
                };
                let note = format!(
                    "{arrived} of {expected} members of snapshot group {group} arrived and {why}: each goes on as it arrives"
                );
                self.of_group(group, Reason::SnapshotBarrierDegraded, &note)
            }
            Notice::MemberLost { pod, group, end } => {
                let how = if *end == MemberEnd::PodGone { "its pod is gone" } else { "its hook gives no sign of life" };
                let note = format!("{pod} of snapshot group {group} was lost while its volumes were to be cut: {how}");
                self.of_group(group, Reason::SnapshotMemberLost, &note)
            }
            Notice::GroupTooLarge { group, members } => {
                let note = format!(
                    "snapshot group {group} has {members} members, more than can be listed: the rest go on by themselves at \
                     their deadlines (make smaller groups with the label velero.io/snapshot-group)"
                );
                self.of_group(group, Reason::SnapshotGroupTooLarge, &note)
            }
            Notice::LeaseInvalid { group: Some(group), message } => {
                let note = format!("snapshot group {group} cannot be released: {message}");
                self.of_group(group, Reason::SnapshotLeaseInvalid, &note)
            }
            Notice::AnnotationInvalid { group, annotation, object, value, rule } => {
                let note = format!("{object}: the {annotation} `{value}` is ignored: it must be {rule}");
                let reason =
                    if *annotation == "mode" { Reason::SnapshotModeInvalid } else { Reason::SnapshotPolicyInvalid };
                self.of_group(group, reason, &note)
            }
            Notice::CallUnanswered { group, called, missing } => {
                let note = format!("snapshot group {group}: {}", unanswered(*called, missing));
                self.of_group(group, Reason::SnapshotCallUnanswered, &note)
            }
            Notice::HoldEnded { group, members, at_most_ms } => {
                let at_most = format_ms(*at_most_ms);
                let note = format!(
                    "snapshot group {group} was held still for {at_most}, as long as it may be: {members} members let go before all \
                     of it was cut"
                );
                self.of_group(group, Reason::SnapshotHoldEnded, &note)
            }
            Notice::WriteFailed { target: Target::Pod(pod), refused: true, message } => {
                let note = format!("{pod} is in no snapshot group, because it may not be labelled: {message}");
                let about = self.world.pod(pod).map(|pod| self.workload_of(pod));
                about.map(|about| Report::new(about, None, Reason::SnapshotLabelRefused, &note)).into_iter().collect()
            }
            Notice::ConcurrencyAdjusted { change, usage } => self.limit_reports(change, *usage),
            Notice::HooksMissed { group, backup, pods } => self.missed_reports(group, backup, *pods),
            Notice::BackupFailed { backup, failure, groups } => self.failed_reports(backup, *failure, groups),
            Notice::SignalHealth { .. }
            | Notice::RoundOpened { .. }
            | Notice::RoundWaits { .. }
            | Notice::Granted { .. }
            | Notice::Released { .. }
            | Notice::PodLabelled { .. }
            | Notice::LeaseInvalid { group: None, .. }
            | Notice::WriteFailed { .. }
            | Notice::LeaseCollected { .. } => vec![],
        }
    }

    fn receipt_reports(&self, receipt: &Receipt) -> Vec<Report> {
        let group = GroupKey { namespace: receipt.namespace.clone(), group: receipt.group.clone() };
        let backup = receipt.backup.as_ref().and_then(|name| self.world.backups().find(|b| b.key.name == *name));
        let mut reports = self.of_group_and_backup(&group, backup, reason_of(receipt.verdict), &receipt_note(receipt));
        for (admission, reason) in
            [(Admission::OverBudget, Reason::SnapshotOverBudget), (Admission::Unreachable, Reason::SnapshotUnreachable)]
        {
            let alone: Vec<&str> =
                receipt.members.iter().filter(|m| m.admission == Some(admission)).map(|m| m.pod.as_str()).collect();
            if !alone.is_empty() {
                let why = match admission {
                    Admission::OverBudget => "the budget had no room before their deadlines",
                    Admission::Released | Admission::Unreachable => "nobody answered them in time",
                };
                let note =
                    format!("members of snapshot group {group} went on by themselves: {why}: {}", alone.join(", "));
                reports.extend(self.of_group_and_backup(&group, backup, reason, &note));
            }
        }
        reports
    }

    fn limit_reports(&self, change: &Change, usage: u32) -> Vec<Report> {
        let Change { from, to, max, why } = change;
        let reason = if to < from { Reason::SnapshotConcurrencyLowered } else { Reason::SnapshotConcurrencyRaised };
        let note = format!("{from} to {to} of at most {max} volumes at once, {usage} in use: {why}");
        vec![Report::new(self.limiter_subject(), None, reason, &note)]
    }

    /// The Lease that remembers the limit: it outlives every coordinator.
    fn limiter_subject(&self) -> Subject {
        let key = ObjectKey { namespace: self.settings.namespace.clone(), name: LIMITER_LEASE.to_owned() };
        let uid = match &self.limit.stored {
            Stored::Present(version, _) => Some(version.uid.clone()).filter(|uid| !uid.is_empty()),
            Stored::Absent | Stored::Foreign => None,
        };
        Subject { kind: SubjectKind::Lease, key, uid }
    }

    fn missed_reports(&self, group: &GroupKey, backup: &ObjectKey, pods: usize) -> Vec<Report> {
        let note = format!(
            "snapshot group {group} was backed up by {backup} without its hooks: {pods} running pods announce one and none \
             registered (is the hook-agent there, built for this machine, and the hook's container name right?)"
        );
        self.of_group_and_backup(group, self.world.backup(backup), Reason::SnapshotHooksMissed, &note)
    }

    fn failed_reports(&self, key: &ObjectKey, failure: BackupFailure, groups: &[GroupKey]) -> Vec<Report> {
        let how = match failure {
            BackupFailure::Refused => "did not begin (FailedValidation)",
            BackupFailure::Failed => "ended as Failed",
        };
        let see = "its status says why; nothing can be restored from it, whatever a receipt says";
        let backup = self.world.backup(key).map(backup_subject);
        let of_backup = backup.clone().map(|about| {
            let note = format!("the Backup {how}, and {} snapshot groups were to be cut by it: {see}", groups.len());
            Report::new(about, None, Reason::SnapshotBackupFailed, &note)
        });
        let note = |group: &GroupKey| format!("Backup {key}, which was to cut snapshot group {group}, {how}: {see}");
        let of_groups = groups.iter().take(GROUPS_TOLD_MAX).flat_map(|group| {
            let note = note(group);
            let backup = backup.clone();
            let subjects = self.subjects(group).into_iter();
            subjects.map(move |about| Report::new(about, backup.clone(), Reason::SnapshotBackupFailed, &note))
        });
        of_backup.into_iter().chain(of_groups).collect()
    }

    /// On the group's workloads.
    fn of_group(&self, group: &GroupKey, reason: Reason, note: &str) -> Vec<Report> {
        self.subjects(group).into_iter().map(|about| Report::new(about, None, reason, note)).collect()
    }

    /// On the group's workloads, and on the Backup if there is one.
    fn of_group_and_backup(
        &self,
        group: &GroupKey,
        backup: Option<&Backup>,
        reason: Reason,
        note: &str,
    ) -> Vec<Report> {
        let subjects = self.subjects(group);
        let backup = backup.map(backup_subject);
        let of_backup = backup.clone().map(|about| Report::new(about, subjects.first().cloned(), reason, note));
        let of_group = subjects.into_iter().map(|about| Report::new(about, backup.clone(), reason, note));
        of_backup.into_iter().chain(of_group).collect()
    }

    /// The workloads of a group: the StatefulSets that own its pods, and the pods that none owns.
    fn subjects(&self, group: &GroupKey) -> BTreeSet<Subject> {
        let mut subjects = BTreeSet::new();
        for pod in self.world.pods_of(group) {
            if subjects.len() >= SUBJECTS_MAX {
                break;
            }
            subjects.insert(self.workload_of(pod));
        }
        subjects
    }

    /// The StatefulSet that owns a pod, else the pod.
    fn workload_of(&self, pod: &Pod) -> Subject {
        let PodKey { namespace, name } = &pod.key;
        let set = match pod.owner() {
            Some(Owner::StatefulSet(name)) => {
                self.world.stateful_set(&ObjectKey { namespace: namespace.clone(), name: name.to_string() })
            }
            Some(Owner::Other) | None => None,
        };
        match set {
            Some(set) => Subject { kind: SubjectKind::StatefulSet, key: set.key.clone(), uid: set.uid.told() },
            None => Subject {
                kind: SubjectKind::Pod,
                key: ObjectKey { namespace: namespace.clone(), name: name.to_string() },
                uid: pod.uid.told(),
            },
        }
    }
}

fn backup_subject(backup: &Backup) -> Subject {
    let uid = Some(backup.uid.clone()).filter(|uid| !uid.is_empty());
    Subject { kind: SubjectKind::Backup, key: backup.key.clone(), uid }
}

/// So many pods are named.
const PODS_NAMED_MAX: usize = 20;

/// Who did not answer a call, in words for logs and Events.
pub fn unanswered(called: usize, missing: &[PodName]) -> String {
    if called == 0 {
        return "no member has a resident (hook-agent sidecar) that could hold it still now: each goes on as it arrives".to_owned();
    }
    let named: Vec<&str> = missing.iter().take(PODS_NAMED_MAX).map(PodName::as_str).collect();
    let more = if missing.len() > named.len() { ", …" } else { "" };
    format!(
        "{} of {called} called residents did not hold still in time, and the round goes on without them: {}{more}",
        missing.len(),
        named.join(", ")
    )
}

const fn reason_of(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::GroupConsistent => Reason::SnapshotGroupConsistent,
        Verdict::MemberConsistent => Reason::SnapshotMemberConsistent,
        Verdict::CrashConsistent => Reason::SnapshotCrashConsistent,
        Verdict::Unknown => Reason::SnapshotConsistencyUnknown,
        Verdict::Failed => Reason::SnapshotFailed,
    }
}

fn receipt_note(receipt: &Receipt) -> String {
    let Receipt { namespace, group, epoch, backup, members, members_omitted, skew_ms, verdict, why, .. } = receipt;
    let round = epoch.map_or_else(String::new, |epoch| format!(" round {}", epoch.0));
    let backup = backup.as_ref().map_or_else(String::new, |name| format!(" in Backup {name}"));
    let skew = skew_ms.map_or_else(|| "unknown".to_owned(), format_ms);
    let held = members.iter().filter_map(MemberReceipt::held_ms).max();
    let held = held.map_or_else(String::new, |held| format!(", held for up to {}", format_ms(held)));
    let count = members.len() + usize::try_from(*members_omitted).unwrap_or(0);
    format!(
        "snapshot group {namespace}/{group}{round}{backup}: {verdict}: {why}; {count} members, from first to last cut {skew}{held}"
    )
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
