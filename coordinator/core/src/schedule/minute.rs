//! A minute of the day, in UTC: the unit of slots, since a cron line has no finer one.

use std::fmt;
use std::str::FromStr;

use shared::identity::shorten;

/// Minutes of a day. Velero's crons are plain UTC, whose days all have as many.
pub const MINUTES_PER_DAY: u16 = 1_440;

/// A UTC minute of the day, 0 to 1,439. Shown as `HH:MM`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(u16);

/// A text that is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is no time of day: it must be HH:MM, from 00:00 to 23:59")]
pub struct NotAMinute {
    /// What stood there, shortened.
    pub value: String,
}

impl Minute {
    /// The first minute of the day.
    pub const MIDNIGHT: Self = Self(0);

    /// A minute from its number; none when the day has fewer.
    pub const fn new(minute: u16) -> Option<Self> {
        if minute < MINUTES_PER_DAY { Some(Self(minute)) } else { None }
    }

    /// A minute from any count of minutes since some midnight, negative ones included: only the time of day is kept.
    pub fn wrapping(minutes: i64) -> Self {
        let minute = minutes.rem_euclid(i64::from(MINUTES_PER_DAY));
        Self(u16::try_from(minute).unwrap_or_else(|_| unreachable!("a remainder of 1,440")))
    }

    /// 0 to 1,439.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The same as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The hour, 0 to 23.
    pub const fn hour(self) -> u16 {
        self.0 / 60
    }

    /// The minute of the hour, 0 to 59.
    pub const fn minute_of_hour(self) -> u16 {
        self.0 % 60
    }

    /// This time of day, `minutes` later (across midnight where need be).
    #[must_use]
    pub fn plus(self, minutes: u32) -> Self {
        Self::wrapping(i64::from(self.0) + i64::from(minutes))
    }

    /// Minutes from this time of day to the next `later` (0 when they are the same).
    pub fn minutes_until(self, later: Self) -> u16 {
        (later.0 + MINUTES_PER_DAY - self.0) % MINUTES_PER_DAY
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour(), self.minute_of_hour())
    }
}

impl FromStr for Minute {
    type Err = NotAMinute;

    fn from_str(text: &str) -> Result<Self, NotAMinute> {
        let two_digits = |part: &str, below: u16| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|n: &u16| digits && *n < below)
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Some(Self(two_digits(hour, 24)? * 60 + two_digits(minute, 60)?)))
            .ok_or_else(|| NotAMinute { value: shorten(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shown_and_read_again(n in 0..MINUTES_PER_DAY) {
            let minute = Minute::new(n).unwrap();
            prop_assert_eq!(minute.to_string().parse(), Ok(minute));
        }

        #[test]
        fn wraps_like_a_clock(a in 0..MINUTES_PER_DAY, by in 0u32..100_000) {
            let (start, end) = (Minute::new(a).unwrap(), Minute::new(a).unwrap().plus(by));
            prop_assert_eq!(u32::from(start.minutes_until(end)), by % 1_440);
        }

        #[test]
        fn any_text_parses_or_errs(text in ".{0,200}") {
            let _ = text.parse::<Minute>();
        }
    }

    #[test]
    fn what_is_no_time_of_day() {
        for bad in ["", "24:00", "1:00", "01:60", "0100", "+1:00", "01:00:00", " 01:00"] {
            assert!(bad.parse::<Minute>().is_err(), "`{bad}`");
        }
        assert_eq!(Minute::new(1_440), None);
        assert_eq!(Minute::wrapping(-1).to_string(), "23:59");
    }
}
