//! What can happen, as the shell tells the core.

use std::collections::BTreeSet;

use shared::LeaseError;
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::identity::GroupKey;
use shared::limiter_lease::LimiterLease;
use shared::member_lease::MemberLease;

use crate::command::Target;
use crate::objects::{AskedCut, Backup, Claim, Cut, ObjectKey, Pod, PodKey, StatefulSet, Volume};
use crate::throttle::signals::Signal;

/// `metadata.resourceVersion` and `metadata.uid` of an observed object. The version is opaque: compared for equality, sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `metadata.resourceVersion`.
    pub resource: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// A Lease as it was observed: what it says, or why it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed<T> {
    /// Which version of the object.
    pub version: Version,
    /// Its content.
    pub content: Result<T, LeaseError>,
}

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the object now has this version.
    Written(Version),
    /// Somebody else wrote first, or the object is gone or already there. The shell has read it again and told the core before this.
    Conflict,
    /// Not done, or not known to be: refused, timed out, unreachable. The shell has read it again if it could.
    Failed {
        /// The API server said no (403, 422): trying again alone will not help.
        refused: bool,
        /// What the API server or the network said, for people.
        message: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// All first lists are in: from now on what is not there does not exist.
    Synced,
    /// This process leads (or no longer does). Only a leader commands.
    Leading(bool),
    /// A pod appeared or changed.
    Pod(Pod),
    /// A pod is gone.
    PodGone(PodKey),
    /// A new list has no pods of these names any more ([`crate::objects::name_print`]).
    PodsVanished(BTreeSet<u64>),
    /// A claim appeared or changed.
    Claim(Claim),
    /// A claim is gone.
    ClaimGone(ObjectKey),
    /// A new list has no claims of these names any more.
    ClaimsVanished(BTreeSet<u64>),
    /// A volume appeared or changed.
    Volume(Volume),
    /// A volume is gone.
    VolumeGone(String),
    /// A new list has no volumes of these names any more.
    VolumesVanished(BTreeSet<u64>),
    /// A StatefulSet appeared or changed.
    StatefulSet(StatefulSet),
    /// A StatefulSet is gone.
    StatefulSetGone(ObjectKey),
    /// A Backup appeared or changed.
    Backup(Backup),
    /// A Backup is gone.
    BackupGone(ObjectKey),
    /// A snapshot of a claim was asked for, or changed.
    CutAsked(AskedCut),
    /// A snapshot got its handle: its volume is cut. (That the object vanishes later undoes nothing.)
    Cut(Cut),
    /// A member Lease appeared or changed. The key is the Lease's own namespace and name.
    MemberLease(ObjectKey, Observed<MemberLease>),
    /// A member Lease is gone.
    MemberLeaseGone(ObjectKey),
    /// A group Lease appeared or changed; the key is what its namespace and group label say.
    GroupLease(GroupKey, Observed<GroupLease>),
    /// A group Lease is gone.
    GroupLeaseGone(GroupKey),
    /// The budget Lease appeared or changed.
    Budget(Observed<BudgetLease>),
    /// The budget Lease is gone (or was never there).
    BudgetGone,
    /// The limiter Lease appeared or changed.
    Limiter(Observed<LimiterLease>),
    /// The limiter Lease is gone (or was never there).
    LimiterGone,
    /// A source has something to tell about throttling.
    Signal(Signal),
    /// A command ended.
    Outcome(Target, Outcome),
    /// Time passed: the shell sends one when [`crate::step::Step::wake_ms`] is over.
    Tick,
}
