//! What is one line of the tables, and how do the tables look?

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use testbed::bench::samples::Samples;

/// One line, from one or more Backups.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "table", rename_all = "snake_case")]
pub enum Row {
    /// What a group's pods and its cuts saw.
    Group(GroupRow),
    /// What a group saw whose pods have residents.
    Lead(LeadRow),
    /// What hooks add to a Backup.
    Added(AddedRow),
}

/// A group with a resident in every pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeadRow {
    /// How Velero was asked.
    pub layout: String,
    /// How many pods.
    pub pods: usize,
    /// How many Backups.
    pub backups: usize,
    /// In how many of them all were held from before the first cut until after the last.
    pub whole: usize,
    /// From the first hook's start until all are still, s.
    pub still_s: Vec<f64>,
    /// From the first to the last still, s.
    pub skew_s: Vec<f64>,
    /// From the last cut until all are let go, s.
    pub let_go_s: Vec<f64>,
    /// How long each pod was held, s.
    pub held_s: Vec<f64>,
}

impl LeadRow {
    /// Before anything was measured.
    pub fn of(layout: &str, pods: usize) -> Self {
        let (still_s, skew_s, let_go_s, held_s) = (vec![], vec![], vec![], vec![]);
        Self { layout: layout.to_owned(), pods, backups: 0, whole: 0, still_s, skew_s, let_go_s, held_s }
    }

    fn line(&self) -> String {
        let Self { layout, pods, backups, whole, still_s, skew_s, let_go_s, held_s } = self;
        let [still, skew, let_go, held] = [still_s, skew_s, let_go_s, held_s].map(|times| median_and_longest(times));
        format!("| {layout} | {pods} | {backups} | {still} | {skew} | {let_go} | {held} | {whole} |")
    }
}

/// A group under one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupRow {
    /// How Velero was asked.
    pub layout: String,
    /// How many pods.
    pub pods: u32,
    /// Whose hooks.
    pub system: String,
    /// How many Backups.
    pub backups: usize,
    /// How long Velero waited for each pre hook, s.
    pub wait_s: Vec<f64>,
    /// From the first to the last cut of each Backup, s.
    pub skew_s: Vec<f64>,
    /// How long each pod was held, s; empty where nothing is.
    pub held_s: Vec<f64>,
    /// From the begin of each Backup's work to its end, s.
    pub total_s: Vec<f64>,
    /// The Backups' phases and how consistent they truly are, each once.
    pub outcome: String,
}

/// The same Backups with hooks and without.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddedRow {
    /// How Velero was asked.
    pub layout: String,
    /// How many pods.
    pub pods: u32,
    /// From the begin of the Backup's work to `what`.
    pub what: String,
    /// With hooks, s.
    pub with_s: Vec<f64>,
    /// Without, s.
    pub without_s: Vec<f64>,
    /// With hooks that do nothing, s.
    pub idle_s: Vec<f64>,
    /// How much of the time with hooks passed between the starts and the ends of hooks, s: what they add by themselves, whatever
    /// else the machine did meanwhile.
    pub in_hooks_s: Vec<f64>,
}

/// Seconds, with their fraction.
pub fn seconds(times: impl IntoIterator<Item = Duration>) -> Vec<f64> {
    times.into_iter().map(|time| time.as_secs_f64()).collect()
}

/// All tables.
pub fn markdown(rows: &[Row]) -> String {
    let mut groups = "| Velero was asked for | pods | whose hooks | Backups | a hook waits (longest) | first to last cut | a pod is held (longest) | \
        Backup takes | outcome |\n|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    let mut added =
        "| Velero was asked for | pods | until | n | with hooks: min / median / max | without | added (medians) | of it in hooks | \
        hooks that do nothing add |\n|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let mut lead = "| Velero was asked for | pods | Backups | all are still, after the first hook began (longest) | first to last still | \
        let go after the last cut | a pod is held | held over all cuts |\n|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let written = match row {
            Row::Group(row) => writeln!(groups, "{}", row.line()),
            Row::Lead(row) => writeln!(lead, "{}", row.line()),
            Row::Added(row) => writeln!(added, "{}", row.line()),
        };
        // A String takes everything.
        let _ = written;
    }
    format!("{groups}\n{lead}\n{added}")
}

impl GroupRow {
    fn line(&self) -> String {
        let Self { layout, pods, system, backups, wait_s, skew_s, held_s, total_s, outcome } = self;
        let (wait, skew) = (median_and_longest(wait_s), median_and_longest(skew_s));
        let (held, total) = (median_and_longest(held_s), median_and_longest(total_s));
        format!("| {layout} | {pods} | {system} | {backups} | {wait} | {skew} | {held} | {total} | {outcome} |")
    }
}

impl AddedRow {
    fn line(&self) -> String {
        let Self { layout, pods, what, with_s, without_s, idle_s, in_hooks_s } = self;
        if [with_s, without_s, idle_s, in_hooks_s].iter().any(|times| times.is_empty()) {
            return format!("| {layout} | {pods} | {what} | 0 | – | – | – | – | – |");
        }
        let (with, without) = (Samples::of(with_s.iter().copied()), Samples::of(without_s.iter().copied()));
        let added = with.median() - without.median();
        let in_hooks = Samples::of(in_hooks_s.iter().copied()).median();
        let idle = Samples::of(idle_s.iter().copied()).median() - without.median();
        let percent = |part: f64| 100.0 * part / without.median();
        format!(
            "| {layout} | {pods} | {what} | {} | {} | {} | {:+.1} % ({added:+.2} s) | {:.1} % ({in_hooks:.2} s) | {:+.1} % ({idle:+.2} s) |",
            with.count(),
            three(&with),
            three(&without),
            percent(added),
            percent(in_hooks),
            percent(idle),
        )
    }
}

fn three(samples: &Samples) -> String {
    format!("{:.2} / {:.2} / {:.2} s", samples.min(), samples.median(), samples.p99())
}

fn median_and_longest(values: &[f64]) -> String {
    if values.is_empty() {
        return "–".to_owned();
    }
    let samples = Samples::of(values.iter().copied());
    if samples.count() == 1 {
        short(samples.median())
    } else {
        format!("{} ({})", short(samples.median()), short(samples.p99()))
    }
}

/// Two digits of a second are all that is worth telling; of a long time none is.
fn short(value_s: f64) -> String {
    if value_s >= 60.0 { format!("{value_s:.0} s") } else { format!("{value_s:.2} s") }
}
