//! Pass zero of a decision: how many volumes may be cut at once now, and the Lease that remembers it.
//!
//! The limit is in force the moment it changes; the Lease follows and is read by whoever leads next. A lowered limit stops new grants and
//! revokes none (I1).

use shared::limiter_lease::{EVIDENCE_CHARS_MAX, LimiterLease, SignalNote};
use shared::time::WallTime;

use crate::command::{Command, Target};
use crate::event::Observed;
use crate::notice::Notice;
use crate::objects::ObjectKey;
use crate::settings::Settings;
use crate::state::State;
use crate::stored::{Stored, is_older, stored};
use crate::throttle::days::{Days, day_of, planner_budget};
use crate::throttle::fusion::{Assessment, fuse};
use crate::throttle::limiter::{Change, Limiter, Usage, Why};
use crate::throttle::signals::{Health, Reading, Signals};
use crate::time::{Mono, Now};

/// Signals are looked at this often at most, ms: thousands of snapshots may be pending, and nothing about them is that urgent.
const LOOK_MS: u64 = 250;
/// With snapshots under way time alone can make one late, so it is looked this often at least, ms.
pub(crate) const LOOK_WAKE_MS: u64 = 1_000;
/// What the signals say is written down at most this often, ms, where the limit did not change: people read it, nobody waits for it.
const NOTES_MS: u64 = 15_000;
/// And where only ages changed, this often, ms.
const AGES_MS: u64 = 60_000;

/// The limit, the signals, and what stands written.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) signals: Signals,
    pub(crate) limiter: Limiter,
    pub(crate) stored: Stored<LimiterLease>,
    readings: Vec<Reading>,
    assessment: Assessment,
    looked_at: Option<Mono>,
    days: Days,
    why: String,
    changed_at: Option<WallTime>,
    /// Limit and ceiling as this process last sent them: what comes back of it by the watch is no news.
    sent: Option<(u32, u32)>,
    written_at: Option<Mono>,
    /// What the next plan should reckon with, and the day on which that last changed.
    plan_budget: (u32, u32),
}

impl Limit {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut signals = Signals::default();
        signals.contents.set_visible(settings.cuts_visible);
        signals.driver.set_on(settings.throttle.driver_metrics);
        if let Some(cloudwatch) = &settings.throttle.cloudwatch {
            signals.cloudwatch.set_on(cloudwatch.metric.clone(), cloudwatch.threshold);
        }
        Self {
            signals,
            limiter: Limiter::new(settings.limiter()),
            stored: Stored::Absent,
            readings: Vec::new(),
            assessment: fuse(&[]),
            looked_at: None,
            days: Days::default(),
            why: "nothing holds it down".to_owned(),
            changed_at: None,
            sent: None,
            written_at: None,
            plan_budget: (settings.max_concurrent_snapshots, 0),
        }
    }

    fn changed(&mut self, change: &Change, now: Now) {
        self.why = change.why.to_string();
        self.changed_at = Some(now.wall);
    }

    /// Takes over what stands written.
    fn adopt(&mut self, lease: &LimiterLease, now: Now) -> Option<Change> {
        self.days.adopt(&lease.days);
        self.plan_budget = (lease.plan_budget, lease.plan_budget_since);
        let change = self.limiter.adopt(lease.limit, lease.ceiling, now.mono);
        (self.why, self.changed_at) = (lease.why.clone(), lease.changed_at);
        change
    }
}

impl State {
    /// The limit that is in force, volumes.
    pub fn limit(&self) -> u32 {
        self.limit.limiter.limit()
    }

    /// What the next plan should reckon with, volumes: the ceiling, or less where the account has been hot for days.
    pub fn plan_budget(&self) -> u32 {
        self.limit.plan_budget.0.clamp(1, self.settings.max_concurrent_snapshots.max(1))
    }

    /// What all signals said together when they were last looked at, and each of them.
    pub fn signals(&self) -> (&Assessment, &[Reading]) {
        (&self.limit.assessment, &self.limit.readings)
    }

    /// Takes in what stands in the limiter Lease.
    pub(crate) fn put_limiter(&mut self, observed: Observed<LimiterLease>, now: Now, notices: &mut Vec<Notice>) {
        let limit = &mut self.limit;
        let is_known = matches!(&limit.stored, Stored::Present(version, _) if *version == observed.version);
        if is_known || is_older(&observed.version, &limit.stored) {
            return;
        }
        limit.stored = stored(observed, None, notices);
        let Some(lease) = limit.stored.content().cloned() else { return };
        if limit.sent == Some((lease.limit, lease.ceiling)) {
            return; // the watch was faster than the answer to our own write
        }
        if let Some(change) = limit.adopt(&lease, now)
            && self.leading
            && self.synced_at.is_some()
        {
            limit.changed(&change, now);
            notices.push(Notice::ConcurrencyAdjusted { change, usage: self.usage(now).volumes });
        }
    }

    /// Takes in that a write of the limiter Lease is done.
    pub(crate) fn limiter_written(&mut self, version: crate::event::Version, lease: LimiterLease) {
        if !is_older(&version, &self.limit.stored) {
            self.limit.stored = Stored::Present(version, Some(lease));
        }
    }

    /// Volumes between release and cut, and snapshots that are pending beside them.
    pub(crate) fn usage(&self, now: Now) -> Usage {
        let granted = self.budget.content().map_or(0, shared::budget_lease::BudgetLease::granted);
        Usage { volumes: granted.saturating_add(self.pending_beside_grants(now)), waited_for: false }
    }

    /// Snapshots that are not ready and that no grant counts: of rounds that are over, of other tools, of groups without hooks.
    pub(crate) fn pending_beside_grants(&self, now: Now) -> u32 {
        let contents = &self.limit.signals.contents;
        let pending = contents.pending(now.mono).count();
        if pending == 0 {
            return 0;
        }
        let grants = self.budget.content().into_iter().flat_map(|budget| budget.grants.keys());
        let claims = grants.flat_map(|group| self.claims_of(group).into_values().flatten());
        let counted = claims.flat_map(|claim| self.snapshots_of(&claim)).filter(|of| contents.is_pending(of)).count();
        u32::try_from(pending.saturating_sub(counted)).unwrap_or(u32::MAX)
    }

    /// The snapshots of a claim that were asked for lately.
    pub(crate) fn snapshots_of(&self, claim: &ObjectKey) -> Vec<ObjectKey> {
        let of_claim = self.world.asked_cuts_of(claim);
        of_claim.map(|asked| ObjectKey { namespace: claim.namespace.clone(), name: asked.snapshot.clone() }).collect()
    }

    /// Looks at the signals, moves the limit, and gives the write that remembers it, if one is due.
    pub(crate) fn decide_limit(&mut self, waited_for: bool, now: Now, notices: &mut Vec<Notice>) -> Option<Command> {
        let usage = Usage { waited_for, ..self.usage(now) };
        self.recover_limit(now);
        let limit = &mut self.limit;
        let mut changes = Vec::new();
        changes.extend(limit.limiter.set_max(self.settings.max_concurrent_snapshots));
        if limit.looked_at.is_none_or(|at| now.mono.ms_since(at) >= LOOK_MS) {
            limit.looked_at = Some(now.mono);
            let before = std::mem::replace(&mut limit.readings, limit.signals.readings(now).to_vec());
            notices.extend(limit.readings.iter().filter_map(|reading| health_changed(&before, reading)));
            limit.assessment = fuse(&limit.readings);
            limit.days.note(limit.limiter.limit(), usage.volumes > 0, now);
            changes.extend(limit.limiter.step(&limit.assessment, usage, now.mono));
        }
        for change in changes {
            limit.changed(&change, now);
            notices.push(Notice::ConcurrencyAdjusted { change, usage: usage.volumes });
        }
        self.plan_ahead(now);
        self.write_limit(now)
    }

    /// A Lease that says nothing is no reason to forget what was throttled: the budget Lease has the limit that grants were made by.
    fn recover_limit(&mut self, now: Now) {
        let is_nonsense = matches!(self.limit.stored, Stored::Present(_, None) | Stored::Foreign);
        if is_nonsense
            && self.limit.sent.is_none()
            && let Some(budget) = self.budget.content()
        {
            let ceiling = self.settings.max_concurrent_snapshots.max(budget.limit);
            self.limit.sent = Some((budget.limit, ceiling));
            if let Some(change) = self.limit.limiter.adopt(budget.limit, ceiling, now.mono) {
                self.limit.changed(&Change { why: Why::Adopted, ..change }, now);
            }
        }
    }

    fn plan_ahead(&mut self, now: Now) {
        let (current, since) = self.limit.plan_budget;
        let max = self.settings.max_concurrent_snapshots;
        let today = day_of(now);
        // A new ceiling is a person's word and counts at once, unless hot days hold the plan down.
        let current = if since == 0 { max } else { current };
        let next = planner_budget(self.limit.days.notes(), today, max, current, since);
        if next == current {
            self.limit.plan_budget.0 = next;
        } else {
            self.limit.plan_budget = (next, if next >= max { 0 } else { today });
        }
    }

    fn write_limit(&mut self, now: Now) -> Option<Command> {
        let limit = &self.limit;
        if limit.stored == Stored::Foreign || !self.writes.may_start(&Target::Limiter, now.mono) {
            return None;
        }
        let since_written_ms = limit.written_at.map_or(u64::MAX, |at| now.mono.ms_since(at));
        let wanted = self.wanted_lease(now);
        let due = match limit.stored.content() {
            None => true,
            Some(known) if moved(known, &wanted) => true,
            Some(known) if words(known) != words(&wanted) => since_written_ms >= NOTES_MS,
            Some(known) if known.signals != wanted.signals || known.days != wanted.days => since_written_ms >= AGES_MS,
            Some(_) => false,
        };
        if !due {
            return None;
        }
        self.limit.sent = Some((wanted.limit, wanted.ceiling));
        self.limit.written_at = Some(now.mono);
        Some(match &self.limit.stored {
            Stored::Present(version, _) => Command::UpdateLimiter(wanted, version.clone()),
            Stored::Absent | Stored::Foreign => Command::CreateLimiter(wanted),
        })
    }

    pub(crate) fn wanted_lease(&self, now: Now) -> LimiterLease {
        let limit = &self.limit;
        LimiterLease {
            namespace: self.settings.namespace.clone(),
            limit: limit.limiter.limit(),
            ceiling: limit.limiter.settings().max,
            why: limit.why.chars().take(EVIDENCE_CHARS_MAX).collect(),
            changed_at: limit.changed_at,
            level: limit.assessment.level.as_str().to_owned(),
            signals: limit.readings.iter().map(|reading| note(reading, now)).collect(),
            days: limit.days.notes().to_vec(),
            plan_budget: self.plan_budget(),
            plan_budget_since: limit.plan_budget.1,
            writer: self.settings.identity.clone(),
            renewed_at: now.wall,
        }
    }
}

/// A source that stopped working, or works again. One that was never heard works, until it is known not to.
fn health_changed(before: &[Reading], reading: &Reading) -> Option<Notice> {
    let fails = |reading: &Reading| reading.health() == Health::Failing;
    let failed = before.iter().find(|known| known.source == reading.source).is_some_and(fails);
    let (source, evidence) = (reading.source, reading.evidence.clone());
    (failed != fails(reading)).then_some(Notice::SignalHealth { source, works: failed, evidence })
}

/// What decisions of a later coordinator rest on.
fn moved(known: &LimiterLease, wanted: &LimiterLease) -> bool {
    let of = |lease: &LimiterLease| (lease.limit, lease.ceiling, lease.plan_budget, lease.plan_budget_since);
    of(known) != of(wanted)
}

/// What people read of the signals, without ages.
fn words(lease: &LimiterLease) -> Vec<(&str, &str, &str)> {
    let of_signals = lease.signals.iter().map(|note| (note.source.as_str(), note.health.as_str(), note.level.as_str()));
    of_signals.chain([(lease.level.as_str(), lease.why.as_str(), "")]).collect()
}

fn note(reading: &Reading, now: Now) -> SignalNote {
    let wall = |at: Mono| now.wall.plus_ms(-i64::try_from(now.mono.ms_since(at)).unwrap_or(i64::MAX));
    let Reading { source, level, evidence, at, heard_at } = reading;
    SignalNote {
        source: source.as_str().to_owned(),
        health: reading.health().as_str().to_owned(),
        level: level.as_str().to_owned(),
        evidence: evidence.to_string().chars().take(EVIDENCE_CHARS_MAX).collect(),
        at: at.map(wall),
        heard_at: heard_at.map(wall),
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
