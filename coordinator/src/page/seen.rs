//! What the engine's state shows to somebody who looks: groups, budget, limit, and what is odd. A copy, so that nobody looks into a moving thing.

use std::collections::BTreeSet;

use coordinator_core::neighbours::Serving;
use coordinator_core::overview::{KnownGroup, OddLease};
use coordinator_core::policy::Complaint;
use coordinator_core::step::State;
use coordinator_core::time::Now;
use serde::Serialize;
use shared::time::WallTime;

use crate::kind::Kind;
use crate::status::limit_view::{LimitView, limit};
use crate::status::view::{BudgetView, GroupView, budget, group};

/// What there is to see.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All first lists are in; before that nothing below means anything.
    pub synced: bool,
    /// Whether this process leads.
    pub leads: bool,
    /// Every group, by namespace and name.
    pub groups: Vec<GroupSeen>,
    /// Absent while no round was ever granted.
    pub budget: Option<BudgetView>,
    /// Absent while no coordinator ever led.
    pub limit: Option<LimitView>,
    /// Leases that nothing can be made of.
    pub odd_leases: Vec<OddLease>,
    /// Optional kinds that cannot be read.
    pub unreadable: Vec<Kind>,
}

/// One group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSeen {
    /// As `coordinator status` shows it.
    #[serde(flatten)]
    pub group: GroupView,
    /// A StatefulSet's name, or `volumes`; none where a person chose the group.
    pub workload: Option<String>,
    /// EBS volumes of its pods.
    pub volumes: u32,
    /// Annotations that say something impossible.
    #[serde(skip)]
    pub ignored: Vec<Complaint>,
}

/// What is known of who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderSeen {
    /// Who; nobody after a release, or while there is no Lease.
    pub holder: Option<String>,
    /// Its last sign of life, by its own clock.
    pub renewed_at: Option<WallTime>,
    /// For how long this process has not seen it renew, ms.
    pub unchanged_ms: u64,
    /// Whether the Lease was ever read.
    pub known: bool,
    /// The older install that serves the cluster in place of this one.
    pub stands_back: Option<Serving>,
}

impl Seen {
    /// Takes it from the state. `present` are the optional kinds that can be read.
    pub fn of(state: &State, synced: bool, present: &BTreeSet<Kind>, now: Now) -> Self {
        let optional = [Kind::Backups, Kind::Snapshots, Kind::SnapshotContents, Kind::VeleroServer];
        Self {
            synced,
            leads: state.leads(),
            groups: state.known_groups().map(group_seen).collect(),
            budget: state.budget_lease().map(budget),
            limit: state.limiter_lease(now).map(limit),
            odd_leases: state.odd_leases(),
            unreadable: optional.into_iter().filter(|kind| synced && !present.contains(kind)).collect(),
        }
    }
}

fn group_seen(known: KnownGroup<'_>) -> GroupSeen {
    let KnownGroup { key, lease, members, pods, volumes, workload, ignored } = known;
    GroupSeen { group: group(key, lease, members, pods), workload, volumes, ignored }
}
