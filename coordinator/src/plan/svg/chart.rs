//! The load below the lanes: volumes in flight each minute, against the budget.

use super::super::made::Made;
use super::super::view::View;
use super::canvas::Canvas;
use super::scale::Scale;

/// Lines of the scale, at most.
const TICKS: u64 = 4;

/// Draws it from `top`, `height` px high.
pub fn draw(canvas: &mut Canvas, view: &View, made: &Made, scale: &Scale, (top, height): (f64, f64)) {
    let bottom = top + height;
    let budget = u64::from(view.budget);
    // A budget far above the load would flatten it: then the load sets the scale, and the line says where the budget is.
    let peak = view.load.in_flight_peak.max(1);
    let most = if budget <= peak.saturating_mul(4) { peak.max(budget) } else { peak };
    let most = most + most.div_ceil(10);
    let y = |volumes: u64| bottom - part(volumes, most) * height;
    ticks(canvas, scale, most, &y);
    let mut points = vec![(scale.x(0.0), bottom)];
    let start = made.settings.window_start();
    for minute in 0..scale.minutes() {
        let volumes = made.plan.load.in_flight.get(start.plus(minute).index()).copied().unwrap_or(0);
        let at = y(volumes);
        if points.last().is_none_or(|(_, last)| (*last - at).abs() > f64::EPSILON) {
            let before = points.last().map_or(bottom, |(_, last)| *last);
            points.push((scale.x(f64::from(minute)), before));
            points.push((scale.x(f64::from(minute)), at));
        }
    }
    let last = points.last().map_or(bottom, |(_, last)| *last);
    let end = scale.x(f64::from(scale.minutes()));
    points.extend([(end, last), (end, bottom)]);
    canvas.area(&points, "load");
    canvas.line((scale.x(0.0), bottom, end, bottom), "axis");
    budget_line(canvas, budget, most, (scale.x(0.0), end), (top, y(budget)));
    canvas.text(16.0, top + 12.0, "note", "Volumes in flight");
    for (minute, label) in scale.hours(&view.window.start) {
        canvas.text(scale.x(f64::from(minute)), bottom + 16.0, "hour", &label);
    }
}

fn budget_line(canvas: &mut Canvas, budget: u64, most: u64, (left, right): (f64, f64), (top, y): (f64, f64)) {
    if budget <= most {
        canvas.line((left, y, right, y), "budget");
        canvas.text(right, y - 4.0, "budget-text", &format!("budget {budget}"));
    } else {
        canvas.text(right, top - 4.0, "budget-text", &format!("budget {budget}, above this scale"));
    }
}

fn ticks(canvas: &mut Canvas, scale: &Scale, most: u64, y: &impl Fn(u64) -> f64) {
    let step = most.div_ceil(TICKS).max(1);
    for volumes in (0..=most).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let at = y(volumes);
        canvas.line((scale.x(0.0), at, scale.x(f64::from(scale.minutes())), at), "grid");
        canvas.text(scale.x(0.0) - 6.0, at + 4.0, "tick", &volumes.to_string());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than the 53rd bit")]
fn part(volumes: u64, most: u64) -> f64 {
    (volumes as f64 / most as f64).clamp(0.0, 1.0)
}
