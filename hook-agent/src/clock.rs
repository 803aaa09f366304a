//! How time is told: a monotonic clock for waiting, the wall clock only for what is written down.

use serde::{Deserialize, Serialize};
use shared::boot_time::BootTime;
use shared::time::WallTime;
use std::time::Duration;
use tokio::time::Instant;

use crate::keeper::boot_clock;

/// A moment as it is written down: by the wall clock, and by the machine's own, which tells whether the other was set in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// By the wall clock.
    pub wall: WallTime,
    /// By the clock that no setting moves; absent in records of earlier versions.
    #[serde(default)]
    pub boot: Option<BootTime>,
}

/// How often two clocks are read anew, because the process was put aside between the one and the other.
const READ_AGAIN_MAX: u32 = 10;

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let start = boot_clock::boot_id();
        let mut tries = 0;
        loop {
            let (before_ms, wall, after_ms) = (boot_clock::now_ms(), Clock::wall(), boot_clock::now_ms());
            tries += 1;
            if after_ms - before_ms <= 1 || tries >= READ_AGAIN_MAX {
                return Self { wall, boot: Some(BootTime { start, ms: before_ms }) };
            }
        }
    }
}

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
