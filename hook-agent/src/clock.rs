//! How time is told: a monotonic clock for waiting, the wall clock only for what is written down.

use shared::time::WallTime;
use std::time::Duration;
use tokio::time::Instant;

/// Time since the process began. Jumps of the wall clock do not touch it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts to count now; `main` does this first of all, so that a slow start counts against the deadline too.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// ms since the start.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until `ms` after the start; returns at once when that has passed.
    pub async fn sleep_until_ms(&self, ms: u64) {
        tokio::time::sleep_until(self.started + Duration::from_millis(ms)).await;
    }

    /// The wall clock: for Leases and people, never for a decision.
    pub fn wall() -> WallTime {
        jiff::Timestamp::now().into()
    }
}
