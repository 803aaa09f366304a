//! What of the stand-in can a test set?

use std::time::Duration;

use super::account::limits::Limits;

/// In what resolution EC2 says when a snapshot began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTimes {
    /// Milliseconds, as EC2's answers do.
    #[default]
    Milliseconds,
    /// Whole seconds, cut off: up to a second before the request, as other implementations do and EC2 was seen to.
    WholeSeconds,
}

/// Limits and faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is refused.
    pub limits: Limits,
    /// How long a snapshot stays pending after its cut.
    pub pending_for: Duration,
    /// How precisely `startTime` says when the cut was.
    pub start_times: StartTimes,
    /// A slow service: how long `CreateSnapshot` waits before it is decided upon, and so before the cut.
    pub wait_before_cut: Duration,
    /// A late answer: how long after the cut it goes out.
    pub wait_after_cut: Duration,
    /// Of the next so many cuts the answer is lost: the connection closes instead.
    pub answers_to_lose: u32,
}

impl Default for Settings {
    /// No limits, no faults; a snapshot is pending for two seconds, so that cut and completion are two moments.
    fn default() -> Self {
        Self {
            limits: Limits::none(),
            pending_for: Duration::from_secs(2),
            start_times: StartTimes::default(),
            wait_before_cut: Duration::ZERO,
            wait_after_cut: Duration::ZERO,
            answers_to_lose: 0,
        }
    }
}
