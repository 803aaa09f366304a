//! One round of one group: who takes part, what is said about each attempt, and whether it is over.

mod admit;
mod over;
mod see;

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::{AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::group_lease::{AttemptEntry, Epoch, GroupLease};
use shared::identity::{AttemptId, PodName};
use shared::member_lease::MemberLease;
use shared::receipt::MemberEnd;
use shared::time::WallTime;

use crate::objects::ObjectKey;
use crate::policy::HoldPolicy;
use crate::time::{Mono, Now};

pub use over::RoundFacts;

/// What is known of a pod's latest attempt in this round; kept when pod and Lease vanish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What its Lease said last.
    pub lease: MemberLease,
    /// How its part ended, once it did.
    pub end: Option<MemberEnd>,
}

/// How far lead mode is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lead {
    /// Nobody was called under the round's number.
    #[default]
    Idle,
    /// These pods' residents are called, and it is waited for them.
    Calling {
        /// The pods.
        pods: BTreeSet<PodName>,
        /// Since when the call stands in the group's Lease, as this process saw it.
        since: Option<Mono>,
    },
    /// They have answered, or their time is over: hooks go on.
    Over,
}

impl Lead {
    /// It only goes on, and who was called stays called.
    fn merge(&mut self, written: Self) {
        match (&mut *self, written) {
            (Self::Idle, written) | (_, written @ Self::Over) => *self = written,
            (Self::Calling { pods, .. }, Self::Calling { pods: more, .. }) => pods.extend(more),
            (Self::Over | Self::Calling { .. }, _) => {}
        }
    }
}

/// A round that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The number under which it was granted.
    pub epoch: Option<Epoch>,
    /// Since when it has its share under its number, as this process saw it.
    pub share_since: Option<(Epoch, Mono)>,
    /// How it is released now.
    pub mode: Mode,
    /// Whether a barrier stalled.
    pub degraded: bool,
    /// How its members may be held still.
    pub policy: HoldPolicy,
    /// How far lead mode is.
    pub lead: Lead,
    /// When each attempt was first seen.
    pub arrivals: BTreeMap<AttemptId, Mono>,
    /// When a cut of the round was first seen.
    pub first_cut: Option<Mono>,
    /// When all cuts that an attempt is held for were first seen.
    pub cut_seen: BTreeMap<AttemptId, Mono>,
    /// How long until some attempt's last cut is past for certain, ms, where all are seen.
    pub lets_go_in_ms: Option<u64>,
    /// Since when a member has been held still, as this process saw it.
    pub held_since: Option<Mono>,
    /// When the first member arrived.
    pub opened_at: WallTime,
    /// The same by the monotonic clock of this process (when it began to lead, for a round that was open before); its place in the queue.
    pub opened_mono: Mono,
    /// The Backup, where it is known.
    pub backup: Option<ObjectKey>,
    /// Since when the Backup's cuts are over.
    pub backup_over: Option<Mono>,
    /// When a member last arrived.
    pub last_arrival: Mono,
    /// When a member last waited or held.
    pub last_active: Mono,
    /// What is said about each attempt.
    pub entries: BTreeMap<AttemptId, AttemptEntry>,
    /// The pods that took part.
    pub parts: BTreeMap<PodName, Part>,
    /// The EBS claims of the pods that took part, for who is gone when the round ends.
    pub claims: BTreeMap<PodName, BTreeSet<ObjectKey>>,
    /// Attempts that did not fit [`GROUP_MEMBERS_MAX`](shared::deadline::GROUP_MEMBERS_MAX) and are told nothing; they go on by themselves at their deadlines.
    pub unlisted: BTreeSet<AttemptId>,
}

impl Round {
    /// A round that begins now. `past` are attempts of earlier rounds whose Leases still look alive.
    pub fn open(mode: Mode, backup: Option<ObjectKey>, past: BTreeMap<AttemptId, AttemptEntry>, now: Now) -> Self {
        Self {
            epoch: None,
            share_since: None,
            mode,
            degraded: false,
            policy: HoldPolicy::default(),
            lead: Lead::Idle,
            arrivals: BTreeMap::new(),
            first_cut: None,
            cut_seen: BTreeMap::new(),
            lets_go_in_ms: None,
            held_since: None,
            opened_at: now.wall,
            opened_mono: now.mono,
            backup,
            backup_over: None,
            last_arrival: now.mono,
            last_active: now.mono,
            entries: past,
            parts: BTreeMap::new(),
            claims: BTreeMap::new(),
            unlisted: BTreeSet::new(),
        }
    }

    /// A round that another coordinator (or this one, before it started anew) left open.
    pub fn continued(lease: &GroupLease, backup: Option<ObjectKey>, now: Now) -> Self {
        Self {
            epoch: has_share(lease.phase).then_some(lease.epoch),
            lead: lead_of(lease),
            degraded: lease.degraded,
            opened_at: lease.opened_at,
            entries: lease.attempts.clone(),
            ..Self::open(lease.mode, backup, BTreeMap::new(), now)
        }
    }

    /// Takes over what another coordinator wrote about this round. Words only grow stronger (in the order of
    /// [`AttemptVerdict`]) and the written mode and Backup stand, so two coordinators come to agree instead of taking turns.
    pub fn merge(&mut self, lease: &GroupLease, backup: Option<ObjectKey>) {
        for (attempt, entry) in &lease.attempts {
            let ours = self.entries.entry(attempt.clone()).or_insert_with(|| entry.clone());
            ours.verdict = ours.verdict.max(entry.verdict);
            ours.cut |= entry.cut;
            ours.unheld |= entry.unheld;
        }
        if has_share(lease.phase) {
            self.epoch = self.epoch.or(Some(lease.epoch));
        }
        if self.epoch == Some(lease.epoch) {
            self.lead.merge(lead_of(lease));
        }
        if lease.degraded || !self.degraded {
            self.mode = lease.mode;
        }
        self.degraded |= lease.degraded;
        self.backup = backup.or(self.backup.take());
    }

    /// What is said about each attempt once the round is over: who never held still must not begin to, and who was called and never released
    /// holds for nothing.
    pub fn last_words(&self) -> BTreeMap<AttemptId, AttemptEntry> {
        let mut words = self.entries.clone();
        for (attempt, entry) in &mut words {
            let part = self.parts.get(&entry.pod).filter(|part| part.lease.attempt == *attempt);
            let held = part.is_some_and(|part| part.lease.quiesced_at.is_some());
            let for_nothing = entry.verdict == AttemptVerdict::Waiting
                && part.is_some_and(|part| part.lease.epoch.is_some() && part.lease.epoch == self.epoch);
            if (!held || for_nothing) && entry.verdict != AttemptVerdict::Superseded {
                entry.verdict = AttemptVerdict::Ended;
            }
        }
        words
    }

    /// Notes when this process first saw it have its share.
    pub fn note_share(&mut self, now: Now) {
        if self.epoch != self.share_since.map(|(epoch, _)| epoch) {
            self.share_since = self.epoch.map(|epoch| (epoch, now.mono));
        }
    }

    /// Parts whose hook waits.
    pub fn waiting(&self) -> impl Iterator<Item = &Part> {
        self.parts.values().filter(|p| p.end.is_none() && p.lease.phase == MemberPhase::Waiting)
    }

    /// Whether anybody waits or holds.
    pub fn is_active(&self) -> bool {
        self.parts.values().any(|part| part.end.is_none())
    }

    /// The pods that wait or hold.
    pub fn alive(&self) -> Vec<PodName> {
        self.parts.iter().filter(|(_, part)| part.end.is_none()).map(|(pod, _)| pod.clone()).collect()
    }

    /// How many of its members wait or hold.
    pub fn active_parts(&self) -> usize {
        self.parts.values().filter(|part| part.end.is_none()).count()
    }

    /// Whether this pod took part and its part is over.
    pub fn is_part_over(&self, pod: &PodName) -> bool {
        self.parts.get(pod).is_some_and(|part| part.end.is_some())
    }

    /// Whether this pod already let go in this round: its next arrival belongs to a later one.
    pub fn has_finished(&self, pod: &PodName) -> bool {
        self.parts.get(pod).is_some_and(|part| part.end == Some(MemberEnd::Done))
    }

    /// Whether a pod's next arrival cannot belong to this round.
    pub fn is_closed_to(&self, lease: &MemberLease) -> bool {
        !self.entries.contains_key(&lease.attempt) && (self.backup_over.is_some() || self.has_finished(&lease.pod))
    }
}

/// Whether a round in this phase holds its share.
pub(crate) const fn has_share(phase: RoundPhase) -> bool {
    matches!(phase, RoundPhase::Calling | RoundPhase::Released)
}

/// How far lead mode is, as a Lease says.
fn lead_of(lease: &GroupLease) -> Lead {
    match (lease.phase, &lease.call) {
        (RoundPhase::Calling, Some(call)) => Lead::Calling { pods: call.pods.clone(), since: None },
        (RoundPhase::Released, _) => Lead::Over,
        _ => Lead::Idle,
    }
}

#[cfg(test)]
mod tests;
