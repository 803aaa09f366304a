//! The night as a picture: a lane a namespace (a lane a group while there are few), a bar a run with what became of it, the load below, and now.

use std::collections::BTreeMap;

use shared::verdict::Verdict;

use super::night::{Night, NightRun, Outcome, Which};
use crate::plan::svg::canvas::Canvas;
use crate::plan::svg::closed;
use crate::plan::svg::lanes::pack;
use crate::plan::svg::scale::Scale;
use crate::plan::words::{length, several};

/// Width of the picture, px: the page's own.
const WIDTH: f64 = 1_160.0;
/// Where the plot begins; the lanes' names stand left of it.
const LEFT: f64 = 196.0;
/// Free space right of the plot.
const RIGHT: f64 = 22.0;
/// Where the lanes begin: hours and the word "now" stand above.
const TOP: f64 = 40.0;
/// Between lanes and load.
const GAP: f64 = 14.0;
/// Height of the load.
const LOAD: f64 = 72.0;
/// Below the load.
const BOTTOM: f64 = 8.0;

/// So many groups have a lane of their own; more share their namespace's.
const GROUP_LANES_MAX: usize = 16;
/// So many namespaces have a lane of their own; the others share the last.
const NAMESPACE_LANES_MAX: usize = 12;
/// So many rows a lane may have; one that needs more shows when anything runs in it, and no single run.
const ROWS_MAX: usize = 4;
/// So many bars the picture may have; beyond it no lane shows single runs.
const BARS_MAX: usize = 1_500;

/// Height of a row while there are few lanes, px, and when there are many.
const ROW_HEIGHT: (f64, f64) = (18.0, 11.0);
/// A bar is at least so wide, px.
const BAR_WIDTH_MIN: f64 = 4.0;
/// Characters of a lane's name that fit.
const LABEL_CHARS_MAX: usize = 30;

/// A lane.
struct Lane<'n, 'p> {
    label: String,
    rows: Vec<Vec<&'n NightRun<'p>>>,
    runs: Vec<&'n NightRun<'p>>,
}

impl Lane<'_, '_> {
    fn is_merged(&self, bars: usize) -> bool {
        bars > BARS_MAX || self.rows.len() > ROWS_MAX
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    fn height(&self, row_height: f64, bars: usize) -> f64 {
        let rows = if self.is_merged(bars) { 1 } else { self.rows.len().max(1) };
        rows as f64 * row_height + 4.0
    }
}

/// The picture, as SVG without colours of its own.
pub fn render(night: &Night<'_>) -> String {
    let lanes = lanes(night);
    let bars = night.runs.len();
    let row_height = if lanes.len() <= GROUP_LANES_MAX { ROW_HEIGHT.0 } else { ROW_HEIGHT.1 };
    let lanes_height = lanes.iter().map(|lane| lane.height(row_height, bars)).sum::<f64>().max(row_height);
    let (bottom, load_top) = (TOP + lanes_height, TOP + lanes_height + GAP);
    let height = load_top + LOAD + BOTTOM;
    let scale = Scale::of(night.minutes, LEFT, WIDTH - RIGHT);
    let mut canvas = Canvas::inline(WIDTH, height, "night", night.which.heading(), &description(night));
    canvas.hatch("torn");
    for edges in [(TOP, bottom), (load_top, load_top + LOAD)] {
        closed(&mut canvas, night.minutes, |minute| night.is_open(minute), &scale, edges);
    }
    for (minute, label) in scale.hours(&night.local(0).to_string()) {
        let x = scale.x(f64::from(minute));
        canvas.line((x, TOP, x, bottom), "grid");
        canvas.line((x, load_top, x, load_top + LOAD), "grid");
        canvas.text(x, TOP - 7.0, "hour", &label);
    }
    let mut top = TOP;
    for (number, lane) in lanes.iter().enumerate() {
        let height = lane.height(row_height, bars);
        if number > 0 {
            canvas.line((0.0, top, WIDTH - RIGHT, top), "rule");
        }
        canvas.text(LEFT - 10.0, top + height / 2.0 + 4.0, "lane", &lane.label);
        if lane.is_merged(bars) {
            merged(&mut canvas, &lane.runs, &scale, (top + 2.0, row_height));
        } else {
            single(&mut canvas, lane, &scale, (top + 2.0, row_height));
        }
        top += height;
    }
    load(&mut canvas, night, &scale, load_top);
    now(&mut canvas, night, &scale, height - BOTTOM);
    canvas.finish()
}

/// What the picture says, in words.
fn description(night: &Night<'_>) -> String {
    let planned = night.planned;
    let counts = night.outcomes();
    let said: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {}", words(*outcome))).collect();
    format!(
        "Window from {} to {} {}. {}: {}. At most {} volumes are in flight at once, the plan's budget is {}.",
        night.local(0),
        night.local(planned.window_min),
        planned.zone,
        several(night.runs.len(), "run"),
        if said.is_empty() { "none".to_owned() } else { said.join(", ") },
        planned.in_flight_peak,
        planned.budget
    )
}

/// What became of a run, in words.
pub const fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Planned => "planned",
        Outcome::Due => "due, not begun",
        Outcome::Running => "running",
        Outcome::NoReceipt => "without a receipt",
        Outcome::Done(verdict) => verdict.as_str(),
    }
}

/// How a run is drawn. Shapes differ as well as colours: full, pale, hatched, outlined, dashed.
const fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Planned => "run planned",
        Outcome::Due => "run due",
        Outcome::Running => "run running",
        Outcome::NoReceipt => "run none",
        Outcome::Done(Verdict::GroupConsistent) => "run good",
        Outcome::Done(Verdict::MemberConsistent) => "run fair",
        Outcome::Done(Verdict::CrashConsistent | Verdict::Failed) => "run bad",
        Outcome::Done(Verdict::Unknown) => "run unproven",
    }
}

/// What a picture is read by: class and words, in the order of the legend.
pub const LEGEND: [(&str, &str); 8] = [
    ("run good", "group-consistent"),
    ("run fair", "member-consistent"),
    ("run bad", "crash-consistent or failed"),
    ("run unproven", "unknown"),
    ("run running", "running"),
    ("run due", "due, not begun"),
    ("run planned", "planned"),
    ("run none", "no receipt"),
];

/// A small example of how something is drawn.
pub fn key(class: &str) -> String {
    // Not a document of its own: it is beside its words, and nothing to those who cannot see it.
    format!(
        "<svg class=\"key\" viewBox=\"0 0 16 10\" aria-hidden=\"true\"><rect x=\"1\" y=\"1\" width=\"14\" height=\"8\" rx=\"1.5\" class=\"{class}\"/></svg>"
    )
}

fn lanes<'n, 'p>(night: &'n Night<'p>) -> Vec<Lane<'n, 'p>> {
    let few = night.planned.groups.len() <= GROUP_LANES_MAX;
    let mut by_label: BTreeMap<String, Vec<&'n NightRun<'p>>> = BTreeMap::new();
    for run in &night.runs {
        let namespace = run.group.key.namespace.as_str();
        let label = if few { format!("{namespace}/{}", run.group.workload) } else { namespace.to_owned() };
        by_label.entry(label).or_default().push(run);
    }
    let mut lanes: Vec<(String, Vec<&NightRun<'p>>)> = by_label.into_iter().collect();
    let mut rest = Vec::new();
    if lanes.len() > NAMESPACE_LANES_MAX {
        // Those with something bad in them first, then the fullest; what is shown is shown by name again.
        lanes.sort_by_key(|(_, runs)| std::cmp::Reverse((runs.iter().any(|run| is_bad(run.outcome)), runs.len())));
        rest = lanes.split_off(NAMESPACE_LANES_MAX - 1);
        lanes.sort_by(|a, b| a.0.cmp(&b.0));
    }
    if !rest.is_empty() {
        let label = several(rest.len(), "more namespace");
        lanes.push((label, rest.into_iter().flat_map(|(_, runs)| runs).collect()));
    }
    let span = |run: &&NightRun<'p>| (run.after_min, run.ends_min());
    lanes
        .into_iter()
        .map(|(label, runs)| Lane { label: shortened(&label), rows: pack(runs.clone(), span), runs })
        .collect()
}

const fn is_bad(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Done(Verdict::CrashConsistent | Verdict::Failed))
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS_MAX {
        return label.to_owned();
    }
    // Both ends tell names apart better than the beginning alone.
    let chars: Vec<char> = label.chars().collect();
    let half = LABEL_CHARS_MAX / 2;
    chars[..half].iter().chain(['…'].iter()).chain(&chars[chars.len() - (half - 1)..]).collect()
}

fn single(canvas: &mut Canvas, lane: &Lane<'_, '_>, scale: &Scale, (top, row_height): (f64, f64)) {
    for (number, row) in lane.rows.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a row's number is small")]
        let y = top + number as f64 * row_height;
        for run in row {
            let from = f64::from(run.after_min);
            let begins = from + f64::from(run.run.queued_s.unwrap_or(0)) / 60.0;
            let (left, begin) = (scale.x(from), scale.x(begins));
            if begin - left > 1.0 {
                canvas.rectangle((left, y + row_height / 2.0 - 2.0, begin - left, 3.0), "queued", "in Velero's queue");
            }
            let width = (scale.x(begins + f64::from(run.run.takes_s) / 60.0) - begin).max(BAR_WIDTH_MIN);
            canvas.rectangle((begin, y + 1.0, width, row_height - 3.0), class(run.outcome), &hint(run));
        }
    }
}

fn hint(run: &NightRun<'_>) -> String {
    let group = run.group;
    let queued = run.run.queued_s.filter(|seconds| *seconds > 0);
    let queued = queued.map(|seconds| format!(", {} in Velero's queue", length(seconds.into()))).unwrap_or_default();
    format!(
        "{}/{}: {}, {} UTC{queued}, takes about {}; {}; slot: {}",
        group.key.namespace,
        group.workload,
        several(group.volumes, "volume"),
        run.run.due,
        length(run.run.takes_s.into()),
        words(run.outcome),
        group.reason
    )
}

/// A lane that is too full for single runs: when anything runs in it, with the worst of what became of it.
fn merged(canvas: &mut Canvas, runs: &[&NightRun<'_>], scale: &Scale, (top, row_height): (f64, f64)) {
    let mut sorted: Vec<&&NightRun<'_>> = runs.iter().collect();
    sorted.sort_by_key(|run| run.after_min);
    let mut spans: Vec<(u32, u32, Vec<Outcome>)> = Vec::new();
    for run in sorted {
        match spans.last_mut() {
            // What is over and what is to come are told apart, or a busy lane would be one bar of one colour.
            Some((_, to, outcomes))
                if run.after_min <= *to && outcomes.iter().any(|o| class(*o) == class(run.outcome)) =>
            {
                *to = (*to).max(run.ends_min());
                outcomes.push(run.outcome);
            }
            _ => spans.push((run.after_min, run.ends_min(), vec![run.outcome])),
        }
    }
    for (from, to, outcomes) in spans {
        let (left, right) = (scale.x(f64::from(from)), scale.x(f64::from(to)));
        let hint = format!("{}: {}", several(outcomes.len(), "run"), words(outcomes[0]));
        canvas.rectangle((left, top + 1.0, (right - left).max(2.0), row_height - 3.0), class(outcomes[0]), &hint);
    }
}

fn load(canvas: &mut Canvas, night: &Night<'_>, scale: &Scale, top: f64) {
    let bottom = top + LOAD;
    let budget = u64::from(night.planned.budget);
    let peak = night.planned.in_flight_peak.max(1);
    // A budget far above the load would flatten it: then the load sets the scale, and the words say where the budget is.
    let most = if budget <= peak.saturating_mul(4) { peak.max(budget) } else { peak };
    let most = most + most.div_ceil(6);
    let y = |volumes: u64| bottom - part(volumes, most) * LOAD;
    let mut points = vec![(scale.x(0.0), bottom)];
    for minute in 0..night.minutes {
        let at = y(night.in_flight(minute));
        let (last_x, last_y) = *points.last().unwrap_or(&(0.0, bottom));
        let x = scale.x(f64::from(minute));
        if (last_y - at).abs() > f64::EPSILON {
            if x > last_x {
                points.push((x, last_y));
            }
            points.push((x, at));
        }
    }
    let end = scale.x(f64::from(night.minutes));
    points.push((end, points.last().map_or(bottom, |(_, y)| *y)));
    points.push((end, bottom));
    canvas.area(&points, "load");
    canvas.line((scale.x(0.0), bottom, end, bottom), "axis");
    let words = format!("in flight, at most {}", night.planned.in_flight_peak);
    canvas.text(LEFT - 10.0, bottom - 4.0, "lane", &words);
    if budget <= most {
        canvas.line((scale.x(0.0), y(budget), end, y(budget)), "budget");
        canvas.text(end - 4.0, y(budget) - 4.0, "budget-text", &format!("budget {budget}"));
    } else {
        canvas.text(end - 4.0, top + 12.0, "budget-text", &format!("budget {budget}, above this scale"));
    }
}

fn now(canvas: &mut Canvas, night: &Night<'_>, scale: &Scale, bottom: f64) {
    let shown = u32::try_from(night.now_min).ok().filter(|minute| *minute <= night.minutes);
    if let Some(minute) = shown {
        let x = scale.x(f64::from(minute));
        canvas.line((x, 16.0, x, bottom), "now");
        // Near an edge the word would be cut off.
        let inside = x.clamp(LEFT + 28.0, WIDTH - RIGHT - 30.0);
        canvas.text(inside, 12.0, "now-text", &format!("now {}", night.local(minute)));
    } else {
        let (x, class, text) = match night.which {
            Which::Coming => (LEFT, "now-text begin", "now is before this night"),
            Which::Last | Which::Tonight => (WIDTH - RIGHT, "now-text end", "now is after this night"),
        };
        canvas.text(x, 12.0, class, text);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than the 53rd bit")]
fn part(volumes: u64, most: u64) -> f64 {
    (volumes as f64 / most as f64).clamp(0.0, 1.0)
}
