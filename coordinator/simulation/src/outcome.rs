//! What a night came to.

use serde::Serialize;

/// The figures of one night. All times are after the window's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Until the last snapshot was complete, ms.
    pub makespan_ms: u64,
    /// Backups that were due.
    pub runs: u32,
    /// Backups that did not end inside the window, their snapshots included.
    pub missed_window: u32,
    /// Volumes that were cut.
    pub cuts: u32,
    /// Volumes that were not: Velero gave up waiting for the handle, or the plugin gave up calling.
    pub failed_volumes: u32,
    /// `CreateSnapshot` calls, repeated ones included.
    pub calls: u64,
    /// Of these, refused with `RequestLimitExceeded`.
    pub throttled: u64,
    /// Of these, refused for a volume's or the account's snapshots.
    pub over_quota: u64,
    /// Groups that went when their hook's deadline came, unreleased.
    pub over_budget: u32,
    /// How long groups were held still, in all, ms.
    pub frozen_ms: u64,
    /// The longest that one was, ms.
    pub frozen_max_ms: u64,
    /// The longest that a group waited for its release, ms; nothing is held still in that time.
    pub waited_max_ms: u64,
    /// The most volumes that were between release and cut at once. (In use can be more: a group alone is not held back by what is pending.)
    pub released_peak: u32,
    /// The limit whenever it changed: ms, volumes.
    pub limits: Vec<(u64, u32)>,
    /// Each minute's most volumes in use.
    pub in_use: Vec<u32>,
    /// Each minute's throttled calls.
    pub throttled_by_minute: Vec<u32>,
}

impl Outcome {
    /// Throttled calls of all, per mille.
    pub fn throttled_per_mille(&self) -> u64 {
        (self.throttled * 1_000).checked_div(self.calls).unwrap_or(0)
    }

    /// The lowest limit that was in force.
    pub fn lowest_limit(&self) -> u32 {
        self.limits.iter().map(|(_, limit)| *limit).min().unwrap_or(0)
    }

    /// The limit at a moment.
    pub fn limit_at(&self, ms: u64) -> u32 {
        self.limits.iter().take_while(|(at, _)| *at <= ms).last().map_or(0, |(_, limit)| *limit)
    }

    pub(crate) fn note_use(&mut self, now_ms: u64, volumes: u32) {
        let minute = at_minute(&mut self.in_use, now_ms);
        *minute = (*minute).max(volumes);
    }

    pub(crate) fn note_throttled(&mut self, now_ms: u64) {
        self.throttled += 1;
        *at_minute(&mut self.throttled_by_minute, now_ms) += 1;
    }
}

fn at_minute(minutes: &mut Vec<u32>, now_ms: u64) -> &mut u32 {
    let minute = usize::try_from(now_ms / 60_000).unwrap_or(usize::MAX).min(crate::night::HORIZON_MIN);
    if minutes.len() <= minute {
        minutes.resize(minute + 1, 0);
    }
    &mut minutes[minute]
}
