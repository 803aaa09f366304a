//! The kinds of objects that the coordinator reads.

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `pods`.
    Pods,
    /// `persistentvolumeclaims`.
    Claims,
    /// `persistentvolumes`.
    Volumes,
    /// `statefulsets.apps`.
    StatefulSets,
    /// `leases.coordination.k8s.io` with our role label.
    Leases,
    /// `backups.velero.io`.
    Backups,
    /// `volumesnapshots.snapshot.storage.k8s.io`.
    Snapshots,
    /// `volumesnapshotcontents.snapshot.storage.k8s.io`.
    SnapshotContents,
    /// The Deployment `velero`.
    VeleroServer,
    /// The Lease that says who leads: read and written, not watched.
    LeaderLease,
}

impl Kind {
    /// Its plural name and group, as RBAC rules and `kubectl` name it.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Claims => "persistentvolumeclaims",
            Self::Volumes => "persistentvolumes",
            Self::StatefulSets => "statefulsets.apps",
            Self::Leases | Self::LeaderLease => "leases.coordination.k8s.io",
            Self::Backups => "backups.velero.io",
            Self::Snapshots => "volumesnapshots.snapshot.storage.k8s.io",
            Self::SnapshotContents => "volumesnapshotcontents.snapshot.storage.k8s.io",
            Self::VeleroServer => "deployments.apps",
        }
    }

    /// Whether everything else works without it. What is not optional must be listed before anything is decided.
    pub const fn optional(self) -> bool {
        match self {
            Self::Pods | Self::Claims | Self::Volumes | Self::StatefulSets | Self::Leases | Self::LeaderLease => false,
            Self::Backups | Self::Snapshots | Self::SnapshotContents | Self::VeleroServer => true,
        }
    }

    /// What is missing without it, for people.
    pub const fn without_it(self) -> &'static str {
        match self {
            Self::Pods | Self::Claims | Self::Volumes | Self::StatefulSets | Self::Leases | Self::LeaderLease => {
                "nothing works"
            }
            Self::Backups => "rounds do not know their Backup, and receipts are not put onto it",
            Self::Snapshots | Self::SnapshotContents => {
                "cuts of CSI snapshots are not observed, and verdicts rest on less"
            }
            Self::VeleroServer => "barriers are chosen only where a workload asks for one",
        }
    }
}
