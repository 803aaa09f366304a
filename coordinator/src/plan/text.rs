//! The plan for people: what is when and why there, the load as bars, whether it fits, what changes, what is odd.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use coordinator_core::schedule::plan::Feasibility;

use super::diff;
use super::made::Made;
use super::view::{FindingView, GroupView, HourView, View};
use super::words::{length, several};

/// Characters of the longest bar.
const BAR_CHARS: u64 = 40;

/// Findings of one kind beyond this are counted, not listed: a cluster with 10,000 unbound claims has one problem, not 10,000.
const FINDINGS_OF_A_KIND_MAX: usize = 5;

const HEADER: [&str; 8] = ["START", "END", "UTC", "NAMESPACE", "WORKLOAD", "VOLUMES", "TAKES", "WHY THEN"];

/// All of it.
pub fn render(view: &View, made: &Made) -> String {
    let mut text = head(view);
    if view.groups.is_empty() {
        text.push_str("\nNo EBS volumes to back up.\n");
    } else {
        text.push('\n');
        text.push_str(&table(&view.groups));
        text.push_str(&bars(view));
    }
    text.push_str(&verdict(view, &made.plan.feasibility));
    text.push_str(&diff::sum(view));
    text.push_str(&findings(&view.findings));
    text
}

fn head(view: &View) -> String {
    let window = &view.window;
    let mut text = format!(
        "{}, {}. Window {} to {} {} ({} h, UTC{}), day {}. Budget {} volumes.\n",
        several(view.groups.len(), "group"),
        several(view.volumes, "volume"),
        window.start,
        window.end,
        window.time_zone,
        window.hours,
        window.utc_offset,
        window.day,
        view.budget
    );
    if let Some(clocks) = &window.clocks_change {
        let _ = writeln!(
            text,
            "The clocks change on {} (UTC{} from then on): the next plan moves every slot with them.",
            clocks.day, clocks.utc_offset
        );
    }
    text
}

fn table(groups: &[GroupView]) -> String {
    let mut rows: Vec<[String; 8]> = groups.iter().flat_map(rows).collect();
    rows.insert(0, HEADER.map(str::to_owned));
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// One line a run; what is the same for all of a group's runs stands on its first.
fn rows(group: &GroupView) -> Vec<[String; 8]> {
    let mut rows = Vec::new();
    for (n, run) in group.runs.iter().enumerate() {
        let end = run.end.clone().unwrap_or_else(|| "never".to_owned());
        let once = |text: String| if n == 0 { text } else { "″".to_owned() };
        let moved = if group.moved_from_utc.is_empty() {
            String::new()
        } else {
            format!(" (was {} UTC)", group.moved_from_utc.join(", "))
        };
        let learned = match group.learned_from_runs {
            0 => String::new(),
            runs => format!(" (of {runs} runs)"),
        };
        rows.push([
            run.start.clone(),
            end,
            run.start_utc.clone(),
            once(group.namespace.clone()),
            once(group.workload.clone()),
            once(group.volumes.to_string()),
            once(length(group.expected_s.into()) + &learned),
            once(format!("{}{moved}", group.reason_text)),
        ]);
    }
    rows
}

fn bars(view: &View) -> String {
    let top = view.load.in_flight_peak.max(u64::from(view.budget)).max(1);
    let mut text = format!("\nVolumes in flight, most in each hour (| is the budget of {}):\n", view.budget);
    for hour in view.load.hours.iter().filter(|hour| hour.open_minutes > 0 || hour.in_flight_most > 0) {
        text.push_str(&bar(hour, top, view.budget.into()));
    }
    text.push('\n');
    text
}

fn bar(hour: &HourView, top: u64, budget: u64) -> String {
    let chars = |volumes: u64| usize::try_from((volumes * BAR_CHARS).div_ceil(top)).unwrap_or(0);
    let (filled, line) = (chars(hour.in_flight_most), chars(budget));
    let cell = |at: usize| match (at == line, at <= filled) {
        (true, _) => '|',
        (false, true) => '█',
        (false, false) => ' ',
    };
    let cells: String = (1..=chars(top)).map(cell).collect();
    let closed = match hour.open_minutes {
        60 => String::new(),
        0 => "  closed".to_owned(),
        open => format!("  open for {open} minutes"),
    };
    format!("{}  {cells}  {:>3}  ({} start){closed}\n", hour.start, hour.in_flight_most, hour.starting)
}

fn verdict(view: &View, feasibility: &Feasibility) -> String {
    let load = &view.load;
    let mut text = format!(
        "Peak {} volumes in flight (no plan could be below {}), {} starting in one minute (not below {}).\n",
        load.in_flight_peak, load.in_flight_lower_bound, load.starting_peak, load.starting_lower_bound
    );
    match feasibility {
        Feasibility::Fits { budget_spare, concurrent_spare } => {
            let _ = writeln!(
                text,
                "It fits: {budget_spare} volumes and {concurrent_spare} backups could still be added in the busiest minute."
            );
        }
        Feasibility::Short { .. } => {
            text.push_str("IT DOES NOT FIT; this is the best there is:\n");
            for shortage in &view.feasibility.shortages {
                let _ = writeln!(text, "  {shortage}");
            }
            if view.feasibility.fixes.is_empty() {
                text.push_str("No single change of window, budget or concurrency makes it fit; change several.\n");
            } else {
                text.push_str("Any one of these makes it fit:\n");
                for fix in &view.feasibility.fixes {
                    let _ = writeln!(text, "  {fix}");
                }
            }
        }
    }
    text
}

fn findings(findings: &[FindingView]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let costly = findings.iter().filter(|finding| finding.costs_a_backup).count();
    let mut text = format!("\n{} findings, {costly} of them about volumes that are not backed up:\n", findings.len());
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    // What costs a backup goes first; within that, the order of kinds stays.
    let (first, then): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.costs_a_backup);
    for finding in first.into_iter().chain(then) {
        let count = listed.entry(finding.code).or_insert(0_usize);
        *count += 1;
        if *count <= FINDINGS_OF_A_KIND_MAX {
            let _ = writeln!(text, "  {} {}", if finding.costs_a_backup { '!' } else { '-' }, finding.text);
        }
    }
    for (code, count) in listed.into_iter().filter(|(_, count)| *count > FINDINGS_OF_A_KIND_MAX) {
        let _ = writeln!(text, "  … and {} more of kind {code} (all are in -o json)", count - FINDINGS_OF_A_KIND_MAX);
    }
    text
}
