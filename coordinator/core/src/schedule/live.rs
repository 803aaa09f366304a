//! What is set now: each generated Schedule's minutes, and the load that they were chosen for.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::GroupKey;

use super::minute::Minute;

/// The slots of the Schedules that this product owns, as they stand in the cluster (or in the files that stand for it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LivePlan {
    /// By group. A group that is not in here is new; one in here that is not demanded is gone.
    pub slots: BTreeMap<GroupKey, LiveSlot>,
}

/// One live Schedule's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSlot {
    /// UTC minutes that its cron names. A cron that is no daily one has none: the group gets a new slot.
    pub minutes: BTreeSet<Minute>,
    /// The load that it was planned with, as the Schedule's annotations say; none where they do not. It tells a group that
    /// changed from one that did not: only changes justify moving others, and an unknown load counts as a change.
    pub planned: Option<PlannedLoad>,
}

/// The load that a slot was chosen for. Write it beside the slot and hand it back with the live plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedLoad {
    /// See [`super::demand::Demand::volumes`].
    pub volumes: u32,
    /// See [`super::demand::ExpectedRun::in_flight_s`].
    pub in_flight_s: u32,
    /// See [`super::demand::ExpectedRun::occupies_s`].
    pub occupies_s: u32,
}
