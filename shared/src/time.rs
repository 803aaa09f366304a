//! What a moment on the wall clock is: microseconds since the Unix epoch, the resolution that Leases carry.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A wall-clock moment in µs since 1970-01-01T00:00:00Z, the resolution of Kubernetes' `MicroTime`.
///
/// Moments of two hosts are never compared to judge whether one of them is alive (clocks differ); they are written
/// down for people and for receipts, which widen them by the known clock error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WallTime(i64);

/// The last moment that RFC 3339 with four-digit years and [`Timestamp`] can both carry.
const MICROS_MAX: i64 = 253_402_207_199_999_999;

/// A text that is no moment between 1970 and 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time between 1970 and 9999, such as 2026-01-31T23:59:59.000000Z")]
pub struct NotATime(pub String);

impl WallTime {
    /// The Unix epoch itself.
    pub const EPOCH: Self = Self(0);

    /// A moment from µs since the epoch; what lies before 1970 or after 9999 becomes the nearest end.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(0, MICROS_MAX))
    }

    /// µs since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment, `ms` later (earlier when negative), saturating at the ends of the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self::from_micros(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// ms from `earlier` to this moment, rounded towards zero; negative when `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0) / 1_000
    }

    /// The same moment as jiff's type (exact: µs fit).
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl From<Timestamp> for WallTime {
    /// Truncates to µs and clamps to the range, as the API server does when it stores a `MicroTime`.
    fn from(at: Timestamp) -> Self {
        Self::from_micros(at.as_microsecond())
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.timestamp())
    }
}

impl FromStr for WallTime {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let wrong = || NotATime(crate::identity::shorten(text));
        let at: Timestamp = text.parse().map_err(|_| wrong())?;
        if (0..=MICROS_MAX).contains(&at.as_microsecond()) { Ok(at.into()) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for WallTime {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        text.parse()
    }
}

impl From<WallTime> for String {
    fn from(at: WallTime) -> Self {
        at.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_back_is_the_same_moment(micros in 0..=MICROS_MAX) {
            let at = WallTime::from_micros(micros);
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }

        #[test]
        fn arithmetic_never_leaves_the_range(micros: i64, ms: i64) {
            let at = WallTime::from_micros(micros).plus_ms(ms);
            prop_assert!((0..=MICROS_MAX).contains(&at.as_micros()));
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }
    }

    #[test]
    fn writes_six_digits_and_utc_as_the_api_server_does() {
        assert_eq!(WallTime::from_micros(1_700_000_000_000_001).to_string(), "2023-11-14T22:13:20.000001Z");
        assert_eq!(WallTime::EPOCH.to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "now", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-01-01", "-1"] {
            assert!(text.parse::<WallTime>().is_err(), "{text}");
        }
    }
}
