//! The plan as a timeline: a lane a namespace, a bar a run, as wide as it is expected to take, and the load against the budget below.

pub mod canvas;
mod chart;
pub mod lanes;
mod legend;
pub mod scale;

use super::made::Made;
use super::view::View;
use super::words::several;
use canvas::Canvas;
use lanes::Lane;
use scale::Scale;

/// Width of the whole picture, px: fits a laptop's screen and an A4 page across.
const WIDTH: f64 = 1_280.0;

/// Where the plot begins: names of namespaces stand left of it.
const LEFT: f64 = 190.0;

/// Free space right of the plot.
const RIGHT: f64 = 24.0;

/// Where the lanes begin: title and hours stand above.
const TOP: f64 = 84.0;

/// Between lanes and load.
const GAP: f64 = 40.0;

/// Height of the load's chart.
const CHART: f64 = 130.0;

/// Below the chart: hours, legend.
const BOTTOM: f64 = 76.0;

/// The picture.
pub fn render(view: &View, made: &Made) -> String {
    let lanes = lanes::lanes(&view.groups);
    let row_height = lanes::row_height(&lanes);
    let lanes_height = lanes.iter().map(|lane| lane.height(row_height)).sum::<f64>().max(row_height);
    let scale = Scale::new(view, LEFT, WIDTH - RIGHT);
    let chart_top = TOP + lanes_height + GAP;
    let height = chart_top + CHART + BOTTOM;
    let mut canvas = Canvas::new(WIDTH, height);
    title(&mut canvas, view);
    bands(&mut canvas, &lanes, row_height);
    let start = made.settings.window_start();
    for edges in [(TOP, TOP + lanes_height), (chart_top, chart_top + CHART)] {
        closed(&mut canvas, scale.minutes(), |minute| made.settings.is_open(start.plus(minute)), &scale, edges);
    }
    hours(&mut canvas, view, &scale, TOP, TOP + lanes_height);
    draw_lanes(&mut canvas, &lanes, &scale, row_height);
    chart::draw(&mut canvas, view, made, &scale, (chart_top, CHART));
    legend::draw(&mut canvas, chart_top + CHART + 52.0, LEFT);
    canvas.finish()
}

fn title(canvas: &mut Canvas, view: &View) {
    let window = &view.window;
    let fits = if view.feasibility.verdict == "fits" { "It fits." } else { "IT DOES NOT FIT." };
    canvas.text(
        16.0,
        28.0,
        "title",
        &format!("{}, {}", several(view.groups.len(), "group"), several(view.volumes, "EBS volume")),
    );
    let line = format!(
        "Window {} to {} {} (UTC{}), {}. Budget {} volumes, peak {}. {fits}",
        window.start,
        window.end,
        window.time_zone,
        window.utc_offset,
        window.day,
        view.budget,
        view.load.in_flight_peak
    );
    canvas.text(16.0, 48.0, "note", &line);
}

/// Shades what is outside the window or excluded, of so many minutes.
pub fn closed(
    canvas: &mut Canvas,
    minutes: u32,
    is_open: impl Fn(u32) -> bool,
    scale: &Scale,
    (top, bottom): (f64, f64),
) {
    let mut from: Option<u32> = None;
    for minute in 0..=minutes {
        let shut = minute < minutes && !is_open(minute);
        match (shut, from) {
            (true, None) => from = Some(minute),
            (false, Some(first)) => {
                let (left, right) = (scale.x(f64::from(first)), scale.x(f64::from(minute)));
                canvas.rectangle((left, top, right - left, bottom - top), "closed", "excluded or outside the window");
                from = None;
            }
            _ => {}
        }
    }
}

/// Lines at whole hours, with local time above.
fn hours(canvas: &mut Canvas, view: &View, scale: &Scale, top: f64, bottom: f64) {
    for (minute, label) in scale.hours(&view.window.start) {
        let x = scale.x(f64::from(minute));
        canvas.line((x, top, x, bottom), "grid");
        canvas.text(x, top - 8.0, "hour", &label);
    }
}

/// A band behind every second lane leads the eye from its name.
fn bands(canvas: &mut Canvas, lanes: &[Lane<'_>], row_height: f64) {
    let mut top = TOP;
    for (n, lane) in lanes.iter().enumerate() {
        let height = lane.height(row_height);
        if n % 2 == 1 {
            canvas.rectangle((0.0, top, WIDTH, height), "band", "");
        }
        top += height;
    }
}

fn draw_lanes(canvas: &mut Canvas, lanes: &[Lane<'_>], scale: &Scale, row_height: f64) {
    let mut top = TOP;
    for lane in lanes {
        let height = lane.height(row_height);
        canvas.text(LEFT - 10.0, top + height / 2.0 + 4.0, "lane", &lane.label());
        for (row, bars) in lane.rows.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a row's number is small")]
            let y = top + lanes::PADDING + row as f64 * row_height;
            for (n, bar) in bars.iter().enumerate() {
                let free_until = bars.get(n + 1).map_or(WIDTH - RIGHT, |next| next.left(scale));
                bar.draw(canvas, scale, (y, row_height), free_until);
            }
        }
        top += height;
    }
}
