//! What becomes of a round when a member is seen: new, as before, over, or gone.

use shared::admission::{AttemptVerdict, MemberPhase};
use shared::deadline::GROUP_MEMBERS_MAX;
use shared::group_lease::AttemptEntry;
use shared::identity::PodName;
use shared::member_lease::MemberLease;
use shared::receipt::MemberEnd;

use crate::round::{Part, Round};
use crate::standing::Standing;
use crate::time::Now;

impl Round {
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
}
