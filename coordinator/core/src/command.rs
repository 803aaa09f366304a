//! What the core asks the shell to do: one command is one API call.

use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::identity::{GroupId, GroupKey};
use shared::limiter_lease::LimiterLease;
use shared::receipt::Receipt;

use crate::event::Version;
use crate::objects::{ObjectKey, PodKey};

/// What a command writes to. At most one command per target is under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The budget Lease.
    Budget,
    /// The limiter Lease.
    Limiter,
    /// A group's Lease.
    Group(GroupKey),
    /// A pod's labels.
    Pod(PodKey),
    /// A Lease to be collected.
    StaleLease(ObjectKey),
    /// A Backup's annotations, for one group's receipt.
    Receipt(ObjectKey, GroupKey),
}

/// One API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create the budget Lease; it must not exist.
    CreateBudget(BudgetLease),
    /// Replace the budget Lease if it still has this version.
    UpdateBudget(BudgetLease, Version),
    /// Create the limiter Lease; it must not exist.
    CreateLimiter(LimiterLease),
    /// Replace the limiter Lease if it still has this version.
    UpdateLimiter(LimiterLease, Version),
    /// Create a group's Lease; it must not exist.
    CreateGroup(GroupLease),
    /// Replace a group's Lease if it still has this version.
    UpdateGroup(GroupLease, Version),
    /// Set the group label (and [`shared::names::ANNOTATION_LABELLED_BY`], [`shared::names::ANNOTATION_LABELLED_AS`]) on a pod that has none, or
    /// still the one that a coordinator put there.
    LabelPod {
        /// The pod.
        pod: PodKey,
        /// Only if it is still this one (a precondition of the patch).
        uid: String,
        /// The group.
        group: GroupId,
        /// The label that it replaces, only if it is still this one.
        instead_of: Option<GroupId>,
    },
    /// Delete a Lease if it still has this version and uid.
    DeleteLease(ObjectKey, Version),
    /// Put a receipt onto a Backup.
    AnnotateBackup {
        /// The Backup.
        backup: ObjectKey,
        /// The group, part of the annotation's key.
        group: GroupKey,
        /// What [`crate::on_backup::place`] finds a place for.
        receipt: Box<Receipt>,
    },
}

impl Command {
    /// What it writes to.
    pub fn target(&self) -> Target {
        match self {
            Self::CreateBudget(_) | Self::UpdateBudget(..) => Target::Budget,
            Self::CreateLimiter(_) | Self::UpdateLimiter(..) => Target::Limiter,
            Self::CreateGroup(lease) | Self::UpdateGroup(lease, _) => Target::Group(lease.key.clone()),
            Self::LabelPod { pod, .. } => Target::Pod(pod.clone()),
            Self::DeleteLease(key, _) => Target::StaleLease(key.clone()),
            Self::AnnotateBackup { backup, group, .. } => Target::Receipt(backup.clone(), group.clone()),
        }
    }
}
