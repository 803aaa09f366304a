//! The status page as HTML: a template, and what it calls things. Everything that is text is escaped by the template.

use std::collections::BTreeMap;

use askama::Template;
use shared::admission::RoundPhase;
use shared::limiter_lease::SignalNote;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::groups::GroupRow;
use super::night::{Hour, Night, key_of};
use super::query::{BadQuery, Query};
use super::seen::GroupSeen;
use super::timeline;
use super::view::{Role, StatusView};
use super::warnings::{Severity, called};
use crate::plan::local_time::offset_text;
use crate::plan::words::several;

/// So many grants are named.
const GRANTS_MAX: usize = 12;

/// The style sheet.
pub const STYLE: &str = include_str!("../../templates/status.css");

/// The icon.
pub const FAVICON: &str = include_str!("../../templates/favicon.svg");

/// The page.
pub fn page(view: &StatusView<'_>, query: &Query) -> String {
    let timeline = view.night.as_ref().map(timeline::render);
    let page = Page { view, query, timeline };
    page.render().unwrap_or_else(|e| unreachable!("text goes into a String: {e}"))
}

/// What is answered to a question that makes no sense.
pub fn refusal(error: &BadQuery) -> String {
    let refusal = Refusal { error: error.to_string() };
    refusal.render().unwrap_or_else(|e| unreachable!("text goes into a String: {e}"))
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal {
    error: String,
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page<'a> {
    view: &'a StatusView<'a>,
    query: &'a Query,
    /// Written by [`timeline::render`], which escapes what it writes.
    timeline: Option<String>,
}

// A template hands over references.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "that is how a template calls")]
#[expect(clippy::unused_self, reason = "a template calls methods")]
impl Page<'_> {
    const fn now(&self) -> WallTime {
        self.view.parts.now
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// `22:41:07 UTC`.
    fn clock(&self) -> String {
        self.now().timestamp().strftime("%H:%M:%S UTC").to_string()
    }

    /// For the attribute of `time`.
    fn stamp(&self, at: &WallTime) -> String {
        at.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `26 Nov 22:41 UTC`.
    fn moment(&self, at: &WallTime) -> String {
        at.timestamp().strftime("%-d %b %H:%M UTC").to_string()
    }

    /// `4 s`, `12 min`, `3 h`, `2 d`.
    fn since(&self, at: &WallTime) -> String {
        span(self.now().ms_since(*at).max(0) / 1_000)
    }

    /// The same of what is to come.
    fn until(&self, at: &WallTime) -> String {
        span(at.ms_since(self.now()).max(0) / 1_000)
    }

    /// `0.4 s`; whole seconds from ten on.
    fn length(&self, ms: &u64) -> String {
        match ms {
            0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
            _ => span(i64::try_from(ms / 1_000).unwrap_or(i64::MAX)),
        }
    }

    fn role(&self) -> String {
        let holder = self.view.parts.leader.holder.as_deref().unwrap_or_default();
        match self.view.role {
            Role::Leads => "leads".to_owned(),
            Role::StandsBy => format!("stands by; {holder} leads"),
            Role::NobodyLeads => "stands by; nobody leads".to_owned(),
            Role::Unknown => "has not read yet who leads".to_owned(),
        }
    }

    fn leads(&self) -> bool {
        self.view.role == Role::Leads
    }

    fn holder(&self) -> Option<&str> {
        self.view.parts.leader.holder.as_deref().filter(|_| self.view.role == Role::StandsBy)
    }

    fn severity_mark(&self, severity: &Severity) -> &'static str {
        match severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "note",
        }
    }

    /// Verdicts that occur, with their counts and class.
    fn verdicts(&self) -> Vec<(&'static str, usize, &'static str)> {
        let counts = Verdict::ALL.iter().zip(self.view.totals.verdicts);
        let counts = counts.map(|(verdict, count)| (verdict.as_str(), count, class(*verdict)));
        let never = ("never ran", self.view.totals.never, "never");
        counts.chain([never]).filter(|(_, count, _)| *count > 0).collect()
    }

    fn called(&self, seen: &GroupSeen) -> String {
        called(seen)
    }

    fn phase(&self, seen: &GroupSeen) -> &'static str {
        match seen.group.phase {
            Some(RoundPhase::Waiting) => "waits",
            Some(RoundPhase::Calling) => "calls residents",
            Some(RoundPhase::Released) => "released",
            Some(RoundPhase::Closed) | None => "closed",
        }
    }

    /// `2 waiting, 1 held, 3 done`.
    fn members(&self, seen: &GroupSeen) -> String {
        let group = &seen.group;
        let counts =
            [(group.waiting, "waiting"), (group.quiesced, "held"), (group.done, "done"), (group.failed, "failed")];
        let said: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let said = if said.is_empty() { "none yet".to_owned() } else { said.join(", ") };
        format!("{said}, of {}", several(group.pods, "pod"))
    }

    fn class(&self, verdict: &Verdict) -> &'static str {
        class(*verdict)
    }

    /// Why the last cut is no better; of the best there is nothing to say.
    fn why<'r>(&self, row: &'r GroupRow<'_>) -> Option<&'r str> {
        let last = row.seen.group.last.as_ref().filter(|last| last.verdict != Verdict::GroupConsistent);
        last.map(|last| last.why.as_str())
    }

    /// The share of the budget that is in use, as widths of a bar of 100.
    fn gauge(&self) -> Option<(u32, u32, u32, u32)> {
        let seen = self.view.parts.seen?;
        let limit = seen.limit.as_ref()?;
        let granted = seen.budget.as_ref().map_or(0, |budget| budget.granted);
        let most = limit.max.max(limit.volumes).max(granted).max(1);
        Some((granted, limit.volumes, limit.max, most))
    }

    fn share(&self, volumes: &u32, most: &u32) -> u32 {
        (volumes * 100).div_ceil((*most).max(1)).min(100)
    }

    fn signal<'s>(&self, signal: &'s SignalNote) -> &'s str {
        if signal.health == "working" { &signal.level } else { &signal.health }
    }

    /// The words come from a Lease, which may say anything.
    fn level_class(&self, word: &str) -> &'static str {
        match word {
            "calm" => "calm",
            "throttled" => "throttled",
            "failing" => "failing",
            "off" => "off",
            _ => "unknown",
        }
    }

    /// `22:00 to 06:00`, local.
    fn window(&self) -> String {
        let night = self.view.night.as_ref();
        night.map_or_else(String::new, |night| {
            format!("{} to {}", night.local(0), night.local(night.planned.window_min))
        })
    }

    /// ` (UTC+02:00)`; of UTC itself there is nothing to say.
    fn offset(&self) -> String {
        let offset_min = self.view.night.as_ref().map_or(0, |night| night.planned.offset_min);
        if offset_min == 0 { String::new() } else { format!(" (UTC{})", offset_text(offset_min)) }
    }

    /// Who holds how much of the budget, by the names that people use: `orders/db 3, …`.
    fn granted(&self) -> String {
        let seen = self.view.parts.seen;
        let grants = seen.and_then(|seen| seen.budget.as_ref()).map(|budget| &budget.grants);
        let names: BTreeMap<String, String> =
            self.view.rounds.iter().map(|seen| (key_of(seen).to_string(), called(seen))).collect();
        let said = grants.into_iter().flatten().take(GRANTS_MAX);
        let said = said.map(|(group, volumes)| format!("{} {volumes}", names.get(group).unwrap_or(group)));
        let more = grants.map_or(0, |grants| grants.len().saturating_sub(GRANTS_MAX));
        let more = (more > 0).then(|| format!("{more} more"));
        said.chain(more).collect::<Vec<_>>().join(", ")
    }

    fn hours(&self) -> Vec<Hour> {
        self.view.night.as_ref().map_or_else(Vec::new, Night::hours)
    }

    fn legend(&self) -> Vec<(String, &'static str)> {
        timeline::LEGEND.iter().map(|(class, words)| (timeline::key(class), *words)).collect()
    }

    fn first(&self) -> usize {
        (self.view.listed.page - 1) * self.query.rows + 1
    }

    fn several(&self, count: &usize, noun: &str) -> String {
        several(*count, noun)
    }
}

const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::GroupConsistent => "good",
        Verdict::MemberConsistent => "fair",
        Verdict::CrashConsistent | Verdict::Failed => "bad",
        Verdict::Unknown => "unproven",
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
