//! What a moment is by a machine's own clock, which no setting of the wall clock moves: ms since which of its starts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A start of a machine is named by at most this many characters: the kernel's boot id has 36.
const START_CHARS_MAX: usize = 64;

/// A moment by `CLOCK_BOOTTIME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootTime {
    /// Which start of which machine it counts from.
    pub start: String,
    /// ms since then.
    pub ms: u64,
}

/// A text that is no such moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not <boot id>/<ms since then>")]
pub struct NotABootTime;

impl fmt::Display for BootTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.start, self.ms)
    }
}

impl FromStr for BootTime {
    type Err = NotABootTime;

    fn from_str(text: &str) -> Result<Self, NotABootTime> {
        let (start, ms) = text.split_once('/').ok_or(NotABootTime)?;
        let fits = (1..=START_CHARS_MAX).contains(&start.len())
            && start.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let ms = ms.parse().ok().filter(|_| fits).ok_or(NotABootTime)?;
        Ok(Self { start: start.to_owned(), ms })
    }
}

/// The two ends of a hold by that clock, as far as whoever saw them wrote them down: agents of earlier versions do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SteadySpan {
    /// When the pod was still.
    pub from: Option<BootTime>,
    /// When it was let go.
    pub to: Option<BootTime>,
}

impl SteadySpan {
    /// How long, ms; `None`: an end is not known, or they count from different starts.
    pub fn ms(&self) -> Option<u64> {
        let (from, to) = (self.from.as_ref()?, self.to.as_ref()?);
        (from.start == to.start).then(|| to.ms.saturating_sub(from.ms))
    }

    /// Whether the machine was started anew, or another one let go: nothing is held over that.
    pub fn is_broken(&self) -> bool {
        matches!((&self.from, &self.to), (Some(from), Some(to)) if from.start != to.start || to.ms < from.ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_within_one_start_of_the_machine() {
        let at = |text: &str| Some(text.parse::<BootTime>().unwrap());
        let span = |from: &str, to: &str| SteadySpan { from: at(from), to: at(to) };
        assert_eq!((span("a-1/10", "a-1/70").ms(), span("a-1/10", "a-1/70").is_broken()), (Some(60), false));
        assert_eq!((span("a-1/10", "b-2/70").ms(), span("a-1/10", "b-2/70").is_broken()), (None, true));
        assert!(span("a-1/70", "a-1/10").is_broken());
        let open = SteadySpan { from: at("a-1/10"), to: None };
        assert_eq!((open.ms(), open.is_broken()), (None, false));
        for text in ["", "a", "/1", "a/", "a/-1", "a b/1", "a/1/2"] {
            assert_eq!(text.parse::<BootTime>(), Err(NotABootTime), "{text}");
        }
    }
}
