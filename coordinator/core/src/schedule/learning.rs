//! How long a group's next run will take, from how long its last ones took.

use shared::time::WallTime;

use super::demand::{ExpectedRun, Learned};
use super::live::PlannedLoad;
use super::settings::{OCCUPIES_BASE_DEFAULT_S, OCCUPIES_PER_VOLUME_DEFAULT_S, PlanSettings, RUN_MAX_S};

/// How many of the last runs are looked at. Seven nights are a week: a weekly batch job among them does not sway the median.
pub const RUNS_LOOKED_AT_MAX: usize = 7;

/// An expectation stays as it was while the median is within this part of it (1/4), so that jitter moves no slot.
const HYSTERESIS_PART: u32 = 4;

/// When a Backup that has ended began and ended: `status.startTimestamp` and `status.completionTimestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FinishedRun {
    /// Its start.
    pub started: WallTime,
    /// Its end.
    pub ended: WallTime,
}

/// What to expect of a group's next run: the median of its last [`RUNS_LOOKED_AT_MAX`] runs, or the settings' default where none
/// makes sense. Runs that end before they start, at once, or more than a day later are nonsense and left out. `planned` is what the
/// live slot was chosen for: the expectation stays there while the median is near. Order and number of runs do not matter.
pub fn expected(
    runs: &[FinishedRun],
    volumes: u32,
    planned: Option<&PlannedLoad>,
    settings: &PlanSettings,
) -> ExpectedRun {
    let mut recent: Vec<(WallTime, u32)> = runs.iter().filter_map(|run| Some((run.started, length_s(run)?))).collect();
    recent.sort_unstable();
    let skip = recent.len().saturating_sub(RUNS_LOOKED_AT_MAX);
    let mut lengths: Vec<u32> = recent.into_iter().skip(skip).map(|(_, length_s)| length_s).collect();
    lengths.sort_unstable();
    // Of an even number the longer middle one: a slot that is too long costs less than one that is too short.
    let (in_flight_s, learned) = match lengths.get(lengths.len() / 2) {
        Some(median) => {
            (steady(*median, planned), Learned::Runs { count: u8::try_from(lengths.len()).unwrap_or(u8::MAX) })
        }
        None => (settings.in_flight_default_s(), Learned::Default),
    };
    ExpectedRun { in_flight_s, occupies_s: occupies_s(volumes).min(in_flight_s), learned }
}

/// How long a Backup of so many volumes is InProgress, s. Timestamps do not tell it apart from the wait for pending snapshots
/// that follows, so it is reckoned from what Velero does in it.
pub fn occupies_s(volumes: u32) -> u32 {
    OCCUPIES_PER_VOLUME_DEFAULT_S.saturating_mul(volumes).saturating_add(OCCUPIES_BASE_DEFAULT_S).min(RUN_MAX_S)
}

fn length_s(run: &FinishedRun) -> Option<u32> {
    let micros = run.ended.as_micros().checked_sub(run.started.as_micros())?;
    let seconds = u32::try_from(micros.max(0).cast_unsigned().div_ceil(1_000_000)).ok()?;
    (1..=RUN_MAX_S).contains(&seconds).then_some(seconds)
}

fn steady(median_s: u32, planned: Option<&PlannedLoad>) -> u32 {
    planned
        .map(|load| load.in_flight_s)
        .filter(|was| (1..=RUN_MAX_S).contains(was) && was.abs_diff(median_s) <= was / HYSTERESIS_PART)
        .unwrap_or(median_s)
}

#[cfg(test)]
mod tests {
    use super::super::settings::PlanInput;
    use super::*;
    use proptest::prelude::*;

    fn planned_for(in_flight_s: u32) -> PlannedLoad {
        PlannedLoad {
            volumes: 3,
            in_flight_s,
            occupies_s: 25,
            utc_offset_min: 0,
            window_mark: 0,
            budget: 5,
            concurrent_backups: 1,
        }
    }

    fn run(day: i64, length_s: i64) -> FinishedRun {
        let started = day * 86_400;
        FinishedRun {
            started: WallTime::from_micros(started * 1_000_000),
            ended: WallTime::from_micros((started + length_s) * 1_000_000),
        }
    }

    fn check(lengths: &[i64], planned: Option<u32>) -> (u32, Learned) {
        let runs: Vec<FinishedRun> = (10..).zip(lengths).map(|(day, length)| run(day, *length)).collect();
        let load = |in_flight_s| planned_for(in_flight_s);
        let settings = PlanSettings::new(&PlanInput::default()).unwrap();
        let expected = expected(&runs, 3, planned.map(load).as_ref(), &settings);
        (expected.in_flight_s, expected.learned)
    }

    #[test]
    fn the_median_of_the_last_week() {
        assert_eq!(check(&[], None), (300, Learned::Default));
        assert_eq!(check(&[100], None), (100, Learned::Runs { count: 1 }));
        assert_eq!(check(&[100, 200], None), (200, Learned::Runs { count: 2 }));
        // Old runs are forgotten, one long night does not sway it.
        assert_eq!(
            check(&[9_000, 9_000, 100, 110, 120, 7_000, 130, 140, 150], None),
            (130, Learned::Runs { count: 7 })
        );
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(check(&[-50, 0, 86_401, 1_000_000], None), (300, Learned::Default));
        assert_eq!(check(&[-50, 0, 400, 86_401], None), (400, Learned::Runs { count: 1 }));
    }

    #[test]
    fn an_expectation_stays_while_the_median_is_near() {
        assert_eq!(check(&[125], Some(100)).0, 100);
        assert_eq!(check(&[126], Some(100)).0, 126);
        assert_eq!(check(&[100], Some(0)).0, 100);
    }

    proptest! {
        #[test]
        fn never_outside_its_range(
            times in prop::collection::vec((any::<i64>(), any::<i64>()), 0..12), volumes: u32, was: u32,
        ) {
            let runs: Vec<FinishedRun> = times
                .into_iter()
                .map(|(a, b)| FinishedRun { started: WallTime::from_micros(a), ended: WallTime::from_micros(b) })
                .collect();
            let settings = PlanSettings::new(&PlanInput::default()).unwrap();
            let load = planned_for(was);
            let run = expected(&runs, volumes, Some(&load), &settings);
            prop_assert!((1..=RUN_MAX_S).contains(&run.in_flight_s) && run.occupies_s <= run.in_flight_s);
        }
    }
}
