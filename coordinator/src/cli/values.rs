//! How single values of flags are read, and what is said when they are wrong.

use std::fmt;
use std::ops::RangeInclusive;

use coordinator_core::settings::{MAX_CONCURRENT_SNAPSHOTS_RANGE, ModeSetting};
use shared::admission::Mode;
use shared::duration::{format_ms, parse_ms};

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
    fn modes_and_switches() {
        assert_eq!(mode("auto"), Ok(ModeSetting::Auto));
        assert_eq!(mode("barrier"), Ok(ModeSetting::Fixed(Mode::Barrier)));
        assert!(mode("lead").is_err());
        assert_eq!((switch("True"), switch("0")), (Ok(true), Ok(false)));
        assert!(switch("maybe").is_err());
    }
}
