//! In which order groups are shown, and which of them: the worst first, then the latest, a page at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use shared::identity::GroupKey;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::night::{key_of, next_run};
use super::planned::{Planned, PlannedGroup, SchedulerWord};
use super::query::Query;
use super::seen::GroupSeen;

/// How a group stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It has had no good Backup for longer than its Schedule promises.
    Missed,
    /// Its last cut was not held, or there was none.
    Bad,
    /// What its last cut is worth cannot be proven.
    Unproven,
    /// Each pod was held, and not all at once.
    Fair,
    /// Its last cut was one.
    Good,
    /// It never ran.
    Never,
}

impl Grade {
    /// For machines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Bad => "bad",
            Self::Unproven => "unproven",
            Self::Fair => "fair",
            Self::Good => "good",
            Self::Never => "never",
        }
    }

    /// Of a verdict.
    pub const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::GroupConsistent => Self::Good,
            Verdict::MemberConsistent => Self::Fair,
            Verdict::Unknown => Self::Unproven,
            Verdict::CrashConsistent | Verdict::Failed => Self::Bad,
        }
    }
}

/// One group, as it is listed.
#[derive(Clone, Debug)]
pub struct GroupRow<'a> {
    /// What is known of it.
    pub seen: &'a GroupSeen,
    /// What it is called within its namespace.
    pub name: &'a str,
    /// How it stands.
    pub grade: Grade,
    /// When it runs next, where that is planned.
    pub next_run: Option<WallTime>,
}

/// A page of the list.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// The page's rows.
    pub rows: Vec<GroupRow<'a>>,
    /// Which page, from 1.
    pub page: usize,
    /// How many pages there are, at least 1.
    pub pages: usize,
    /// Groups that were asked for.
    pub matched: usize,
}

/// Lists groups.
pub fn list<'a>(groups: &'a [GroupSeen], word: &'a SchedulerWord, query: &Query, now: WallTime) -> Listed<'a> {
    let planned = by_key(word.planned.as_deref());
    let missed: BTreeSet<&GroupKey> = word.missed.iter().map(|missed| &missed.group).collect();
    let mut rows: Vec<GroupRow<'a>> = groups
        .iter()
        .map(|seen| {
            let key = key_of(seen);
            let of_plan = planned.get(&key).copied();
            let by_last = seen.group.last.as_ref().map_or(Grade::Never, |last| Grade::of(last.verdict));
            let workload = seen.workload.as_deref().or(of_plan.map(|group| group.workload.as_str()));
            GroupRow {
                seen,
                name: workload.unwrap_or(seen.group.group.as_str()),
                grade: if missed.contains(&key) { Grade::Missed } else { by_last },
                next_run: of_plan.and_then(|group| next_run(group, now)),
            }
        })
        .filter(|row| query.asks_for(&[row.seen.group.namespace.as_str(), row.name, row.seen.group.group.as_str()]))
        .collect();
    // The sort is stable: among equals, namespaces and names keep their order.
    rows.sort_by_key(|row| (row.grade, Reverse(row.seen.group.last.as_ref().map(|last| last.closed_at))));
    let matched = rows.len();
    let pages = matched.div_ceil(query.rows).max(1);
    // Groups go while somebody leafs through them; the last page is what is left of a page behind it.
    let page = query.page.min(pages);
    let rows = rows.into_iter().skip((page - 1) * query.rows).take(query.rows).collect();
    Listed { rows, page, pages, matched }
}

fn by_key(planned: Option<&Planned>) -> BTreeMap<&GroupKey, &PlannedGroup> {
    planned.into_iter().flat_map(|planned| &planned.groups).map(|group| (&group.key, group)).collect()
}
