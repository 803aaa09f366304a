//! What is not as it should be: each thing once, the worst first, with what it costs and what to do.

use serde::Serialize;
use shared::admission::RoundPhase;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::seen::{GroupSeen, Seen};
use super::view::Parts;
use crate::plan::words::{length, several};
use coordinator_core::election::LEADER_LEASE_S;
use coordinator_core::neighbours::Serving;

/// So many examples stand below a warning; the rest is counted.
const EXAMPLES_MAX: usize = 3;

/// What was seen last is said to be old after this, ms: the loop is asked each time and answers within two seconds.
const SILENT_AFTER_MS: u64 = 5_000;

/// A group that has waited for its share for this long is worth a look, ms: as long as the alert `SnapshotGroupsQueue` waits.
const QUEUE_LONG_MS: i64 = 15 * 60_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Backups are not made, or nobody decides.
    Critical,
    /// Something is worth less than it should be.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// How bad it is.
    pub severity: Severity,
    /// One word for machines.
    pub code: &'static str,
    /// What it is.
    pub text: String,
    /// Where, or which; the first few.
    pub examples: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// What to do.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub advice: &'static str,
    /// The page of docs/runbooks that says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<&'static str>,
}

impl Warning {
    const fn new(severity: Severity, code: &'static str, text: String) -> Self {
        Self { severity, code, text, examples: Vec::new(), more: 0, advice: "", runbook: None }
    }

    fn examples(mut self, all: Vec<String>) -> Self {
        self.more = all.len().saturating_sub(EXAMPLES_MAX);
        self.examples = all.into_iter().take(EXAMPLES_MAX).collect();
        self
    }

    const fn advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    const fn runbook(mut self, page: &'static str) -> Self {
        self.runbook = Some(page);
        self
    }
}

/// All of them, the worst first.
pub fn warnings(parts: &Parts<'_>) -> Vec<Warning> {
    let mut all = Vec::new();
    of_process(parts, &mut all);
    of_leader(parts, &mut all);
    if let Some(seen) = parts.seen {
        of_budget(seen, &mut all);
        of_groups(seen, parts.now, &mut all);
        of_objects(seen, &mut all);
    }
    of_scheduler(parts, &mut all);
    all.sort_by_key(|warning| warning.severity);
    all
}

fn of_process(parts: &Parts<'_>, all: &mut Vec<Warning>) {
    use Severity::{Critical, Warning as Worry};
    match parts.seen {
        None => all.push(Warning::new(Critical, "engine-silent", "The deciding loop has not answered yet.".to_owned())),
        Some(_) if parts.seen_age_ms > SILENT_AFTER_MS => {
            let text = format!("The deciding loop does not answer. What is shown is {} old.", age(parts.seen_age_ms));
            all.push(
                Warning::new(Critical, "engine-silent", text)
                    .advice("Deleting this pod is safe: the next one goes on with every open round."),
            );
        }
        Some(seen) if !seen.synced => {
            let text = "The cluster is still being read: what is shown is not all there is.".to_owned();
            all.push(Warning::new(Worry, "not-synced", text).runbook("SnapshotCoordinatorNotSynced"));
        }
        Some(_) => {}
    }
    if !parts.troubles.is_empty() {
        let text = "The API server does not give what is asked of it.".to_owned();
        all.push(
            Warning::new(Worry, "api-unusable", text)
                .examples(parts.troubles.to_vec())
                .runbook("SnapshotCoordinatorNotSynced"),
        );
    }
}

fn of_leader(parts: &Parts<'_>, all: &mut Vec<Warning>) {
    let leader = parts.leader;
    let silent_ms = u64::from(LEADER_LEASE_S) * 1_000;
    let absent = |text| {
        Warning::new(Severity::Critical, "no-leader", text)
            .advice("Without a leader no group is released: hooks go on by themselves, unadmitted, when they have waited 25 s.")
            .runbook("SnapshotCoordinatorNoLeader")
    };
    if let Some(Serving { namespace, holder }) = &leader.stands_back {
        let text = format!(
            "{holder} in the namespace {namespace} serves this cluster: this install is the younger one and stands back."
        );
        all.push(
            Warning::new(Severity::Critical, "other-install", text)
                .advice("Keep one install a cluster: docs/operations.md, “Two installs”."),
        );
        return;
    }
    match &leader.holder {
        _ if !leader.known => {}
        None => all.push(absent("No coordinator leads.".to_owned())),
        Some(holder) if leader.unchanged_ms > silent_ms => {
            all.push(absent(format!(
                "{holder} is to lead, and has not renewed its Lease for {}.",
                age(leader.unchanged_ms)
            )));
        }
        Some(_) => {}
    }
}

fn of_budget(seen: &Seen, all: &mut Vec<Warning>) {
    let Some(limit) = &seen.limit else { return };
    if limit.level == "throttled" {
        let evidence = limit.signals.iter().filter(|signal| signal.level == "throttled");
        let said = evidence.map(|signal| format!("{}: {}", signal.source, signal.evidence)).collect();
        let text = format!(
            "EC2 throttles snapshots of this account; the budget is {} of at most {}.",
            limit.volumes, limit.max
        );
        all.push(Warning::new(Severity::Warning, "throttled", text).examples(said).runbook("SnapshotThrottled"));
    } else if limit.volumes == 1 && limit.max > 1 {
        let text = format!("Volumes are cut one at a time, though {} would be allowed.", limit.max);
        all.push(Warning::new(Severity::Warning, "budget-at-one", text).runbook("SnapshotBudgetAtOne"));
    }
    let failing: Vec<String> = limit
        .signals
        .iter()
        .filter(|signal| signal.health == "failing")
        .map(|signal| format!("{}: {}", signal.source, signal.evidence))
        .collect();
    if !failing.is_empty() {
        let text = "A throttle signal is set up and does not work.".to_owned();
        all.push(
            Warning::new(Severity::Warning, "signal-failing", text)
                .examples(failing)
                .runbook("SnapshotThrottleSignalFails"),
        );
    }
}

fn of_groups(seen: &Seen, now: WallTime, all: &mut Vec<Warning>) {
    let with = |wanted: &[Verdict]| -> Vec<String> {
        let of = |seen: &&GroupSeen| seen.group.last.as_ref().is_some_and(|last| wanted.contains(&last.verdict));
        seen.groups.iter().filter(of).map(|seen| format!("{}: {}", called(seen), why(seen))).collect()
    };
    let torn = with(&[Verdict::CrashConsistent]);
    if !torn.is_empty() {
        let text = format!("The last cut of {} was not held.", several(torn.len(), "group"));
        all.push(Warning::new(Severity::Warning, "groups-torn", text).examples(torn).runbook("SnapshotGroupTorn"));
    }
    let failed = with(&[Verdict::Failed]);
    if !failed.is_empty() {
        let text =
            format!("The last round of {} ended with nothing held and nothing cut.", several(failed.len(), "group"));
        all.push(
            Warning::new(Severity::Warning, "rounds-failed", text).examples(failed).runbook("SnapshotRoundFailed"),
        );
    }
    let unknown = with(&[Verdict::Unknown]);
    if !unknown.is_empty() {
        let text = format!("What the last cut of {} is worth cannot be proven.", several(unknown.len(), "group"));
        all.push(
            Warning::new(Severity::Info, "groups-unknown", text)
                .examples(unknown)
                .runbook("SnapshotConsistencyUnknown"),
        );
    }
    let unadmitted: Vec<String> = seen
        .groups
        .iter()
        .filter_map(|seen| {
            let count = seen.group.last.as_ref().map_or(0, |last| last.unadmitted);
            (count > 0).then(|| format!("{}: {}", called(seen), several(count, "pod")))
        })
        .collect();
    if !unadmitted.is_empty() {
        let text = format!(
            "In the last round of {}, pods went on without a share of the budget.",
            several(unadmitted.len(), "group")
        );
        all.push(
            Warning::new(Severity::Warning, "unadmitted", text).examples(unadmitted).runbook("SnapshotOverBudget"),
        );
    }
    let queued: Vec<String> = seen
        .groups
        .iter()
        .filter(|seen| seen.group.phase == Some(RoundPhase::Waiting))
        .filter(|seen| seen.group.opened_at.is_some_and(|at| now.ms_since(at) > QUEUE_LONG_MS))
        .map(called)
        .collect();
    if !queued.is_empty() {
        let text = format!(
            "{} waited for their share of the budget for more than 15 minutes.",
            several(queued.len(), "group")
        );
        all.push(Warning::new(Severity::Warning, "queue-long", text).examples(queued).runbook("SnapshotGroupsQueue"));
    }
}

fn of_objects(seen: &Seen, all: &mut Vec<Warning>) {
    let ignored: Vec<String> = seen
        .groups
        .iter()
        .flat_map(|group| &group.ignored)
        .map(|complaint| {
            let (object, annotation) = (&complaint.object, complaint.annotation);
            let value = shared::identity::shorten(&complaint.value);
            format!("{object}: {annotation} is `{value}`; it must be {}", complaint.rule)
        })
        .collect();
    if !ignored.is_empty() {
        let text = format!("{} ignored: impossible values.", are(ignored.len(), "annotation"));
        all.push(Warning::new(Severity::Warning, "annotations-ignored", text).examples(ignored));
    }
    let unreadable: Vec<String> =
        seen.unreadable.iter().map(|kind| format!("{}: {}", kind.resource(), kind.without_it())).collect();
    if !unreadable.is_empty() {
        let text = "Kinds that would be useful cannot be read.".to_owned();
        all.push(
            Warning::new(Severity::Info, "kind-unreadable", text)
                .examples(unreadable)
                .runbook("SnapshotKindUnreadable"),
        );
    }
    let odd: Vec<String> = seen
        .odd_leases
        .iter()
        .map(|odd| {
            format!(
                "{}{}",
                odd.lease,
                if odd.foreign { " (somebody else's, or of another version: left alone)" } else { "" }
            )
        })
        .collect();
    if !odd.is_empty() {
        let text = format!("{} under this product's names say nothing that makes sense.", several(odd.len(), "Lease"));
        all.push(
            Warning::new(Severity::Warning, "leases-odd", text)
                .examples(odd)
                .advice("Delete them if nobody else needs them."),
        );
    }
}

fn of_scheduler(parts: &Parts<'_>, all: &mut Vec<Warning>) {
    let word = parts.scheduler;
    if !word.missed.is_empty() {
        let of = word.missed.iter().map(|missed| {
            let none = if missed.last_good.is_some() { "none" } else { "not one yet," };
            let (for_h, allowed_h) = (missed.for_s / 3_600, missed.allowed_s / 3_600);
            format!("{} ({}): {none} for {for_h} h, {allowed_h} h at most are expected", missed.group, missed.schedule)
        });
        let text =
            format!("{} had no successful Backup for longer than promised.", several(word.missed.len(), "group"));
        all.push(
            Warning::new(Severity::Critical, "groups-missed", text)
                .examples(of.collect())
                .runbook("SnapshotGroupsMissed"),
        );
    }
    if let Some(failure) = &word.failure {
        let text = "The last plan could not be made; the one before stands.".to_owned();
        all.push(Warning::new(Severity::Warning, "no-plan", text).examples(vec![failure.clone()]));
    }
    for (by_breaker, code, what) in [
        (false, "schedules-paused", "paused by a person, and will not run until resumed"),
        (true, "schedules-held-up", "held up until the Backup before is over"),
    ] {
        let paused = word.held_up.iter().filter(|held| held.by_breaker == by_breaker);
        let names: Vec<String> = paused
            .map(|held| {
                held.group
                    .as_ref()
                    .map_or_else(|| held.schedule.clone(), |group| format!("{} ({group})", held.schedule))
            })
            .collect();
        if !names.is_empty() {
            let text = format!("{} {what}.", are(names.len(), "Schedule"));
            all.push(Warning::new(Severity::Warning, code, text).examples(names));
        }
    }
    if let Some(planned) = &word.planned {
        if !planned.shortages.is_empty() {
            let text = "The plan does not fit its window.".to_owned();
            let said = planned.shortages.iter().cloned();
            let helps = planned.fixes.iter().map(|fix| format!("would help: {fix}"));
            all.push(
                Warning::new(Severity::Warning, "plan-does-not-fit", text)
                    .examples(said.chain(helps).collect())
                    .runbook("SnapshotPlanDoesNotFit"),
            );
        }
        if planned.findings_count > 0 {
            let text = format!("{} in the cluster cost a backup.", several(planned.findings_count, "odd thing"));
            let mut warning = Warning::new(Severity::Warning, "not-backed-up", text).examples(planned.findings.clone());
            warning.more = planned.findings_count - warning.examples.len();
            all.push(warning);
        }
        if !planned.taken.is_empty() {
            let text = format!(
                "{} not this product's: their groups are not backed up by it.",
                are(planned.taken.len(), "Schedule")
            );
            all.push(Warning::new(Severity::Warning, "schedule-names-taken", text).examples(planned.taken.clone()));
        }
    }
}

/// Namespace and name, as people call it.
pub fn called(seen: &GroupSeen) -> String {
    format!("{}/{}", seen.group.namespace, seen.workload.as_deref().unwrap_or(seen.group.group.as_str()))
}

fn why(seen: &GroupSeen) -> &str {
    seen.group.last.as_ref().map_or("", |last| last.why.as_str())
}

/// `1 Schedule is`, `2 Schedules are`.
fn are(count: usize, noun: &str) -> String {
    format!("{} {}", several(count, noun), if count == 1 { "is" } else { "are" })
}

fn age(ms: u64) -> String {
    length(ms / 1_000)
}

#[cfg(test)]
#[path = "warnings_tests.rs"]
mod tests;
