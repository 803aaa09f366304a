//! What is set now: each generated Schedule's minutes, and the load that they were chosen for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use shared::identity::{GroupKey, shorten};

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

/// What a slot was chosen for. The plan gives it with each slot: write its text beside the slot (an annotation of the
/// Schedule) and hand it back with the live plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedLoad {
    /// See [`super::demand::Demand::volumes`].
    pub volumes: u32,
    /// See [`super::demand::ExpectedRun::in_flight_s`].
    pub in_flight_s: u32,
    /// See [`super::demand::ExpectedRun::occupies_s`].
    pub occupies_s: u32,
    /// See [`super::settings::PlanInput::utc_offset_min`]: when the clocks change, slots keep their local time.
    pub utc_offset_min: i32,
    /// See [`super::settings::PlanSettings::window_mark`].
    pub window_mark: u32,
    /// Volumes that could be in flight at once.
    pub budget: u32,
    /// Backups that Velero ran at once.
    pub concurrent_backups: u32,
}

impl fmt::Display for PlannedLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { volumes, in_flight_s, occupies_s, utc_offset_min, window_mark, budget, concurrent_backups } = self;
        write!(f, "volumes={volumes},in-flight={in_flight_s},occupies={occupies_s},utc-offset={utc_offset_min}")?;
        write!(f, ",window={window_mark:08x},budget={budget},at-once={concurrent_backups}")
    }
}

/// A text that is no [`PlannedLoad`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{value}` does not say what a slot was planned for; it must be as the planner writes it: volumes=…,in-flight=…,occupies=…,utc-offset=…,window=…"
)]
pub struct NotAPlannedLoad {
    /// What stood there, shortened.
    pub value: String,
}

impl FromStr for PlannedLoad {
    type Err = NotAPlannedLoad;

    fn from_str(text: &str) -> Result<Self, NotAPlannedLoad> {
        read(text).ok_or_else(|| NotAPlannedLoad { value: shorten(text) })
    }
}

fn read(text: &str) -> Option<PlannedLoad> {
    let mut fields = text.split(',');
    let mut next = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let load = PlannedLoad {
        volumes: next("volumes")?.parse().ok()?,
        in_flight_s: next("in-flight")?.parse().ok()?,
        occupies_s: next("occupies")?.parse().ok()?,
        utc_offset_min: next("utc-offset")?.parse().ok()?,
        window_mark: u32::from_str_radix(next("window")?, 16).ok()?,
        budget: next("budget")?.parse().ok()?,
        concurrent_backups: next("at-once")?.parse().ok()?,
    };
    fields.next().is_none().then_some(load)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_planned_load_is_written_and_read(n in any::<[u32; 6]>(), utc_offset_min: i32) {
            let [volumes, in_flight_s, occupies_s, window_mark, budget, concurrent_backups] = n;
            let load = PlannedLoad { volumes, in_flight_s, occupies_s, utc_offset_min, window_mark, budget, concurrent_backups };
            prop_assert_eq!(load.to_string().parse(), Ok(load));
        }

        #[test]
        fn any_text_parses_or_errs(text in "(volumes=)?[0-9a-z=,-]{0,60}") {
            let _ = text.parse::<PlannedLoad>();
        }
    }
}
