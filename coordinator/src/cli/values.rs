//! How single values of flags are read, and what is said when they are wrong.

use std::fmt;
use std::ops::RangeInclusive;

use coordinator_core::inventory::{selector_text, wishes};
use coordinator_core::policy::{self, ThawOnCut};
use coordinator_core::schedule::settings::RUN_MAX_S;
use coordinator_core::settings::{MAX_CONCURRENT_SNAPSHOTS_RANGE, ModeSetting};
use http::Uri;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shared::admission::Mode;
use shared::deadline::{HOOK_TIMEOUT_MAX_MS, HOOK_TIMEOUT_MIN_MS};
use shared::duration::{format_ms, parse_ms};
use shared::verdict::Verdict;

use super::schedule_flags::LabelSelector;
use super::throttle_flags::{Dimensions, DriverMetrics};

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

/// From a second (tests) to an hour, ms: a cool-down that outlasts a night raises nothing in it.
const COOL_DOWN_MS: RangeInclusive<u64> = 1_000..=3_600_000;

/// From a tenth of a second (tests) to ten minutes, ms: the first member is held for all of it.
const CALL_WITHIN_MS: RangeInclusive<u64> = 100..=600_000;

/// From a second (tests) to an hour, ms.
const CALM_PERIOD_MS: RangeInclusive<u64> = 1_000..=3_600_000;

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

/// `--fail-below`. Nothing proves less than `failed`.
pub fn verdict(text: &str) -> Result<Verdict, String> {
    Verdict::parse(text.trim())
        .filter(|verdict| *verdict != Verdict::Failed)
        .ok_or_else(|| "it must be group-consistent, member-consistent, crash-consistent or unknown".to_owned())
}

/// One of `--compare`.
pub fn compared_max(text: &str) -> Result<u32, String> {
    let max = text.trim().strip_prefix("max=").ok_or("it must be max=VOLUMES, such as max=20".to_owned())?;
    max_concurrent_snapshots(max)
}

/// `--neighbour-calls`.
pub fn calls_per_second(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.trim().parse().ok();
    let legal = rate.filter(|rate| (0.0..=100.0).contains(rate));
    legal.ok_or_else(|| "it must be a number of calls a second from 0 to 100".to_owned())
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

/// `--throttle-cool-down`.
pub fn cool_down(text: &str) -> Result<Ms, String> {
    length(text, &COOL_DOWN_MS)
}

/// `--throttle-calm-period`.
pub fn calm_period(text: &str) -> Result<Ms, String> {
    length(text, &CALM_PERIOD_MS)
}

/// `--driver-metrics`.
pub fn driver_metrics(text: &str) -> Result<DriverMetrics, String> {
    match text.trim() {
        "off" | "false" | "" => Ok(DriverMetrics::Off),
        "discover" | "true" => Ok(DriverMetrics::Discover),
        urls => urls.split(',').map(|url| metrics_url(url.trim())).collect::<Result<_, _>>().map(DriverMetrics::At),
    }
}

fn metrics_url(text: &str) -> Result<Uri, String> {
    let wrong =
        || format!("`{text}` must be off, discover, or URLs such as http://10.0.0.7:3301/metrics, parted by commas");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(uri),
        (Some("https"), _) => Err(format!("`{text}`: the driver serves plain HTTP, so it must begin with http://")),
        _ => Err(wrong()),
    }
}

/// `--cloudwatch-dimensions`. CloudWatch takes 30 of them (API reference, `Metric`).
pub fn dimensions(text: &str) -> Result<Dimensions, String> {
    let wrong = || "it must be 1 to 30 dimensions such as Action=CreateSnapshot,Service=EC2".to_owned();
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').map(|(name, value)| (name.trim(), value.trim()))?;
        (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    let pairs: Option<Vec<_>> = text.split(',').map(pair).collect();
    pairs.filter(|pairs| pairs.len() <= 30).map(Dimensions).ok_or_else(wrong)
}

/// `--cloudwatch-period`: whole minutes, at most as long as a value says something about now.
pub fn cloudwatch_period(text: &str) -> Result<Seconds, String> {
    let Ms(ms) = length(text, &(60_000..=600_000))?;
    match u32::try_from(ms / 1_000) {
        Ok(seconds) if ms % 60_000 == 0 => Ok(Seconds(seconds)),
        _ => Err("it must be whole minutes".to_owned()),
    }
}

/// `--clock-error`.
pub fn clock_error(text: &str) -> Result<Ms, String> {
    length(text, &CLOCK_ERROR_MS)
}

/// `--thaw-on-cut`.
pub fn thaw_on_cut(text: &str) -> Result<ThawOnCut, String> {
    policy::parse_thaw(text).ok_or_else(|| format!("it must be {}", policy::THAW_RULE))
}

/// `--frozen-max`.
pub fn frozen_max(text: &str) -> Result<u32, String> {
    policy::parse_frozen_max(text.trim()).ok_or_else(|| format!("it must be {}", policy::FROZEN_MAX_RULE))
}

/// `--frozen-time-max`.
pub fn frozen_time_max(text: &str) -> Result<Ms, String> {
    policy::parse_frozen_time_ms(text).map(Ms).ok_or_else(|| format!("it must be {}", policy::FROZEN_TIME_RULE))
}

/// `--call-within`.
pub fn call_within(text: &str) -> Result<Ms, String> {
    length(text, &CALL_WITHIN_MS)
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

/// `--resource-label-selector`.
pub fn selector(text: &str) -> Result<LabelSelector, String> {
    let selector = selector_text::parse(text).map_err(|wrong| wrong.to_string())?;
    Ok(LabelSelector { text: text.to_owned(), selector })
}

/// `--mode`.
pub fn mode(text: &str) -> Result<ModeSetting, String> {
    match (text, Mode::parse(text)) {
        ("auto", _) => Ok(ModeSetting::Auto),
        (_, Some(mode)) => Ok(ModeSetting::Fixed(mode)),
        (_, None) => Err("it must be auto, arrive-and-go, barrier or lead".to_owned()),
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
    fn what_is_simulated_is_bounded() {
        assert_eq!((compared_max("max=20"), calls_per_second(" 1.5 ")), (Ok(20), Ok(1.5)));
        for text in ["20", "max=", "max=0", "max=1001", "min=5", ""] {
            assert!(compared_max(text).is_err(), "{text}");
        }
        for text in ["NaN", "-1", "inf", "101", "many", ""] {
            assert!(calls_per_second(text).is_err(), "{text}");
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
    fn sources_of_throttle_signals() {
        assert_eq!(
            (driver_metrics("off"), driver_metrics("discover")),
            (Ok(DriverMetrics::Off), Ok(DriverMetrics::Discover))
        );
        let two = driver_metrics("http://10.0.0.7:3301/metrics, http://[fd00::7]:3301/metrics").unwrap();
        assert_eq!(two.to_string(), "http://10.0.0.7:3301/metrics,http://[fd00::7]:3301/metrics");
        for text in ["10.0.0.7:3301", "ftp://x/metrics", "maybe", "http://a,,http://b"] {
            assert!(driver_metrics(text).unwrap_err().contains("http://10.0.0.7:3301/metrics"), "{text}");
        }
        assert!(driver_metrics("https://x/metrics").unwrap_err().contains("plain HTTP"));
        let pair = ("Action".to_owned(), "CreateSnapshot".to_owned());
        assert_eq!(dimensions(" Action = CreateSnapshot "), Ok(Dimensions(vec![pair])));
        for text in ["", "Action", "=x", "Action=", "A=B,", &"A=B,".repeat(31)] {
            assert!(dimensions(text).unwrap_err().contains("Action=CreateSnapshot"), "{text}");
        }
        assert_eq!(cloudwatch_period("5m"), Ok(Seconds(300)));
        for text in ["59s", "90s", "11m", "1", "-1m"] {
            assert!(cloudwatch_period(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes_and_switches() {
        assert_eq!(mode("auto"), Ok(ModeSetting::Auto));
        assert_eq!(mode("barrier"), Ok(ModeSetting::Fixed(Mode::Barrier)));
        assert_eq!((mode("lead"), thaw_on_cut("member")), (Ok(ModeSetting::Fixed(Mode::Lead)), Ok(ThawOnCut::Member)));
        assert_eq!(thaw_on_cut("pod").unwrap_err(), "it must be group, member or off");
        assert_eq!(frozen_max("0").unwrap_err(), "it must be a whole number of members from 1 to 1000");
        assert!(frozen_time_max("20").unwrap_err().contains("from 1s to 1h") && mode("follow").is_err());
        assert_eq!((switch("True"), switch("0")), (Ok(true), Ok(false)));
        assert!(switch("maybe").is_err());
    }
}
