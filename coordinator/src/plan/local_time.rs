//! How local time and UTC lie to each other on the day that is planned, and when that changes.

use coordinator_core::schedule::minute::Minute;
use coordinator_core::schedule::settings::{ExcludedSpan, PlanInput};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::cli::ScheduleFlags;

/// A change of the clocks that is nearer than this is told, days: the month in which slots will move.
const CHANGE_TOLD_DAYS: i64 = 31;

/// Local time on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The zone's name.
    pub zone: String,
    /// The day that is planned.
    pub day: Date,
    /// Minutes that local time is ahead of UTC when the window begins.
    pub offset_min: i32,
    /// The next change of the clocks: its day, and the offset from then on, min.
    pub next_change: Option<(Date, i32)>,
}

impl LocalTime {
    /// On `day`, or today.
    pub fn new(zone: &TimeZone, day: Option<Date>, window_start_min: u32, now: Timestamp) -> Self {
        let day = day.unwrap_or_else(|| zone.to_datetime(now).date());
        let hour = i8::try_from(window_start_min / 60).unwrap_or(0);
        let minute = i8::try_from(window_start_min % 60).unwrap_or(0);
        let start = day.to_datetime(Time::new(hour, minute, 0, 0).unwrap_or(Time::midnight()));
        // A time that the clocks skip or repeat is taken as jiff's "compatible" rule does, as RFC 5545 asks.
        let at = zone.to_ambiguous_timestamp(start).compatible().unwrap_or(now);
        let horizon = at.checked_add((CHANGE_TOLD_DAYS * 24).hours()).unwrap_or(at);
        let next_change = zone
            .following(at)
            .find(|change| change.offset().seconds() / 60 != offset_min(zone, at))
            .filter(|change| change.timestamp() <= horizon)
            .map(|change| (zone.to_datetime(change.timestamp()).date(), change.offset().seconds() / 60));
        Self { zone: zone.iana_name().unwrap_or("UTC").to_owned(), day, offset_min: offset_min(zone, at), next_change }
    }

    /// A UTC minute in local time.
    pub fn local(&self, utc: Minute) -> Minute {
        Minute::wrapping(i64::from(utc.get()) + i64::from(self.offset_min))
    }

    /// A local minute in UTC.
    pub fn utc(&self, local_min: u32) -> Minute {
        Minute::wrapping(i64::from(local_min) - i64::from(self.offset_min))
    }

    /// `+02:00`.
    pub fn offset(&self) -> String {
        offset_text(self.offset_min)
    }
}

/// `+02:00`.
pub fn offset_text(offset_min: i32) -> String {
    let sign = if offset_min < 0 { '-' } else { '+' };
    let minutes = offset_min.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn offset_min(zone: &TimeZone, at: Timestamp) -> i32 {
    zone.to_offset(at).seconds() / 60
}

/// The planner's settings, in UTC.
pub fn plan_input(flags: &ScheduleFlags, time: &LocalTime) -> PlanInput {
    PlanInput {
        window_start: time.utc(flags.backup_window_start.0),
        window_hours: flags.backup_window_hours,
        excluded: flags
            .excluded_hours
            .0
            .iter()
            .map(|(start, length)| ExcludedSpan {
                start: time.utc(*start),
                length_min: u16::try_from(*length).unwrap_or(u16::MAX),
            })
            .collect(),
        budget: flags.max_concurrent_snapshots,
        concurrent_backups: flags.concurrent_backups,
        in_flight_default_s: flags.expected_duration.0,
        utc_offset_min: time.offset_min,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(zone: &str, day: &str, start_min: u32) -> LocalTime {
        let zone = TimeZone::get(zone).unwrap();
        LocalTime::new(&zone, Some(day.parse().unwrap()), start_min, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn summer_and_winter_and_the_change_between() {
        let winter = on("Europe/Berlin", "2026-01-15", 22 * 60);
        assert_eq!((winter.offset_min, winter.next_change, winter.offset().as_str()), (60, None, "+01:00"));
        assert_eq!(winter.utc(22 * 60).to_string(), "21:00");
        assert_eq!(winter.local(winter.utc(30)).to_string(), "00:30");
        let march = on("Europe/Berlin", "2026-03-15", 0);
        assert_eq!(march.next_change, Some(("2026-03-29".parse().unwrap(), 120)));
        // The window of that night begins before the change, and one that begins at 03:00 after it.
        assert_eq!(on("Europe/Berlin", "2026-03-29", 0).offset_min, 60);
        assert_eq!(on("Europe/Berlin", "2026-03-29", 180).offset_min, 120);
        assert_eq!(on("Europe/Berlin", "2026-03-29", 150).offset_min, 120, "02:30 does not exist; it is 03:30");
    }

    #[test]
    fn zones_that_are_not_whole_hours_away_or_never_change() {
        assert_eq!(on("Asia/Kathmandu", "2026-06-01", 0).offset().as_str(), "+05:45");
        assert_eq!(on("America/St_Johns", "2026-01-01", 0).offset_min, -210);
        let utc = on("UTC", "2026-06-01", 0);
        assert_eq!((utc.offset_min, utc.next_change, utc.zone.as_str()), (0, None, "UTC"));
    }
}
