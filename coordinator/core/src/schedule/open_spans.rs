//! At which minutes a run of some length may start, so that all of it lies in open minutes.

use super::settings::PlanSettings;
use super::sliding::{DAY, wrap};

/// The open minutes of the day, by how long they stay open.
#[derive(Clone, Debug)]
pub(super) struct OpenSpans {
    /// For every minute: how many minutes from it on are open without a gap; 1,440 when all are.
    open_for: Vec<usize>,
    longest: usize,
    open_min: u32,
}

impl OpenSpans {
    pub(super) fn new(settings: &PlanSettings) -> Self {
        let open = settings.open();
        let mut open_for = vec![if open.iter().all(|open| *open) { DAY } else { 0 }; DAY];
        if open_for[0] == 0 {
            // Twice around, backwards: a stretch may go on across midnight.
            for minute in (0..DAY).rev().chain((0..DAY).rev()) {
                open_for[minute] = if open[minute] { (open_for[wrap(minute + 1)] + 1).min(DAY) } else { 0 };
            }
        }
        let longest = open_for.iter().copied().max().unwrap_or(0);
        Self { open_for, longest, open_min: settings.open_min() }
    }

    /// Whether a run of `len` minutes may start there. One that is longer than every stretch may start where the longest does.
    pub(super) fn allows(&self, start: usize, len: usize) -> bool {
        self.open_for[start] >= len.min(self.longest)
    }

    /// Minutes of the longest stretch.
    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    /// Minutes of the day that are open.
    pub(super) const fn open_min(&self) -> u32 {
        self.open_min
    }

    /// Minutes that a run which starts there and takes `len` minutes goes on past the end of its stretch; all of them when that is closed.
    pub(super) fn overrun(&self, start: usize, len: usize) -> usize {
        if self.open_for[start] == DAY { 0 } else { len.saturating_sub(self.open_for[start]) }
    }

    /// Whether the minute is open.
    pub(super) fn is_open(&self, minute: usize) -> bool {
        self.open_for[minute] > 0
    }
}
