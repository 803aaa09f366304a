//! How does Go read a duration?
//!
//! Velero's timeouts are Go durations in two places: a pod annotation (read with `time.ParseDuration`; what fails there is
//! a warning and the default) and `metav1.Duration` fields of the Backup (what fails there makes the object unreadable).

use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// A signed duration in nanoseconds, as Go keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(i64);

/// Why a text is no Go duration; worded as Go words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoDurationError {
    /// Empty, or without any digit where a number must stand.
    #[error("time: invalid duration {0:?}: write a number and a unit, for example \"30s\"")]
    Invalid(String),
    /// `300`: Go wants a unit after every number but a lone 0.
    #[error("time: missing unit in duration {0:?}: write for example \"300s\"")]
    MissingUnit(String),
    /// A unit other than ns, us, µs, ms, s, m, h.
    #[error("time: unknown unit {unit:?} in duration {text:?}: use ns, us, ms, s, m or h")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// What stood where the unit belongs.
        unit: String,
    },
}

impl GoDuration {
    /// Reads `1h2m3.5s`, `-5s`, `0`.
    pub fn parse(text: &str) -> Result<Self, GoDurationError> {
        let invalid = || GoDurationError::Invalid(text.to_owned());
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1.0, rest),
            None => (1.0, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut nanos = 0.0;
        while !rest.is_empty() {
            let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(number_len);
            let number: f64 = number.parse().map_err(|_| invalid())?;
            let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_len);
            nanos += number * nanos_of(unit, text)?;
            rest = tail;
        }
        // Two hundred years fit; more saturates, which no timeout of a backup can tell from "for ever".
        #[allow(clippy::cast_possible_truncation)]
        Ok(Self((sign * nanos) as i64))
    }

    /// Zero is "not set" in every field where Velero uses it.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// As a positive length of time; `None` for negative ones.
    pub fn positive(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

fn nanos_of(unit: &str, text: &str) -> Result<f64, GoDurationError> {
    match unit {
        "ns" => Ok(1.0),
        "us" | "µs" | "μs" => Ok(1e3),
        "ms" => Ok(1e6),
        "s" => Ok(1e9),
        "m" => Ok(60e9),
        "h" => Ok(3600e9),
        "" => Err(GoDurationError::MissingUnit(text.to_owned())),
        unit => Err(GoDurationError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() }),
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<i64, GoDurationError>) {
        assert_eq!(GoDuration::parse(text), expected.map(GoDuration), "{text:?}");
    }

    #[test]
    fn what_go_reads() {
        check("300s", Ok(300_000_000_000));
        check("10m", Ok(600_000_000_000));
        check("1h2m3.5s", Ok(3_723_500_000_000));
        check("150ms", Ok(150_000_000));
        check("-5s", Ok(-5_000_000_000));
        check("0", Ok(0));
    }

    #[test]
    fn what_go_refuses() {
        check("300", Err(GoDurationError::MissingUnit("300".into())));
        check("", Err(GoDurationError::Invalid(String::new())));
        check("s", Err(GoDurationError::Invalid("s".into())));
        check("5 s", Err(GoDurationError::UnknownUnit { text: "5 s".into(), unit: " s".into() }));
        check("5d", Err(GoDurationError::UnknownUnit { text: "5d".into(), unit: "d".into() }));
    }

    #[test]
    fn a_negative_timeout_is_no_length_of_time() {
        assert_eq!(GoDuration::parse("-1s").unwrap().positive(), None);
        assert_eq!(GoDuration::parse("2s").unwrap().positive(), Some(Duration::from_secs(2)));
    }
}
