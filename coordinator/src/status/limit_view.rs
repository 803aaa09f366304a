//! What the status says of the budget's limit: how much, why, and what each signal says, with ages.

use std::fmt::Write as _;

use serde::Serialize;
use shared::limiter_lease::{LimiterLease, SignalNote};
use shared::time::WallTime;

use super::table::ago;

/// The limit.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitView {
    /// Volumes at once, now.
    pub volumes: u32,
    /// The most that they may be: `MAX_CONCURRENT_SNAPSHOTS`.
    pub max: u32,
    /// Why they are so many.
    pub why: String,
    /// When they last changed.
    pub changed_at: Option<WallTime>,
    /// What all signals say together: `calm`, `throttled` or `unknown`.
    pub level: String,
    /// What each says.
    pub signals: Vec<SignalNote>,
    /// What the next plan reckons with, volumes.
    pub plan_budget: u32,
    /// When all this was written; a leader writes it anew when something changes, and ages once a minute.
    pub written_at: WallTime,
}

/// Makes it.
pub fn limit(lease: LimiterLease) -> LimitView {
    let LimiterLease {
        namespace: _,
        limit,
        ceiling,
        why,
        changed_at,
        level,
        signals,
        days: _,
        plan_budget,
        plan_budget_since: _,
        writer: _,
        renewed_at,
    } = lease;
    LimitView { volumes: limit, max: ceiling, why, changed_at, level, signals, plan_budget, written_at: renewed_at }
}

/// As lines of the table.
pub fn lines(view: &LimitView, now: WallTime) -> String {
    let LimitView { volumes, max, why, changed_at, level, signals, plan_budget, written_at } = view;
    let since = changed_at.map_or_else(String::new, |at| format!(", since {}", ago(at, now)));
    let mut text = format!("limit: {volumes} of at most {max} volumes at once{since}: {why}\n");
    if plan_budget != max {
        let _ = writeln!(text, "    plans reckon with {plan_budget}: the account was hot for days");
    }
    let _ = writeln!(text, "throttling: {level}, as written {}", ago(*written_at, now));
    for SignalNote { source, health, level, evidence, at, heard_at } in signals {
        let said = match health.as_str() {
            "off" => "off".to_owned(),
            "failing" => format!("failing: {evidence}"),
            _ => {
                let when = at.or(*heard_at).map_or_else(String::new, |at| format!(" ({})", ago(at, now)));
                format!("{level}: {evidence}{when}")
            }
        };
        let _ = writeln!(text, "    {source}: {said}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> WallTime {
        WallTime::from_micros(1_700_000_000_000_000).plus_ms(s * 1_000)
    }

    fn signal(source: &str, health: &str, level: &str, evidence: &str, moment: Option<i64>) -> SignalNote {
        let text = str::to_owned;
        SignalNote {
            source: text(source),
            health: text(health),
            level: text(level),
            evidence: text(evidence),
            at: moment.map(at),
            heard_at: None,
        }
    }

    #[test]
    fn a_limit_that_was_lowered_says_why_and_by_whose_word() {
        let view = LimitView {
            volumes: 2,
            max: 5,
            why: "throttled (driver-metrics): the EBS CSI driver had 4 throttled CreateSnapshot calls".to_owned(),
            changed_at: Some(at(-130)),
            level: "throttled".to_owned(),
            signals: vec![
                signal("snapshot-contents", "working", "calm", "3 snapshots got their handles within 1s", Some(-12)),
                signal("driver-metrics", "working", "throttled", "4 throttled", Some(-9)),
                signal("cloudwatch", "failing", "unknown", "AccessDenied: cloudwatch:GetMetricData is missing", None),
                signal("backups", "off", "unknown", "off", None),
            ],
            plan_budget: 4,
            written_at: at(-3),
        };
        let expected = "\
limit: 2 of at most 5 volumes at once, since 2m ago: throttled (driver-metrics): the EBS CSI driver had 4 throttled CreateSnapshot calls
    plans reckon with 4: the account was hot for days
throttling: throttled, as written 3s ago
    snapshot-contents: calm: 3 snapshots got their handles within 1s (12s ago)
    driver-metrics: throttled: 4 throttled (9s ago)
    cloudwatch: failing: AccessDenied: cloudwatch:GetMetricData is missing
    backups: off
";
        assert_eq!(lines(&view, at(0)), expected);
    }
}
