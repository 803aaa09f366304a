//! The status as aligned columns, for somebody who was woken up.

use std::fmt::Write as _;

use shared::admission::RoundPhase;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::limit_view;
use super::view::{BudgetView, GroupView, LeaderView, View};

/// A leader that did not renew for this long, s, is worth a second look: client-go's Lease duration.
const RENEWED_LONG_AGO_S: i64 = 15;

const HEADER: [&str; 12] = [
    "NAMESPACE",
    "GROUP",
    "PHASE",
    "ROUND",
    "MODE",
    "PODS",
    "WAITING",
    "QUIESCED",
    "DONE",
    "FAILED",
    "LAST VERDICT",
    "ENDED",
];

/// The table.
pub fn render(view: &View, now: WallTime) -> String {
    let View { groups, budget, limit, leader, problems } = view;
    let mut text = if groups.is_empty() { "No snapshot groups.\n".to_owned() } else { table(groups, now) };
    let _ = write!(text, "\nbudget: {}\nleader: {}\n", budget_line(budget.as_ref()), leader_line(leader.as_ref(), now));
    if let Some(limit) = limit {
        text.push_str(&limit_view::lines(limit, now));
    }
    for problem in problems {
        let _ = writeln!(text, "problem: {problem}");
    }
    text
}

fn table(groups: &[GroupView], now: WallTime) -> String {
    let rows: Vec<[String; 12]> = groups.iter().map(|group| row(group, now)).collect();
    let mut widths = HEADER.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = line(&HEADER.map(str::to_owned), &widths);
    for (row, group) in rows.iter().zip(groups) {
        text.push_str(&line(row, &widths));
        text.push_str(&notes(group));
    }
    text
}

fn line(cells: &[String; 12], widths: &[usize; 12]) -> String {
    let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned() + "\n"
}

fn row(group: &GroupView, now: WallTime) -> [String; 12] {
    let dash = || "-".to_owned();
    let mode = group
        .mode
        .map_or_else(dash, |mode| if group.degraded { format!("{mode} (stalled barrier)") } else { mode.to_string() });
    [
        group.namespace.to_string(),
        group.group.to_string(),
        group.phase.map_or_else(|| "never ran".to_owned(), |phase| phase.to_string()),
        if group.epoch.0 == 0 { dash() } else { group.epoch.to_string() },
        mode,
        group.pods.to_string(),
        group.waiting.to_string(),
        group.quiesced.to_string(),
        group.done.to_string(),
        group.failed.to_string(),
        group.last.as_ref().map_or_else(dash, |last| last.verdict.to_string()),
        group.last.as_ref().map_or_else(dash, |last| ago(last.closed_at, now)),
    ]
}

/// What does not fit into columns and matters: why a group waits, and why its last round was not what it should be.
fn notes(group: &GroupView) -> String {
    let mut text = String::new();
    if let Some(wait) = group.wait.as_ref().filter(|_| group.phase == Some(RoundPhase::Waiting)) {
        let _ = writeln!(text, "    waits for {wait}");
    }
    if let Some(backup) = group.backup.as_ref().filter(|_| group.phase != Some(RoundPhase::Closed)) {
        let _ = writeln!(text, "    in Backup {backup}");
    }
    if let Some(last) = group.last.as_ref().filter(|last| last.verdict != Verdict::GroupConsistent) {
        let _ = writeln!(text, "    last: {}", last.why);
    }
    text
}

fn budget_line(budget: Option<&BudgetView>) -> String {
    let Some(BudgetView { limit, granted, grants, writer: _ }) = budget else {
        return "nothing was granted yet".to_owned();
    };
    let holders: Vec<String> = grants.iter().map(|(group, weight)| format!("{group} {weight}")).collect();
    let holders = if holders.is_empty() { String::new() } else { format!(": {}", holders.join(", ")) };
    format!("{granted} of {limit} volumes granted{holders}")
}

fn leader_line(leader: Option<&LeaderView>, now: WallTime) -> String {
    match leader {
        None => "no coordinator ever led here (is --coordinator-namespace right?)".to_owned(),
        Some(LeaderView { holder: None, renewed_at }) => {
            format!("nobody; the last one gave the lead up {}", ago(*renewed_at, now))
        }
        Some(LeaderView { holder: Some(holder), renewed_at }) => {
            let doubt = if now.ms_since(*renewed_at) / 1_000 > RENEWED_LONG_AGO_S { ": is it alive?" } else { "" };
            format!("{holder}, renewed {}{doubt}", ago(*renewed_at, now))
        }
    }
}

/// How long ago something was, by two clocks that may differ a little.
pub fn ago(at: WallTime, now: WallTime) -> String {
    let seconds = now.ms_since(at).max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..172_800 => format!("{}h ago", seconds / 3_600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}
