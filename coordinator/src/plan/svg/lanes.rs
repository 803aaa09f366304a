//! Which bar lies where: a lane a namespace, as many rows in it as runs overlap.

use std::collections::BTreeMap;

use coordinator_core::schedule::plan::Reason;

use super::super::view::{GroupView, RunView};
use super::super::words::length;
use super::canvas::Canvas;
use super::scale::Scale;

/// Space above and below a lane's rows, px.
pub const PADDING: f64 = 2.0;

/// So many namespaces have a lane of their own; the others share the last. More lanes than this are no picture any more.
const LANES_MAX: usize = 150;

/// A lane is at least this high, px: its name must be readable.
const LANE_HEIGHT_MIN: f64 = 14.0;

/// Rows are as high as this while there are few, px, …
const ROW_HEIGHT_MAX: f64 = 20.0;
/// … and shrink to this.
const ROW_HEIGHT_MIN: f64 = 6.0;
/// The height that all rows together should not pass by much, px.
const LANES_HEIGHT_WANTED: f64 = 900.0;

/// A bar is at least so wide, px: five minutes of a day are 3.7.
const BAR_WIDTH_MIN: f64 = 3.0;

/// Rows at least this high have room for names.
const NAME_ROW_HEIGHT: f64 = 12.0;

/// Rows at least this high have names beside bars too: there are few, and the space between them is free.
const BESIDE_ROW_HEIGHT: f64 = 16.0;

/// About the width of a character of a name, px.
const CHARACTER: f64 = 5.6;

/// Characters of a namespace's name that fit left of the plot.
const LABEL_CHARS_MAX: usize = 26;

/// A namespace's runs.
pub struct Lane<'a> {
    namespaces: Vec<&'a str>,
    /// Bars that do not overlap, row by row.
    pub rows: Vec<Vec<Bar<'a>>>,
}

/// One run.
#[derive(Clone, Copy)]
pub struct Bar<'a> {
    group: &'a GroupView,
    run: &'a RunView,
}

/// The lanes, by the namespaces' names.
pub fn lanes(groups: &[GroupView]) -> Vec<Lane<'_>> {
    let mut by_namespace: BTreeMap<&str, Vec<Bar<'_>>> = BTreeMap::new();
    for group in groups {
        let bars = group.runs.iter().map(|run| Bar { group, run });
        by_namespace.entry(&group.namespace).or_default().extend(bars);
    }
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    let mut rest = (Vec::new(), Vec::new());
    let crowded = by_namespace.len() > LANES_MAX;
    for (n, (namespace, bars)) in by_namespace.into_iter().enumerate() {
        if crowded && n >= LANES_MAX - 1 {
            rest.0.push(namespace);
            rest.1.extend(bars);
        } else {
            lanes.push(Lane { namespaces: vec![namespace], rows: pack(bars, Bar::span) });
        }
    }
    if crowded {
        lanes.push(Lane { namespaces: rest.0, rows: pack(rest.1, Bar::span) });
    }
    lanes
}

/// Puts bars into the first row that is free by then; `span` says from when to when one lies.
pub fn pack<T>(mut bars: Vec<T>, span: impl Fn(&T) -> (u32, u32)) -> Vec<Vec<T>> {
    bars.sort_by_key(|bar| span(bar).0);
    let mut rows: Vec<(u32, Vec<T>)> = Vec::new();
    for bar in bars {
        let (from, to) = span(&bar);
        match rows.iter_mut().find(|(free, _)| *free <= from) {
            Some((free, row)) => {
                *free = to;
                row.push(bar);
            }
            None => rows.push((to, vec![bar])),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// How high a row may be so that the picture stays on a screen or two.
pub fn row_height(lanes: &[Lane<'_>]) -> f64 {
    let rows: usize = lanes.iter().map(|lane| lane.rows.len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let fair = LANES_HEIGHT_WANTED / rows.max(1) as f64;
    fair.clamp(ROW_HEIGHT_MIN, ROW_HEIGHT_MAX)
}

impl Lane<'_> {
    /// Its height, px.
    pub fn height(&self, row_height: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let rows = self.rows.len() as f64 * row_height;
        (rows + 2.0 * PADDING).max(LANE_HEIGHT_MIN)
    }

    /// Its name.
    pub fn label(&self) -> String {
        match self.namespaces.as_slice() {
            [one] if one.chars().count() > LABEL_CHARS_MAX => {
                one.chars().take(LABEL_CHARS_MAX - 1).chain(std::iter::once('…')).collect()
            }
            [one] => (*one).to_owned(),
            several => format!("{} more namespaces", several.len()),
        }
    }
}

impl Bar<'_> {
    fn from(&self) -> u32 {
        self.run.after_window_start.into()
    }

    fn span(&self) -> (u32, u32) {
        let (wait, take) = self.run.wait_and_take_s;
        (self.from(), self.from().saturating_add(wait.saturating_add(take).div_ceil(60)).max(self.from() + 1))
    }

    fn class(&self) -> &'static str {
        match self.group.why {
            Reason::Kept => "kept",
            Reason::Placed | Reason::ByPriority => "new",
            Reason::Fixed => "fixed",
            Reason::ClocksChanged
            | Reason::WindowChanged
            | Reason::NamespaceBusy
            | Reason::VeleroBusy
            | Reason::OverBudget
            | Reason::Balance => "moved",
        }
    }

    fn hint(&self) -> String {
        let (group, run) = (self.group, self.run);
        let end = run.end.as_deref().unwrap_or("never");
        let queued = run.queued_s.filter(|seconds| *seconds > 0);
        let queued = queued.map(|s| format!(", {} in the queue", length(s.into()))).unwrap_or_default();
        format!(
            "{}/{}: {} volumes, {} to {end} ({} UTC){queued}; {}",
            group.namespace, group.workload, group.volumes, run.start, run.start_utc, group.reason_text
        )
    }

    /// Where it begins, px.
    pub fn left(&self, scale: &Scale) -> f64 {
        scale.x(f64::from(self.from()))
    }

    /// Draws it: grey while it waits in the queue, then its colour; its name in it, or beside it as far as that is free, px.
    pub fn draw(&self, canvas: &mut Canvas, scale: &Scale, (y, row_height): (f64, f64), free_until: f64) {
        let (wait, take) = self.run.wait_and_take_s;
        let start = f64::from(self.from());
        let begins = start + f64::from(wait) / 60.0;
        let (left, begin, right) = (scale.x(start), scale.x(begins), scale.x(begins + f64::from(take) / 60.0));
        let height = row_height - if row_height > 8.0 { 2.0 } else { 1.0 };
        if wait > 0 {
            canvas.rectangle((left, y + height / 4.0, begin - left, height / 2.0), "queued", "in Velero's queue");
        }
        let width = (right - begin).max(BAR_WIDTH_MIN);
        canvas.rectangle((begin, y, width, height), self.class(), &self.hint());
        self.name(canvas, (begin, y, width, height), row_height, free_until);
    }

    #[expect(clippy::cast_precision_loss, reason = "a name's length")]
    fn name(&self, canvas: &mut Canvas, (x, y, width, height): (f64, f64, f64, f64), row_height: f64, free_until: f64) {
        let needed = self.group.workload.chars().count() as f64 * CHARACTER + 8.0;
        if row_height >= NAME_ROW_HEIGHT && needed <= width {
            canvas.text(x + 4.0, y + height / 2.0 + 3.5, "name", &self.group.workload);
        } else if row_height >= BESIDE_ROW_HEIGHT && needed <= free_until - x - width {
            canvas.text(x + width + 4.0, y + height / 2.0 + 3.5, "beside", &self.group.workload);
        }
    }
}
