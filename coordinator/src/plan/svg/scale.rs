//! How minutes become places on the picture.

use super::super::view::View;

/// Minutes of a day.
const DAY: u32 = 1_440;

/// The span of time that is shown, and where.
pub struct Scale {
    minutes: u32,
    left: f64,
    right: f64,
}

impl Scale {
    /// From the window's start: the window where every run lies inside it, else the whole day.
    pub fn new(view: &View, left: f64, right: f64) -> Self {
        let runs = view.groups.iter().flat_map(|group| &group.runs);
        let last = runs.map(|run| {
            let (wait, take) = run.wait_and_take_s;
            u32::from(run.after_window_start).saturating_add(wait.saturating_add(take).div_ceil(60))
        });
        let window = view.window.hours * 60;
        Self::of(if last.max().unwrap_or(0) <= window { window } else { DAY }, left, right)
    }

    /// So many minutes, from `left` to `right`, px.
    pub fn of(minutes: u32, left: f64, right: f64) -> Self {
        Self { minutes: minutes.clamp(60, DAY), left, right }
    }

    /// Minutes that are shown.
    pub const fn minutes(&self) -> u32 {
        self.minutes
    }

    /// Where a minute after the window's start is; what lies beyond the end is at the end.
    pub fn x(&self, minute: f64) -> f64 {
        let part = (minute / f64::from(self.minutes)).clamp(0.0, 1.0);
        self.left + part * (self.right - self.left)
    }

    /// Whole hours of local time: minutes after the window's start, and what the clock shows. Of a whole day every second one.
    pub fn hours(&self, window_start: &str) -> Vec<(u32, String)> {
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        let mut parts = window_start.split(':');
        let (hour, minute) = (number(parts.next()), number(parts.next()));
        let first = (60 - minute) % 60;
        let step = if self.minutes > 14 * 60 { 2 } else { 1 };
        (0..=24)
            .map(|n| (first + n * 60 * step, (hour + u32::from(minute > 0) + n * step) % 24))
            .take_while(|(at, _)| *at <= self.minutes)
            .map(|(at, hour)| (at, format!("{hour:02}:00")))
            .collect()
    }
}
