//! What the planner noticed about single groups: nothing here stops a plan.

use shared::identity::{GroupKey, Namespace};

use super::minute::Minute;

/// Something about one group or namespace that its owner should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Two demands of one key: only the first was planned.
    DuplicateGroup {
        /// The group.
        group: GroupKey,
    },
    /// Its volumes are more than sums can carry; it was planned as if it had fewer.
    VolumesClamped {
        /// The group.
        group: GroupKey,
        /// What was asked.
        volumes: u32,
        /// What it was planned with.
        planned: u32,
    },
    /// It has more volumes than the budget: it runs alone.
    HeavierThanBudget {
        /// The group.
        group: GroupKey,
        /// Its volumes.
        volumes: u32,
        /// Volumes that may be in flight at once.
        budget: u32,
    },
    /// A fixed time outside the window or inside excluded hours. It is honoured all the same.
    FixedOutsideWindow {
        /// The group.
        group: GroupKey,
        /// The time.
        minute: Minute,
    },
    /// It takes longer than the longest stretch of the window without an excluded hour. It starts where that stretch does, and ends after it.
    LongerThanWindow {
        /// The group.
        group: GroupKey,
        /// Minutes that it takes.
        needs_min: u32,
        /// Minutes of the longest stretch.
        longest_min: u32,
    },
    /// Its fixed times are so close that a volume has more pending snapshots than EBS allows it. They are honoured all the same.
    FixedTooClose {
        /// The group.
        group: GroupKey,
        /// Snapshots of one volume that are pending at once.
        pending: u32,
        /// What EBS allows.
        most: u8,
    },
    /// Fewer runs a day than asked.
    FewerRuns {
        /// The group.
        group: GroupKey,
        /// Runs asked.
        asked: u8,
        /// Runs planned.
        planned: u8,
        /// Why not more.
        because: FewerRunsReason,
    },
    /// Groups of two namespaces share a volume: those namespaces are planned as one, so that no volume is cut twice at a time.
    SharedVolume {
        /// One of the groups.
        group: GroupKey,
        /// Another one, of another namespace.
        other: GroupKey,
    },
    /// Velero never runs two backups of one namespace at once, and this one's take longer than the window.
    NamespaceOverfull {
        /// The namespace (the first one, where several share volumes).
        namespace: Namespace,
        /// Minutes that its backups take, one after another.
        needs_min: u64,
        /// Minutes of the window.
        window_min: u32,
    },
}

/// Why a group gets fewer runs a day than asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FewerRunsReason {
    /// The window has not that many whole hours for runs that end in time.
    Window,
    /// One run would begin before the one before has left Velero.
    Length,
    /// A volume would have more pending snapshots than EBS allows it.
    PendingSnapshots,
}
