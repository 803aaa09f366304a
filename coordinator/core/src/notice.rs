//! What is worth telling people: each notice becomes a log line with an `event_type`, and moves a metric.

use shared::admission::Mode;
use shared::group_lease::{Epoch, WaitReason};
use shared::identity::{GroupId, GroupKey, PodName};
use shared::receipt::Receipt;

use shared::receipt::MemberEnd;

use crate::command::Target;
use crate::objects::{BackupFailure, ObjectKey, PodKey};
use crate::throttle::evidence::{Evidence, Source};
use crate::throttle::limiter::Change;

/// Something worth telling people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The limit changed (`concurrency_adjusted`, the original's word).
    ConcurrencyAdjusted {
        /// From what to what, and why.
        change: Change,
        /// Volumes that were in use then.
        usage: u32,
    },
    /// A source of throttle signals stopped working, or works again (`signal_health`).
    SignalHealth {
        /// Which.
        source: Source,
        /// Whether it works now.
        works: bool,
        /// What it has to say.
        evidence: Evidence,
    },
    /// A group's first member arrived (`group_created` in the original).
    RoundOpened {
        /// The group.
        group: GroupKey,
        /// How it is released.
        mode: Mode,
        /// Volumes that it needs.
        weight: u32,
        /// The Backup, where it is known.
        backup: Option<String>,
    },
    /// A group waits, and why (`group_status`).
    RoundWaits {
        /// The group.
        group: GroupKey,
        /// Why.
        wait: WaitReason,
    },
    /// A grant was written (`group_granted`).
    Granted {
        /// The group.
        group: GroupKey,
        /// The round.
        epoch: Epoch,
        /// Volumes.
        weight: u32,
        /// From the first arrival to the grant, ms.
        waited_ms: u64,
    },
    /// The first members of a round are admitted (`group_ready`).
    Released {
        /// The group.
        group: GroupKey,
        /// The round.
        epoch: Epoch,
        /// How many members this one write released.
        members: usize,
    },
    /// A barrier stalled and goes on as arrive-and-go (`barrier_degraded`).
    BarrierDegraded {
        /// The group.
        group: GroupKey,
        /// Members that waited.
        arrived: usize,
        /// Members that were expected.
        expected: usize,
        /// Why it counts as stalled.
        why: StallReason,
    },
    /// Called residents did not hold still in time; the round goes on without them (`call_unanswered`).
    CallUnanswered {
        /// The group.
        group: GroupKey,
        /// How many were called; none where no member has a resident that can be.
        called: usize,
        /// Whose residents did not answer.
        missing: Vec<PodName>,
    },
    /// A group was held still for as long as it may be, and lets go (`hold_ended`).
    HoldEnded {
        /// The group.
        group: GroupKey,
        /// Members that held.
        members: usize,
        /// How long it may be held, ms.
        at_most_ms: u64,
    },
    /// A round ended (`group_receipt`).
    RoundClosed(Box<Receipt>),
    /// A pod was put into a group (`pod_labelled`).
    PodLabelled {
        /// The pod.
        pod: PodKey,
        /// The group.
        group: GroupId,
    },
    /// A member was lost while it waited or held: its pod is gone (`member_gone`) or its Lease stopped changing (`member_expired`).
    MemberLost {
        /// The pod.
        pod: PodKey,
        /// Its group.
        group: GroupKey,
        /// [`MemberEnd::PodGone`] or [`MemberEnd::Expired`].
        end: MemberEnd,
    },
    /// A Backup ended, the group's hooks were announced, and not one of them came (`hooks_missed`).
    HooksMissed {
        /// The group.
        group: GroupKey,
        /// The Backup.
        backup: ObjectKey,
        /// Pods whose hooks were to run.
        pods: usize,
    },
    /// A Backup that was to run groups' hooks ended without anything to restore (`backup_failed`).
    BackupFailed {
        /// The Backup.
        backup: ObjectKey,
        /// How.
        failure: BackupFailure,
        /// The groups whose hooks it was to run.
        groups: Vec<GroupKey>,
    },
    /// A Lease of ours says something impossible (`lease_invalid`).
    LeaseInvalid {
        /// The group that it keeps from being released, if it is one's.
        group: Option<GroupKey>,
        /// What is wrong with it.
        message: String,
    },
    /// A workload's annotation says something impossible; it is ignored (`annotation_invalid`).
    AnnotationInvalid {
        /// The group that it was meant for.
        group: GroupKey,
        /// Its key, without the product's prefix.
        annotation: &'static str,
        /// Kind, namespace and name.
        object: String,
        /// What stands there.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A group has more members than a group Lease can list; the rest go unadmitted at their deadlines (`group_too_large`).
    GroupTooLarge {
        /// The group.
        group: GroupKey,
        /// Its attempts.
        members: usize,
    },
    /// A write did not succeed and will be tried again (`write_failed`).
    WriteFailed {
        /// What was written to.
        target: Target,
        /// The API server said no (403, 422), rather than nothing or "not now".
        refused: bool,
        /// What the API server said.
        message: String,
    },
    /// A Lease that nobody needs any more is collected (`lease_collected`).
    LeaseCollected {
        /// Namespace and name.
        lease: String,
    },
}

/// Why a barrier counts as stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallReason {
    /// As many hooks wait as Velero has workers: no further one can start.
    AllWorkersWait {
        /// Velero's workers.
        workers: u32,
    },
    /// Nobody arrived for the stall time.
    NoArrival {
        /// The stall time, ms.
        for_ms: u64,
    },
}
