//! One round of one group: who takes part, what is said about each attempt, and whether it is over.

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::{AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::deadline::GROUP_MEMBERS_MAX;
use shared::group_lease::{AttemptEntry, Epoch, GroupLease};
use shared::identity::{AttemptId, PodName};
use shared::member_lease::MemberLease;
use shared::receipt::MemberEnd;
use shared::time::WallTime;

use crate::objects::ObjectKey;
use crate::policy::HoldPolicy;
use crate::standing::Standing;
use crate::time::{Mono, Now};

/// After the Backup's cuts are over the round stays open for this, ms: the last post hooks' reports come by another watch.
const BACKUP_OVER_GRACE_MS: u64 = 2_000;

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
    /// When the first member arrived; its place in the queue.
    pub opened_at: WallTime,
    /// The same by the monotonic clock of this process (its start, for a round that was open before).
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
    /// Attempts that did not fit [`GROUP_MEMBERS_MAX`] and are told nothing; they go on by themselves at their deadlines.
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

    /// Takes a member as it stands now. Gives true when its attempt is new to the round.
    pub fn see(&mut self, lease: &MemberLease, standing: Standing, now: Now) -> bool {
        let listed = self.entries.contains_key(&lease.attempt);
        if self.is_past(lease) {
            return false;
        }
        let end = if let Standing::Over(end) = standing { Some(end) } else { None };
        if self.keeps_what_it_knows_of(lease, end) {
            return false;
        }
        let called = self.epoch.is_some() && lease.epoch == self.epoch;
        if !listed {
            if lease.phase == MemberPhase::Quiesced && lease.epoch.is_some() && !called {
                return false; // it obeyed the call of a round that is over, and lets go when it sees that
            }
            if end.is_some() && !called {
                return false; // over before anybody said a word about it
            }
            for entry in self.entries.values_mut().filter(|entry| entry.pod == lease.pod) {
                entry.verdict = entry.verdict.max(AttemptVerdict::Superseded);
            }
            self.make_room();
            if self.entries.len() >= GROUP_MEMBERS_MAX {
                self.unlisted.insert(lease.attempt.clone());
                return false;
            }
            self.arrivals.retain(|attempt, _| self.entries.contains_key(attempt));
            self.arrivals.insert(lease.attempt.clone(), now.mono);
            // Who was called and is still under the round's number needs no other word.
            let verdict = if called && end.is_none() { AttemptVerdict::Admitted } else { AttemptVerdict::Waiting };
            self.entries.insert(lease.attempt.clone(), AttemptEntry::new(lease.pod.clone(), verdict));
            self.last_arrival = now.mono;
        }
        if end.is_none() {
            self.last_active = now.mono;
        } else if let Some(entry) = self.entries.get_mut(&lease.attempt)
            && entry.verdict == AttemptVerdict::Waiting
        {
            entry.verdict = AttemptVerdict::Ended;
        }
        let mut lease = lease.clone();
        if end == Some(MemberEnd::PodGone) {
            // When its hold ended is not known: whoever wrote a time here may have been its successor.
            lease.thawed_at = None;
        }
        self.parts.insert(lease.pod.clone(), Part { lease, end });
        !listed
    }

    /// What a pod said at its end stands when it is replaced later; and what is written in its name once it is gone is not its own.
    fn keeps_what_it_knows_of(&self, lease: &MemberLease, end: Option<MemberEnd>) -> bool {
        let known = self.parts.get(&lease.pod).filter(|part| part.lease.attempt == lease.attempt);
        let by_itself = |part: &Part| {
            matches!(part.end, Some(MemberEnd::Done | MemberEnd::Failed | MemberEnd::Withdrawn | MemberEnd::PodGone))
        };
        end == Some(MemberEnd::PodGone) && known.is_some_and(by_itself)
    }

    /// Whether this attempt belongs to an earlier round and was only carried along so that it is told so.
    fn is_past(&self, lease: &MemberLease) -> bool {
        self.entries.get(&lease.attempt).is_some_and(|e| e.verdict == AttemptVerdict::Ended)
            && self.parts.get(&lease.pod).is_none_or(|part| part.lease.attempt != lease.attempt)
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

    /// Attempts whose word no longer matters make place when the Lease is full.
    fn make_room(&mut self) {
        if self.entries.len() >= GROUP_MEMBERS_MAX {
            self.entries.retain(|_, e| matches!(e.verdict, AttemptVerdict::Waiting | AttemptVerdict::Admitted));
        }
    }

    /// Notes that a pod's resident ended and another one writes the Lease now: what the earlier one held nobody can vouch for.
    pub fn lease_taken(&mut self, lease: &MemberLease) {
        if let Some(part) = self.parts.get_mut(&lease.pod)
            && part.end.is_none()
            && part.lease.attempt != lease.attempt
            && lease.resident.is_some()
            && lease.phase.is_terminal()
        {
            part.end = Some(MemberEnd::Expired);
        }
    }

    /// Notes that a pod's Lease is gone without having said that its part is over.
    pub fn lease_gone(&mut self, pod: &PodName) {
        if let Some(part) = self.parts.get_mut(pod)
            && part.end.is_none()
        {
            part.end = Some(MemberEnd::PodGone);
            if let Some(entry) = self.entries.get_mut(&part.lease.attempt)
                && entry.verdict == AttemptVerdict::Waiting
            {
                entry.verdict = AttemptVerdict::Ended;
            }
        }
    }

    /// Notes when this process first saw it have its share.
    pub fn note_share(&mut self, now: Now) {
        if self.epoch != self.share_since.map(|(epoch, _)| epoch) {
            self.share_since = self.epoch.map(|epoch| (epoch, now.mono));
        }
    }

    /// Whether hooks may go on: the round has its share, and in lead mode the residents were called.
    pub fn is_released(&self) -> bool {
        self.epoch.is_some() && (self.mode != Mode::Lead || self.lead == Lead::Over)
    }

    /// Admits every attempt that waits and may be held still, and who is still already because it was called.
    ///
    /// Where the policy lets only so many be held at once, the rest waits until one lets go. In one block of Velero's nobody lets go before all have
    /// gone on, so waiting could never be granted; there, and when a hook has waited for half of its time, it goes on without being held.
    pub fn admit(&mut self, one_block: bool, now: Now) {
        let mut held = self.held_or_admitted();
        let alive = self.parts.values().filter(|part| part.end.is_none());
        let alive: Vec<_> = alive
            .map(|part| {
                let allowed_ms = part.lease.deadline.ms_since(part.lease.registered_at).max(0).unsigned_abs();
                (part.lease.attempt.clone(), part.lease.phase == MemberPhase::Waiting, allowed_ms)
            })
            .collect();
        for (attempt, waits, allowed_ms) in alive {
            let waited_ms = self.arrivals.get(&attempt).map_or(0, |at| now.mono.ms_since(*at));
            let called = self.parts.values().any(|p| p.lease.attempt == attempt && p.lease.epoch == self.epoch);
            let Some(entry) = self.entries.get_mut(&attempt).filter(|e| e.verdict == AttemptVerdict::Waiting) else {
                continue;
            };
            let room = self.policy.frozen_max.is_none_or(|at_most| held < at_most as usize);
            if !waits {
                if called {
                    entry.verdict = AttemptVerdict::Admitted;
                }
            } else if room {
                entry.verdict = AttemptVerdict::Admitted;
                held += 1;
            } else if one_block || waited_ms >= allowed_ms / 2 {
                entry.verdict = AttemptVerdict::Admitted;
                entry.unheld = true;
            }
        }
    }

    /// Members that are held still, or were told that they may be.
    pub fn held_or_admitted(&self) -> usize {
        let will_hold = |part: &Part| {
            let told = self.entries.get(&part.lease.attempt);
            part.end.is_none()
                && part.lease.phase == MemberPhase::Waiting
                && told.is_some_and(|entry| entry.verdict == AttemptVerdict::Admitted && !entry.unheld)
        };
        self.parts.values().filter(|part| part.holds() || will_hold(part)).count()
    }

    /// Pods that the round admitted and of whose part nothing is known: their Leases were gone when this process began.
    pub fn forgotten(&self) -> BTreeSet<PodName> {
        let admitted = self.entries.values().filter(|entry| entry.verdict == AttemptVerdict::Admitted);
        admitted.map(|entry| entry.pod.clone()).filter(|pod| !self.parts.contains_key(pod)).collect()
    }

    /// Whether this pod was told to go on without being held still.
    pub fn is_unheld(&self, part: &Part) -> bool {
        self.entries.get(&part.lease.attempt).is_some_and(|entry| entry.unheld)
    }

    /// Whether somebody waits for the sake of [`HoldPolicy::frozen_max`].
    pub fn waits_for_others(&self) -> bool {
        let waits = |part: &Part| {
            self.entries.get(&part.lease.attempt).is_some_and(|entry| entry.verdict == AttemptVerdict::Waiting)
        };
        self.is_released() && self.waiting().any(waits)
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

    /// Whether the round is over; `facts` say what the round itself does not know.
    pub fn is_over(&self, facts: RoundFacts, now: Now) -> bool {
        if now.mono.ms_since(self.opened_mono) >= facts.round_duration_ms {
            return true;
        }
        if let Some(since) = self.backup_over {
            return facts.next_round_waits || now.mono.ms_since(since) >= BACKUP_OVER_GRACE_MS;
        }
        if facts.next_round_waits {
            return true;
        }
        if self.is_active() {
            return false;
        }
        if facts.all_expected_over && facts.cuts_settled {
            return true;
        }
        facts.round_idle_ms.is_some_and(|idle_ms| now.mono.ms_since(self.last_active) >= idle_ms)
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

/// What a round is told to judge whether it is over.
#[derive(Clone, Copy, Debug)]
pub struct RoundFacts {
    /// Every expected pod took part and its part is over.
    pub all_expected_over: bool,
    /// Every cut that can be seen was seen.
    pub cuts_settled: bool,
    /// An attempt waits that cannot belong to this round.
    pub next_round_waits: bool,
    /// How long a round may last, ms.
    pub round_duration_ms: u64,
    /// How long nobody may be active, ms; without an end where a Backup is seen, because more members may come as long as it runs.
    pub round_idle_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::identity::{Nonce, PodUid};

    fn waiting(i: usize) -> MemberLease {
        let at = WallTime::EPOCH;
        MemberLease {
            namespace: "prod".parse().unwrap(),
            pod: PodName::new(format!("db-{i}")).unwrap(),
            group: "g".parse().unwrap(),
            attempt: AttemptId { pod_uid: PodUid::new(format!("u{i}")).unwrap(), nonce: Nonce::from_bits(i as u64) },
            phase: MemberPhase::Waiting,
            registered_at: at,
            renewed_at: at,
            lease_duration_s: 30,
            deadline: at,
            admission: None,
            epoch: None,
            quiesced_at: None,
            thawed_at: None,
            steady: shared::boot_time::SteadySpan::default(),
            quiesce: shared::quiesce::QuiesceKinds::default(),
            let_go: None,
            resident: None,
            failure: None,
            agent_version: "test".into(),
        }
    }

    #[test]
    fn members_beyond_the_limit_are_counted_once_however_often_they_are_seen() {
        let now = Now { mono: Mono(0), wall: WallTime::EPOCH };
        let mut round = Round::open(Mode::ArriveAndGo, None, BTreeMap::new(), now);
        for i in (0..GROUP_MEMBERS_MAX + 2).chain(GROUP_MEMBERS_MAX..GROUP_MEMBERS_MAX + 2) {
            assert_eq!(round.see(&waiting(i), Standing::Waiting, now), i < GROUP_MEMBERS_MAX);
        }
        assert_eq!((round.entries.len(), round.unlisted.len()), (GROUP_MEMBERS_MAX, 2));
    }

    #[test]
    fn what_a_successor_writes_is_not_what_the_gone_pod_did() {
        let now = Now { mono: Mono(0), wall: WallTime::EPOCH };
        let at = |ms| Some(WallTime::EPOCH.plus_ms(ms));
        let quiesced = MemberLease { phase: MemberPhase::Quiesced, quiesced_at: at(1), ..waiting(1) };
        let done = MemberLease { phase: MemberPhase::Done, thawed_at: at(9), ..quiesced.clone() };
        let gone = Standing::Over(MemberEnd::PodGone);
        let end_of = |seen: &[(&MemberLease, Standing)]| {
            let mut round = Round::open(Mode::ArriveAndGo, None, BTreeMap::new(), now);
            round.see(&waiting(1), Standing::Waiting, now);
            for (lease, standing) in seen {
                round.see(lease, *standing, now);
            }
            let part = &round.parts[&quiesced.pod];
            (part.end, part.lease.thawed_at)
        };
        // Its post came first: that stands. Its successor's came: nobody knows how long it held.
        let own = [(&quiesced, Standing::Holding), (&done, Standing::Over(MemberEnd::Done)), (&done, gone)];
        assert_eq!(end_of(&own), (Some(MemberEnd::Done), at(9)));
        let by_another = [(&quiesced, Standing::Holding), (&quiesced, gone), (&done, gone)];
        assert_eq!(end_of(&by_another), (Some(MemberEnd::PodGone), None));
        assert_eq!(end_of(&[(&quiesced, Standing::Holding), (&done, gone)]), (Some(MemberEnd::PodGone), None));
    }
}
