//! What an operator may set about the plan, checked once.

use super::minute::{MINUTES_PER_DAY, Minute};
use super::settings_error::SettingsError;

/// The window when none is set, h (the original's default).
pub const BACKUP_WINDOW_DEFAULT_HOURS: u32 = 24;

/// The largest budget of a plan, volumes: EBS keeps 100,000 snapshots a Region by default, so more at once is past every use.
pub const PLAN_BUDGET_MAX: u32 = 100_000;

/// The most backups at once that a plan may count on. Velero itself sets no limit; each takes memory of the server and a pod's exec.
pub const CONCURRENT_BACKUPS_MAX: u32 = 10_000;

/// The most that a Backup lasts in a plan, s: a day. What takes longer overlaps itself and needs another cure.
pub const RUN_MAX_S: u32 = 86_400;

/// The furthest that a place's time is from UTC, min: UTC+14 (Kiribati); the other side is nearer.
const UTC_OFFSET_MAX_MIN: u32 = 14 * 60;

/// How long an unknown group's snapshots are expected to be in flight, s. AWS promises nothing; incremental snapshots of ordinary volumes take minutes.
pub const IN_FLIGHT_DEFAULT_S: u32 = 300;

/// What a Backup takes inside Velero besides its volumes, s: lists, hooks, the upload of its archive. Seen on 1.18.3: 3 to 10 s.
pub const OCCUPIES_BASE_DEFAULT_S: u32 = 10;

/// What each volume adds to that, s: Velero polls a CSI snapshot's handle every 5 s, one volume after another (`volume_snapshot.go`).
pub const OCCUPIES_PER_VOLUME_DEFAULT_S: u32 = 5;

/// How long Velero 1.18 may stay idle between two queued backups when it runs one at a time, s (`defaultQueuedBackupRecheckFrequency`; seen: 39 to 51 s).
pub const HANDOVER_ONE_AT_A_TIME_S: u32 = 60;

/// The same when it runs several: seen 1.3 to 1.7 s, and EBS wants 15 s between two snapshots of one volume.
pub const HANDOVER_SEVERAL_S: u32 = 15;

/// What was set, not yet checked. Times are UTC: who knows the time zone converts them for the day that is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// Where the window begins.
    pub window_start: Minute,
    /// Its length, h: 1 to 24.
    pub window_hours: u32,
    /// Spans in which nothing may be in flight.
    pub excluded: Vec<ExcludedSpan>,
    /// Volumes that may be in flight at once: 1 to [`PLAN_BUDGET_MAX`].
    pub budget: u32,
    /// Velero's `--concurrent-backups`: 1 to [`CONCURRENT_BACKUPS_MAX`]. Velero before 1.18 has 1.
    pub concurrent_backups: u32,
    /// See [`IN_FLIGHT_DEFAULT_S`]: 1 to [`RUN_MAX_S`].
    pub in_flight_default_s: u32,
    /// How far local time is ahead of UTC on the day that is planned, min. It is used only to tell that the clocks were
    /// changed since a slot was planned, so that the slot keeps its local time. 0 for who lives by UTC.
    pub utc_offset_min: i32,
}

impl Default for PlanInput {
    fn default() -> Self {
        Self {
            window_start: Minute::MIDNIGHT,
            window_hours: BACKUP_WINDOW_DEFAULT_HOURS,
            excluded: Vec::new(),
            budget: crate::settings::MAX_CONCURRENT_SNAPSHOTS_DEFAULT,
            concurrent_backups: 1,
            in_flight_default_s: IN_FLIGHT_DEFAULT_S,
            utc_offset_min: 0,
        }
    }
}

/// A span of the day in which nothing may be in flight, from its start for its length (across midnight where need be).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExcludedSpan {
    /// UTC.
    pub start: Minute,
    /// Minutes: 1 to 1,440.
    pub length_min: u16,
}

/// Settings that a plan can be made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSettings {
    window_start: Minute,
    window_min: u32,
    open: Vec<bool>,
    budget: u32,
    concurrent_backups: u32,
    in_flight_default_s: u32,
    utc_offset_min: i32,
}

impl PlanSettings {
    /// Checks what was set. Each error names field and value.
    pub fn new(input: &PlanInput) -> Result<Self, SettingsError> {
        let PlanInput {
            window_start,
            window_hours,
            excluded,
            budget,
            concurrent_backups,
            in_flight_default_s,
            utc_offset_min,
        } = input;
        if utc_offset_min.unsigned_abs() > UTC_OFFSET_MAX_MIN {
            return Err(SettingsError::UtcOffset { value: *utc_offset_min });
        }
        range("backup window hours", *window_hours, 1, 24)?;
        range("max concurrent snapshots", *budget, 1, PLAN_BUDGET_MAX)?;
        range("concurrent backups", *concurrent_backups, 1, CONCURRENT_BACKUPS_MAX)?;
        range("default expected duration (s)", *in_flight_default_s, 1, RUN_MAX_S)?;
        let mut open = vec![false; usize::from(MINUTES_PER_DAY)];
        for offset in 0..window_hours * 60 {
            open[window_start.plus(offset).index()] = true;
        }
        for span in excluded {
            range("length of an excluded span (min)", span.length_min.into(), 1, MINUTES_PER_DAY.into())?;
            for offset in 0..u32::from(span.length_min) {
                open[span.start.plus(offset).index()] = false;
            }
        }
        if !open.contains(&true) {
            return Err(SettingsError::NothingOpen { window_hours: *window_hours, start: window_start.to_string() });
        }
        Ok(Self {
            window_start: *window_start,
            window_min: window_hours * 60,
            open,
            budget: *budget,
            concurrent_backups: *concurrent_backups,
            in_flight_default_s: *in_flight_default_s,
            utc_offset_min: *utc_offset_min,
        })
    }

    /// Where the window begins.
    pub const fn window_start(&self) -> Minute {
        self.window_start
    }

    /// The window's length, min, excluded minutes included.
    pub const fn window_min(&self) -> u32 {
        self.window_min
    }

    /// For each of the day's 1,440 minutes, whether something may be in flight in it.
    pub fn open(&self) -> &[bool] {
        &self.open
    }

    /// Whether something may be in flight in this minute.
    pub fn is_open(&self, minute: Minute) -> bool {
        self.open[minute.index()]
    }

    /// Minutes of the day in which something may be in flight: 1 to 1,440.
    pub fn open_min(&self) -> u32 {
        self.open.iter().map(|open| u32::from(*open)).sum()
    }

    /// Volumes that may be in flight at once.
    pub const fn budget(&self) -> u32 {
        self.budget
    }

    /// Backups that Velero runs at once.
    pub const fn concurrent_backups(&self) -> u32 {
        self.concurrent_backups
    }

    /// What an unknown group's run is expected to last, s.
    pub const fn in_flight_default_s(&self) -> u32 {
        self.in_flight_default_s
    }

    /// How far local time is ahead of UTC, min.
    pub const fn utc_offset_min(&self) -> i32 {
        self.utc_offset_min
    }

    /// A number for the open minutes in local time: another one says that somebody set the window anew, which justifies
    /// moving groups. A change of the clocks leaves it as it is.
    pub fn window_mark(&self) -> u32 {
        // FNV-1a, 32 bits: it must be the same on every machine and in every version.
        (0..i64::from(MINUTES_PER_DAY)).fold(0x811c_9dc5_u32, |hash, local| {
            let open = self.is_open(Minute::wrapping(local - i64::from(self.utc_offset_min)));
            (hash ^ u32::from(open)).wrapping_mul(0x0100_0193)
        })
    }

    /// These settings with another window, budget or number of backups at once: what would the night look like then?
    #[must_use]
    pub fn with(&self, fix: super::plan::Fix) -> Self {
        use super::plan::Fix;
        let mut other = self.clone();
        match fix {
            Fix::WindowHours(hours) => {
                let closed: Vec<bool> =
                    (0..self.window_min).map(|n| !self.is_open(self.window_start.plus(n))).collect();
                other.window_min = (hours * 60).min(MINUTES_PER_DAY.into());
                other.open.fill(false);
                for n in 0..other.window_min {
                    let excluded = closed.get(n as usize).is_some_and(|closed| *closed);
                    other.open[self.window_start.plus(n).index()] = !excluded;
                }
            }
            Fix::Budget(budget) => other.budget = budget.min(PLAN_BUDGET_MAX),
            Fix::ConcurrentBackups(count) => other.concurrent_backups = count.min(CONCURRENT_BACKUPS_MAX),
            Fix::PlanAnew { .. } | Fix::SplitNamespaces => {}
        }
        other
    }

    /// How long after a Backup has left InProgress the next one can be counted on to begin, s.
    pub const fn handover_s(&self) -> u32 {
        if self.concurrent_backups == 1 { HANDOVER_ONE_AT_A_TIME_S } else { HANDOVER_SEVERAL_S }
    }
}

fn range(field: &'static str, value: u32, least: u32, most: u32) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(SettingsError::Range { field, value: value.into(), least: least.into(), most: most.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut PlanInput)) -> Result<PlanSettings, String> {
        let mut input = PlanInput::default();
        change(&mut input);
        PlanSettings::new(&input).map_err(|e| e.to_string())
    }

    #[test]
    fn errors_name_field_and_value() {
        for (result, words) in [
            (check(|i| i.window_hours = 0), ["backup window hours is 0", "1 to 24"]),
            (check(|i| i.window_hours = 25), ["backup window hours is 25", "1 to 24"]),
            (check(|i| i.budget = 0), ["max concurrent snapshots is 0", "1 to"]),
            (check(|i| i.concurrent_backups = 0), ["concurrent backups is 0", "1 to"]),
            (check(|i| i.in_flight_default_s = 0), ["default expected duration (s) is 0", "1 to"]),
        ] {
            let error = result.unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
        let all = ExcludedSpan { start: Minute::MIDNIGHT, length_min: 1_440 };
        assert!(check(|i| i.excluded = vec![all]).unwrap_err().contains("no minute"));
        let none = ExcludedSpan { start: Minute::MIDNIGHT, length_min: 0 };
        assert!(check(|i| i.excluded = vec![none]).unwrap_err().contains("excluded span"));
    }

    #[test]
    fn a_window_across_midnight_with_a_lunch_break() {
        let at = |text: &str| text.parse::<Minute>().unwrap();
        let settings = check(|i| {
            i.window_start = at("22:00");
            i.window_hours = 8;
            i.excluded = vec![ExcludedSpan { start: at("23:30"), length_min: 60 }];
        })
        .unwrap();
        assert_eq!(settings.open_min(), 7 * 60);
        for (minute, open) in
            [("21:59", false), ("22:00", true), ("23:30", false), ("00:29", false), ("00:30", true), ("06:00", false)]
        {
            assert_eq!(settings.is_open(at(minute)), open, "{minute}");
        }
    }
}
