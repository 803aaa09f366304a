//! What "now" is for a decision: a monotonic reading to judge lengths by, and a wall-clock moment to write down.

use shared::time::WallTime;

/// ms since an arbitrary start of this process, never going back. Lengths of time are judged by it alone, so a clock
/// that jumps an hour changes no decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub u64);

impl Mono {
    /// ms from `earlier` to this reading; 0 when `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This reading, `ms` later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The moment of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// To judge lengths by.
    pub mono: Mono,
    /// To write down.
    pub wall: WallTime,
}
