//! How single values of flags are read, and what is said when they are wrong.

use std::fmt;
use std::ops::RangeInclusive;

use coordinator_core::inventory::{selector_text, wishes};
use coordinator_core::schedule::settings::RUN_MAX_S;
use coordinator_core::settings::{MAX_CONCURRENT_SNAPSHOTS_RANGE, ModeSetting};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shared::admission::Mode;
use shared::deadline::{HOOK_TIMEOUT_MAX_MS, HOOK_TIMEOUT_MIN_MS};
use shared::duration::{format_ms, parse_ms};

use super::schedule_flags::LabelSelector;

/// A length of time in ms, as a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ms(pub u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_ms(self.0))
    }
}

/// A length of time in whole s, as a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u32);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_ms(u64::from(self.0) * 1_000))
    }
}

/// A length of time in whole h, as a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours(pub u32);

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}h", self.0)
    }
}

/// A minute of the day in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(pub u32);

/// Spans of local time: first minute of the day, and length in minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalHours(pub Vec<(u32, u32)>);

/// Stalls shorter than this would degrade every barrier, ms: parallel hooks themselves start 0.1 s apart.
const BARRIER_STALL_MS: RangeInclusive<u64> = 100..=3_600_000;

/// From a second (tests) to a day, ms: Velero's own cap for one hook is 4 h.
const ROUND_DURATION_MS: RangeInclusive<u64> = 1_000..=86_400_000;

/// Up to an hour, ms: a longer pause inside one Backup is a stuck Backup.
const ROUND_IDLE_MS: RangeInclusive<u64> = 100..=3_600_000;

/// Up to a minute, ms: clocks that are further apart prove nothing about a cut.
const CLOCK_ERROR_MS: RangeInclusive<u64> = 0..=60_000;

/// More workers than this are a typing error: each holds a Backup's whole state.
const WORKERS: RangeInclusive<u32> = 1..=1_000;

fn whole_number(text: &str, unit: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    match text.trim().parse::<u32>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("it must be a whole number of {unit} from {} to {}", range.start(), range.end())),
    }
}

fn length(text: &str, range: &RangeInclusive<u64>) -> Result<Ms, String> {
    let ms = parse_ms(text).map_err(|why| why.to_string())?;
    if range.contains(&ms) {
        Ok(Ms(ms))
    } else {
        Err(format!("it must be from {} to {}", format_ms(*range.start()), format_ms(*range.end())))
    }
}

/// `--max-concurrent-snapshots`.
pub fn max_concurrent_snapshots(text: &str) -> Result<u32, String> {
    whole_number(text, "volumes", MAX_CONCURRENT_SNAPSHOTS_RANGE)
}

/// `--item-block-workers`.
pub fn item_block_workers(text: &str) -> Result<u32, String> {
    whole_number(text, "workers", WORKERS)
}

/// `--barrier-stall`.
pub fn barrier_stall(text: &str) -> Result<Ms, String> {
    length(text, &BARRIER_STALL_MS)
}

/// `--round-duration`; a part of a second counts as a whole one.
pub fn round_duration(text: &str) -> Result<Seconds, String> {
    let Ms(ms) = length(text, &ROUND_DURATION_MS)?;
    u32::try_from(ms.div_ceil(1_000)).map(Seconds).map_err(|_| "it is too long".to_owned())
}

/// `--round-idle`.
pub fn round_idle(text: &str) -> Result<Ms, String> {
    length(text, &ROUND_IDLE_MS)
}

/// `--clock-error`.
pub fn clock_error(text: &str) -> Result<Ms, String> {
    length(text, &CLOCK_ERROR_MS)
}

/// `--backup-window-hours`.
pub fn window_hours(text: &str) -> Result<u32, String> {
    whole_number(text, "hours", 1..=24)
}

/// `--backup-window-start`.
pub fn local_time(text: &str) -> Result<LocalTime, String> {
    wishes::time_of_day(text).map(LocalTime).map_err(|rule| format!("it {rule}"))
}

/// `--excluded-hours`.
pub fn excluded_hours(text: &str) -> Result<LocalHours, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(hours_span).collect::<Option<Vec<_>>>().map(LocalHours).ok_or_else(|| {
        "it must be hours of the day from 0 to 24 such as 8-12,18 (8:00 to 12:00 and 18:00 to 19:00); 22-2 goes across midnight"
            .to_owned()
    })
}

/// `8-12` or `18`, as its first minute and its length.
fn hours_span(text: &str) -> Option<(u32, u32)> {
    let hour = |text: &str| text.trim().parse::<u32>().ok().filter(|hour| *hour <= 24);
    let (from, to) = match text.split_once('-') {
        Some((from, to)) => (hour(from)?, hour(to)?),
        None => (hour(text)?, hour(text)? + 1),
    };
    let length = if to > from { to - from } else { to + 24 - from };
    (from < 24 && from != to && (1..=24).contains(&length)).then_some((from * 60, length * 60))
}

/// `--time-zone`.
pub fn time_zone(text: &str) -> Result<TimeZone, String> {
    let wrong = |_| "it must be a name of the IANA time zone database, such as Europe/Berlin or UTC".to_owned();
    TimeZone::get(text.trim()).map_err(wrong)
}

/// `--date`.
pub fn day(text: &str) -> Result<Date, String> {
    text.trim().parse().map_err(|_| "it must be a day such as 2026-03-29".to_owned())
}

/// `--expected-duration`; a part of a second counts as a whole one.
pub fn expected_duration(text: &str) -> Result<Seconds, String> {
    let Ms(ms) = length(text, &(1_000..=u64::from(RUN_MAX_S) * 1_000))?;
    u32::try_from(ms.div_ceil(1_000)).map(Seconds).map_err(|_| "it is too long".to_owned())
}

/// `--retention`; a part of an hour counts as a whole one.
pub fn retention(text: &str) -> Result<Hours, String> {
    wishes::ttl_hours(text.trim()).map(Hours).map_err(|rule| format!("it {rule}"))
}

/// `--hook-timeout`.
pub fn hook_timeout(text: &str) -> Result<Ms, String> {
    length(text, &(HOOK_TIMEOUT_MIN_MS..=HOOK_TIMEOUT_MAX_MS))
}

/// `--resource-label-selector` where it is not only handed on.
pub fn selector(text: &str) -> Result<LabelSelector, String> {
    selector_text::parse(text).map(LabelSelector).map_err(|wrong| wrong.to_string())
}

/// `--mode`.
pub fn mode(text: &str) -> Result<ModeSetting, String> {
    match (text, Mode::parse(text)) {
        ("auto", _) => Ok(ModeSetting::Auto),
        (_, Some(mode)) => Ok(ModeSetting::Fixed(mode)),
        (_, None) => Err("it must be auto, arrive-and-go or barrier".to_owned()),
    }
}

/// A switch with a value, in any case of letters, as the original read it.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("it must be true or false".to_owned()),
    }
}

/// A value that the API takes as it is, but not an empty one.
pub fn not_empty(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("it must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_whole_number_in_its_range() {
        assert_eq!(max_concurrent_snapshots(" 5 "), Ok(5));
        assert_eq!(max_concurrent_snapshots("1000"), Ok(1_000));
        for text in ["0", "-1", "1e9", "5 snapshots", "1001", "5.0", "", "99999999999999999999", "٥"] {
            let said = max_concurrent_snapshots(text).unwrap_err();
            assert_eq!(said, "it must be a whole number of volumes from 1 to 1000", "{text}");
        }
    }

    #[test]
    fn lengths_have_units_and_bounds() {
        assert_eq!(barrier_stall("5s"), Ok(Ms(5_000)));
        assert_eq!(round_duration("4h"), Ok(Seconds(14_400)));
        assert_eq!(round_duration("1500ms"), Ok(Seconds(2)));
        assert_eq!(clock_error("0"), Ok(Ms(0)));
        assert!(barrier_stall("5").unwrap_err().contains("no unit"));
        assert_eq!(round_duration("0s").unwrap_err(), "it must be from 1s to 24h");
        assert!(round_idle("-1s").is_err());
    }

    #[test]
    fn windows_and_days() {
        assert_eq!((window_hours("24"), local_time("22:30")), (Ok(24), Ok(LocalTime(1_350))));
        for text in ["0", "25", "-1", "8h", ""] {
            assert_eq!(window_hours(text).unwrap_err(), "it must be a whole number of hours from 1 to 24", "{text}");
        }
        assert_eq!(excluded_hours("8-12, 18,22-2"), Ok(LocalHours(vec![(480, 240), (1_080, 60), (1_320, 240)])));
        assert_eq!(
            (excluded_hours(""), excluded_hours("0-24")),
            (Ok(LocalHours(vec![])), Ok(LocalHours(vec![(0, 1_440)])))
        );
        for text in ["25", "24", "8-8", "8:00-12:00", "a", "1-2-3", "-5"] {
            assert!(excluded_hours(text).unwrap_err().contains("8-12,18"), "{text}");
        }
        assert!(time_zone("Europe/Berlin").is_ok() && time_zone("UTC").is_ok());
        assert!(time_zone("Berlin/Europe").unwrap_err().contains("IANA"));
        assert!(day("2026-03-29").is_ok() && day("29.3.2026").is_err() && day("2026-02-30").is_err());
        assert_eq!(retention("30d"), Ok(Hours(720)));
        assert!(retention("0h").unwrap_err().starts_with("it must be from 1h"));
        assert!(hook_timeout("1s").unwrap_err().contains("from 3s to 4h"));
        assert!(selector("a=b=c").unwrap_err().contains("key in (a,b)"));
    }

    #[test]
    fn modes_and_switches() {
        assert_eq!(mode("auto"), Ok(ModeSetting::Auto));
        assert_eq!(mode("barrier"), Ok(ModeSetting::Fixed(Mode::Barrier)));
        assert!(mode("lead").is_err());
        assert_eq!((switch("True"), switch("0")), (Ok(true), Ok(false)));
        assert!(switch("maybe").is_err());
    }
}
