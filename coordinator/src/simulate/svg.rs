//! A simulation as a picture: for each setting its first night's volumes in use, the limit, and throttled calls.

use coordinator_simulation::advice::Tried;
use coordinator_simulation::outcome::Outcome;

use super::Simulated;
use super::text::{length, reason};
use crate::plan::svg::canvas::Canvas;

const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 980.0;
const TOP: f64 = 102.0;
const PANEL: f64 = 220.0;
const CHART: f64 = 150.0;
const LEGEND: &str =
    "Blue: volumes in use; red: the limit; orange: minutes with throttled calls. Hours since the window began.";
/// Lines of the volumes' scale.
const TICKS: u32 = 4;
/// Steps of the time's scale, minutes: the first that leaves no more than [`STEPS_MAX`] of them.
const STEPS: [u32; 10] = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480];
const STEPS_MAX: u32 = 12;

/// The document.
pub fn render(simulated: &Simulated) -> String {
    let count = u32::try_from(simulated.shown.len()).unwrap_or(1);
    let mut canvas = Canvas::titled(WIDTH, f64::from(count).mul_add(PANEL, TOP), "Simulated nights");
    canvas.text(16.0, 28.0, "title", "Simulated nights");
    let of = format!(
        "{} groups, {} volumes; the first of {} nights, seed {}; neighbours call {} times a second",
        simulated.groups, simulated.volumes, simulated.nights, simulated.seed, simulated.neighbour_calls
    );
    canvas.text(16.0, 48.0, "note", &of);
    if let Some(advice) = &simulated.advice {
        let text = reason(advice);
        canvas.text(16.0, 66.0, "note", text.split_once(". ").map_or(text.as_str(), |(first, _)| first));
    }
    canvas.text(16.0, 84.0, "note", LEGEND);
    let minutes = simulated.shown.iter().map(|(_, night)| minutes(night)).max().unwrap_or(1);
    let volumes = simulated.shown.iter().map(|(_, night)| most(night)).max().unwrap_or(1);
    for (n, (tried, night)) in (0u32..).zip(&simulated.shown) {
        let top = f64::from(n).mul_add(PANEL, TOP);
        Panel { minutes, volumes, top }.draw(&mut canvas, tried, night);
    }
    canvas.finish()
}

fn minutes(night: &Outcome) -> u32 {
    u32::try_from(night.makespan_ms.div_ceil(60_000)).unwrap_or(u32::MAX).max(1)
}

fn most(night: &Outcome) -> u32 {
    let limits = night.limits.iter().map(|(_, limit)| limit);
    night.in_use.iter().chain(limits).copied().max().unwrap_or(1).max(1)
}

/// Where the scale of so many minutes has its marks, minutes.
fn times(minutes: u32) -> impl Iterator<Item = u32> {
    let step = STEPS.into_iter().find(|step| minutes / step <= STEPS_MAX).unwrap_or(STEPS[STEPS.len() - 1]);
    (0..=minutes / step).take(usize::try_from(2 * STEPS_MAX).unwrap_or(usize::MAX)).map(move |n| n * step)
}

struct Panel {
    minutes: u32,
    volumes: u32,
    top: f64,
}

impl Panel {
    fn x(&self, minute: f64) -> f64 {
        LEFT + (minute / f64::from(self.minutes)).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(&self, volumes: u32) -> f64 {
        self.bottom() - f64::from(volumes.min(self.volumes)) / f64::from(self.volumes) * CHART
    }

    fn bottom(&self) -> f64 {
        self.top + 20.0 + CHART
    }

    fn draw(&self, canvas: &mut Canvas, tried: &Tried, night: &Outcome) {
        let head = format!(
            "max={}: {}, {} of {} calls throttled, held {} at most, {} backups missed the window",
            tried.max,
            length(night.makespan_ms),
            night.throttled,
            night.calls,
            length(night.frozen_max_ms),
            night.missed_window
        );
        canvas.text(LEFT, self.top + 12.0, "key", &head);
        for n in 0..=TICKS {
            let volumes = self.volumes * n / TICKS;
            canvas.line((LEFT, self.y(volumes), RIGHT, self.y(volumes)), "grid");
            canvas.text(LEFT - 6.0, self.y(volumes) + 4.0, "tick", &volumes.to_string());
        }
        for minute in times(self.minutes) {
            let x = self.x(f64::from(minute));
            canvas.line((x, self.bottom(), x, self.bottom() + 4.0), "axis");
            canvas.text(x, self.bottom() + 16.0, "hour", &format!("{}:{:02}", minute / 60, minute % 60));
        }
        let mut points = vec![(LEFT, self.bottom())];
        for (minute, volumes) in (0u32..).zip(&night.in_use) {
            points.push((self.x(f64::from(minute)), self.y(*volumes)));
            points.push((self.x(f64::from(minute + 1)), self.y(*volumes)));
        }
        points.push((points.last().map_or(LEFT, |(x, _)| *x), self.bottom()));
        canvas.area(&points, "load");
        self.refused(canvas, night);
        self.limit(canvas, night);
        canvas.line((LEFT, self.bottom(), RIGHT, self.bottom()), "axis");
    }

    fn refused(&self, canvas: &mut Canvas, night: &Outcome) {
        for (minute, count) in (0u32..).zip(&night.throttled_by_minute).filter(|(_, count)| **count > 0) {
            let (from, to) = (self.x(f64::from(minute)), self.x(f64::from(minute + 1)));
            let hint = format!("minute {minute}: {count} calls throttled");
            canvas.rectangle((from, self.bottom() - 6.0, (to - from).max(1.0), 6.0), "refused", &hint);
        }
    }

    fn limit(&self, canvas: &mut Canvas, night: &Outcome) {
        let x = |ms: u64| self.x(f64::from(u32::try_from(ms / 1_000).unwrap_or(u32::MAX)) / 60.0);
        let ends = night.limits.iter().skip(1).map(|(at, _)| *at).chain([night.makespan_ms]);
        let mut before: Option<f64> = None;
        for ((from, limit), to) in night.limits.iter().zip(ends) {
            let y = self.y(*limit);
            if let Some(before) = before {
                canvas.line((x(*from), before, x(*from), y), "limit");
            }
            canvas.line((x(*from), y, x(to), y), "limit");
            before = Some(y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn marks_are_round_and_not_many() {
        assert_eq!(times(1).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(times(34).collect::<Vec<_>>(), [0, 5, 10, 15, 20, 25, 30]);
        assert_eq!(times(1_405).last(), Some(1_320));
        assert!(times(u32::MAX).count() <= 24);
    }
}
