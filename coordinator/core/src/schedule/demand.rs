//! What one group asks of the night: how many volumes, for how long, how often, and when if that is not free.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use shared::identity::GroupKey;

use super::minute::Minute;

/// Pending snapshots that EBS allows a volume at once: 5 for gp2, gp3, io1, io2 and standard volumes, 1 for st1 and sc1
/// (AWS, "Quotas for Amazon EBS"; not adjustable).
pub const PENDING_PER_VOLUME_DEFAULT: NonZeroU8 = NonZeroU8::new(5).unwrap();

/// A group to plan. What its Schedule contains besides its time (storage location, ttl, hooks) is no matter of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The group. Two demands of one key are a finding; the first is planned.
    pub key: GroupKey,
    /// Volumes that are cut together: the group's weight. 0 is allowed (a group whose claims are not bound yet).
    pub volumes: u32,
    /// The volumes' ids where they are known; may be fewer than `volumes`. They tell which groups share a volume, and may
    /// therefore not run close together (EBS: one snapshot of a volume per 15 s). Empty when nothing is known.
    pub volume_ids: Vec<VolumeId>,
    /// How long one run takes.
    pub run: ExpectedRun,
    /// How often, and when.
    pub when: When,
    /// Who goes first: larger is earlier in the window, and keeps its place where the window is too small. 0 is usual.
    pub priority: i8,
    /// The fewest pending snapshots that EBS allows any of the group's volumes; see [`PENDING_PER_VOLUME_DEFAULT`].
    pub pending_per_volume_max: NonZeroU8,
}

/// How often a group is backed up, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Not at all: somebody asked for that. The plan lists such groups, so that nobody wonders.
    Skip,
    /// The planner chooses; several runs are whole hours apart, evenly over the window as far as it allows.
    Free {
        /// Runs a day.
        runs_per_day: NonZeroU8,
    },
    /// Exactly then (UTC), inside the window or not. Empty counts as once a day, free.
    Fixed(BTreeSet<Minute>),
}

impl When {
    /// Once a day, when the planner likes.
    pub const DAILY: Self = Self::Free { runs_per_day: NonZeroU8::MIN };
}

/// How long one run of a group is expected to take, s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedRun {
    /// From the Backup's start to its end, pending snapshots included where Velero waits for them (CSI).
    pub in_flight_s: u32,
    /// How long of that it is InProgress: it holds one of Velero's places for concurrent backups, and its namespace, just
    /// that long (Velero starts the next one while a Backup waits for plugin operations: seen on 1.18.3). Never more than `in_flight_s`.
    pub occupies_s: u32,
    /// Where the length was learned.
    pub learned: Learned,
}

/// Where an expected length comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// From no run yet: the settings' default.
    Default,
    /// The median of this many finished Backups.
    Runs {
        /// How many were looked at, after nonsense was left out.
        count: u8,
    },
}

/// An EBS volume's id as a number: `vol-` and up to 17 hex digits fit into it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeId(u128);

impl VolumeId {
    /// Reads `vol-0123456789abcdef0`, also at the end of an in-tree `aws://zone/vol-…`. None for what is no such id.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.rsplit('/').next().unwrap_or(text);
        let digits = id.strip_prefix("vol-")?;
        let plain = (1..=17).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        // The number of digits is kept, so that `vol-1` and `vol-01` differ.
        let length = u128::try_from(digits.len()).ok()? << 120;
        u128::from_str_radix(digits, 16).ok().filter(|_| plain).map(|n| Self(n | length))
    }

    /// 64 bits of it: equal ids have equal ones; different ids nearly always differ.
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    pub(super) const fn folded(self) -> u64 {
        (self.0 ^ (self.0 >> 64)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_ids_are_read_exactly() {
        let id = |text| VolumeId::parse(text);
        assert!(id("vol-0123456789abcdef0").is_some());
        assert_eq!(id("aws://eu-west-1a/vol-0123456789abcdef0"), id("vol-0123456789abcdef0"));
        assert_ne!(id("vol-1"), id("vol-01"));
        for bad in ["", "vol-", "vol-xyz", "vol-0123456789abcdef01", "snap-0123", "vol-+1", "vol-0A"] {
            assert_eq!(id(bad), None, "`{bad}`");
        }
    }
}
