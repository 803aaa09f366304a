//! How a group may be held still: what its workload's annotations say, or else the operator's flags.

use shared::duration::parse_ms;
use shared::identity::GroupKey;
use shared::names::{ANNOTATION_FROZEN_MAX, ANNOTATION_FROZEN_TIME_MAX, ANNOTATION_THAW_ON_CUT};

use crate::state::State;

/// The most members that a limit of members may name; a group has no more.
const FROZEN_MAX_RANGE: std::ops::RangeInclusive<u32> = 1..=1_000;

/// From a second to an hour, ms: what is shorter than a snapshot ends every hold before its cut.
const FROZEN_TIME_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// When a member lets go once its volumes are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThawOnCut {
    /// When all of the group is cut; at its own cut once the group cannot be cut as one any more.
    #[default]
    Group,
    /// At its own cut: held for the shortest time, and never group-consistent where cuts come one after another.
    Member,
    /// Never: its post hook lets go.
    Off,
}

/// How a group may be held still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldPolicy {
    /// When a member lets go once its volumes are cut.
    pub thaw: ThawOnCut,
    /// So many members may be held at once.
    pub frozen_max: Option<u32>,
    /// The group may be held for this long in all, ms, from its first member's hold on.
    pub frozen_time_max_ms: Option<u64>,
}

/// An annotation that says something impossible and is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Its key, without the product's prefix.
    pub annotation: &'static str,
    /// Kind, namespace and name of the object.
    pub object: String,
    /// What stands there.
    pub value: String,
    /// What it must be.
    pub rule: &'static str,
}

/// What [`ThawOnCut`]'s words must be.
pub const THAW_RULE: &str = "group, member or off";
/// What a limit of members must be.
pub const FROZEN_MAX_RULE: &str = "a whole number of members from 1 to 1000";
/// What a limit of time must be.
pub const FROZEN_TIME_RULE: &str = "a time from 1s to 1h, such as 20s";

/// Reads when to let go.
pub fn parse_thaw(text: &str) -> Option<ThawOnCut> {
    match text {
        "group" => Some(ThawOnCut::Group),
        "member" => Some(ThawOnCut::Member),
        "off" => Some(ThawOnCut::Off),
        _ => None,
    }
}

/// Reads how many members may be held at once.
pub fn parse_frozen_max(text: &str) -> Option<u32> {
    text.parse().ok().filter(|members| FROZEN_MAX_RANGE.contains(members))
}

/// Reads for how long a group may be held, ms.
pub fn parse_frozen_time_ms(text: &str) -> Option<u64> {
    parse_ms(text).ok().filter(|ms| FROZEN_TIME_MS.contains(ms))
}

impl State {
    /// The policy of a group, and which annotations are ignored.
    pub(crate) fn policy_of(&self, key: &GroupKey) -> (HoldPolicy, Vec<Complaint>) {
        let mut policy = self.settings.policy;
        let mut complaints = Vec::new();
        let mut said = |annotation: &'static str, rule| {
            let (object, value) = self.world.annotation(key, annotation)?;
            complaints.push(Complaint { annotation, object, value: value.clone(), rule });
            Some(value)
        };
        let thaw = said(short(ANNOTATION_THAW_ON_CUT), THAW_RULE);
        let frozen_max = said(short(ANNOTATION_FROZEN_MAX), FROZEN_MAX_RULE);
        let time = said(short(ANNOTATION_FROZEN_TIME_MAX), FROZEN_TIME_RULE);
        let thaw = thaw.as_deref().and_then(parse_thaw);
        let frozen_max = frozen_max.as_deref().and_then(parse_frozen_max);
        let time = time.as_deref().and_then(parse_frozen_time_ms);
        policy.thaw = thaw.unwrap_or(policy.thaw);
        policy.frozen_max = frozen_max.or(policy.frozen_max);
        policy.frozen_time_max_ms = time.or(policy.frozen_time_max_ms);
        complaints.retain(|complaint| match complaint.rule {
            THAW_RULE => thaw.is_none(),
            FROZEN_MAX_RULE => frozen_max.is_none(),
            _ => time.is_none(),
        });
        (policy, complaints)
    }
}

fn short(key: &'static str) -> &'static str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{group, grouped_pod, settings};

    #[test]
    fn what_a_workload_says_stands_before_the_flags_and_nonsense_is_named() {
        let mut state = State::new(settings());
        state.settings.policy.frozen_max = Some(2);
        let mut pod = grouped_pod("prod", "db-0", "g", &[]);
        pod.annotations.set("thaw-on-cut", "member");
        pod.annotations.set("frozen-time-max", "0s");
        state.world.put_pod(pod);
        let (policy, complaints) = state.policy_of(&group("prod", "g"));
        assert_eq!(policy, HoldPolicy { thaw: ThawOnCut::Member, frozen_max: Some(2), frozen_time_max_ms: None });
        let said: Vec<_> = complaints.iter().map(|c| (c.annotation, c.object.as_str(), c.value.as_str())).collect();
        assert_eq!(said, [("frozen-time-max", "pod prod/db-0", "0s")]);
        assert_eq!(
            (parse_frozen_max("0"), parse_frozen_max("3"), parse_frozen_time_ms("20s")),
            (None, Some(3), Some(20_000))
        );
    }
}
