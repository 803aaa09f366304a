//! The status page as one JSON document, for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::night::{Night, Outcome};
use super::query::Query;
use super::seen::GroupSeen;
use super::view::StatusView;
use super::warnings::Warning;
use crate::plan::local_time::offset_text;
use crate::status::limit_view::LimitView;
use crate::status::view::BudgetView;

/// Which form of the document this is. Within one form fields are only ever added.
const API_VERSION: &str = "snapshot-group.velero.io/coordinator-status-v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// The coordinator's version.
    version: &'static str,
    read_at: WallTime,
    /// How old what the deciding loop said is, ms.
    age_ms: u64,
    identity: &'a str,
    namespace: &'a str,
    role: &'static str,
    leader: Leader<'a>,
    synced: bool,
    totals: Totals,
    budget: Option<&'a BudgetView>,
    limit: Option<&'a LimitView>,
    warnings: &'a [Warning],
    schedules: Schedules<'a>,
    night: Option<NightJson<'a>>,
    groups: Groups<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Leader<'a> {
    holder: Option<&'a str>,
    renewed_at: Option<WallTime>,
    /// For how long this process has not seen it renew, ms.
    unchanged_ms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    groups: usize,
    volumes: u64,
    rounds_running: usize,
    rounds_waiting: usize,
    last_verdicts: BTreeMap<&'static str, usize>,
    never_ran: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Schedules<'a> {
    mode: &'static str,
    planned_at: Option<WallTime>,
    failure: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NightJson<'a> {
    which: &'static str,
    starts_at: WallTime,
    ends_at: WallTime,
    time_zone: &'a str,
    utc_offset: String,
    budget: u32,
    in_flight_peak: u64,
    fits: bool,
    shortages: &'a [String],
    fixes: &'a [String],
    /// Runs by what became of them.
    runs: BTreeMap<String, usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Groups<'a> {
    /// Groups that were asked for.
    matched: usize,
    page: usize,
    pages: usize,
    rows: usize,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(flatten)]
    seen: &'a GroupSeen,
    /// How it stands: `missed`, `bad`, `unproven`, `fair`, `good` or `never`.
    grade: &'static str,
    next_run_at: Option<WallTime>,
}

/// The document, with a line end.
pub fn render(view: &StatusView<'_>, query: &Query) -> String {
    let parts = &view.parts;
    let seen = parts.seen;
    let document = Document {
        api_version: API_VERSION,
        kind: "SnapshotCoordinatorStatus",
        version: env!("CARGO_PKG_VERSION"),
        read_at: parts.now,
        age_ms: parts.seen_age_ms,
        identity: parts.identity,
        namespace: parts.namespace,
        role: view.role.word(),
        leader: Leader {
            holder: parts.leader.holder.as_deref(),
            renewed_at: parts.leader.renewed_at,
            unchanged_ms: parts.leader.unchanged_ms,
        },
        synced: seen.is_some_and(|seen| seen.synced),
        totals: totals(view),
        budget: seen.and_then(|seen| seen.budget.as_ref()),
        limit: seen.and_then(|seen| seen.limit.as_ref()),
        warnings: &view.warnings,
        schedules: Schedules {
            mode: parts.scheduler.mode,
            planned_at: parts.scheduler.planned.as_deref().map(|planned| planned.at),
            failure: parts.scheduler.failure.as_deref(),
        },
        night: view.night.as_ref().map(night),
        groups: Groups {
            matched: view.listed.matched,
            page: view.listed.page,
            pages: view.listed.pages,
            rows: query.rows,
            items: view
                .listed
                .rows
                .iter()
                .map(|row| Item { seen: row.seen, grade: row.grade.word(), next_run_at: row.next_run })
                .collect(),
        },
    };
    let json = serde_json::to_string(&document).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"));
    json + "\n"
}

fn totals(view: &StatusView<'_>) -> Totals {
    let totals = view.totals;
    Totals {
        groups: totals.groups,
        volumes: totals.volumes,
        rounds_running: totals.running,
        rounds_waiting: totals.waiting,
        last_verdicts: Verdict::ALL.iter().map(|verdict| verdict.as_str()).zip(totals.verdicts).collect(),
        never_ran: totals.never,
    }
}

fn night<'a>(night: &'a Night<'a>) -> NightJson<'a> {
    let planned = night.planned;
    let word = |outcome: Outcome| match outcome {
        Outcome::Planned => "planned".to_owned(),
        Outcome::Done(verdict) => verdict.to_string(),
        Outcome::NoReceipt => "no-receipt".to_owned(),
        Outcome::Due => "due".to_owned(),
        Outcome::Running => "running".to_owned(),
    };
    NightJson {
        which: night.which.word(),
        starts_at: night.starts_at,
        ends_at: night.ends_at,
        time_zone: &planned.zone,
        utc_offset: offset_text(planned.offset_min),
        budget: planned.budget,
        in_flight_peak: planned.in_flight_peak,
        fits: planned.shortages.is_empty(),
        shortages: &planned.shortages,
        fixes: &planned.fixes,
        runs: night.outcomes().into_iter().map(|(outcome, count)| (word(outcome), count)).collect(),
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
