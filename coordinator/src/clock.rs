//! What time it is: the one place that looks at clocks.

use std::time::Instant;

use coordinator_core::time::{Mono, Now};
use shared::time::WallTime;

/// Reads the monotonic and the wall clock together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic readings count from now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// A clock that has run for a while.
    #[cfg(test)]
    pub fn started_ago(ago: std::time::Duration) -> Self {
        Self { start: Instant::now().checked_sub(ago).unwrap() }
    }

    /// The moment of a decision.
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: Self::wall() }
    }

    /// ms since the start, never going back.
    pub fn mono(&self) -> Mono {
        Mono(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The wall clock, to write down.
    pub fn wall() -> WallTime {
        jiff::Timestamp::now().into()
    }
}
