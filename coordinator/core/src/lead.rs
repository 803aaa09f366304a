//! Lead mode: when are the residents called, and when do the hooks go on?
//!
//! The first hook's arrival asks for the whole group's share, as ever. With it in hand all residents are called at once, and when each has answered,
//! or the time allowed is over, the round is released. Who does not answer is left out and counted; nobody waits for it any longer (I4).

use std::collections::BTreeSet;

use shared::admission::{MemberPhase, Mode, RoundPhase};
use shared::deadline::GROUP_MEMBERS_MAX;
use shared::group_lease::GroupLease;
use shared::identity::{GroupKey, PodName};

use crate::notice::Notice;
use crate::objects::{ObjectKey, Pod, PodPhase};
use crate::round::{Lead, Round};
use crate::standing::Member;
use crate::state::State;
use crate::stored::Stored;
use crate::time::Now;

/// A resident that gives up at the end of its time may say so this long afterwards, ms.
const ANSWER_GRACE_MS: u64 = 1_000;

impl State {
    /// Calls the residents of a round that has its share, and releases it once they have answered.
    pub(crate) fn lead(
        &self,
        key: &GroupKey,
        stored: &Stored<GroupLease>,
        round: &mut Round,
        now: Now,
        notices: &mut Vec<Notice>,
    ) {
        if round.mode != Mode::Lead || round.epoch.is_none() {
            return;
        }
        if round.lead == Lead::Idle {
            let pods = self.to_call(key, round, now);
            if pods.is_empty() {
                round.mode = Mode::ArriveAndGo;
                round.degraded = true;
                notices.push(Notice::CallUnanswered { group: key.clone(), called: 0, missing: vec![] });
                return;
            }
            round.lead = Lead::Calling { pods, since: None };
        }
        let epoch = round.epoch;
        let is_written =
            stored.content().is_some_and(|lease| lease.phase == RoundPhase::Calling && Some(lease.epoch) == epoch);
        let Lead::Calling { pods, since } = &mut round.lead else { return };
        if is_written {
            since.get_or_insert(now.mono);
        }
        let late = since.is_some_and(|at| now.mono.ms_since(at) >= self.settings.call_within_ms + ANSWER_GRACE_MS);
        let called = pods.clone();
        let missing: Vec<PodName> =
            called.iter().filter(|pod| !self.has_answered(key, round, pod, now)).cloned().collect();
        if missing.is_empty() || late {
            round.lead = Lead::Over;
            if !missing.is_empty() {
                round.degraded = true;
                notices.push(Notice::CallUnanswered { group: key.clone(), called: called.len(), missing });
            }
        }
    }

    /// Whether a called pod is still, has said that it cannot be, or is not there to be waited for.
    fn has_answered(&self, key: &GroupKey, round: &Round, name: &PodName, now: Now) -> bool {
        if let Some(part) = round.parts.get(name)
            && (part.end.is_some() || (part.lease.epoch == round.epoch && part.lease.phase == MemberPhase::Quiesced))
        {
            return true;
        }
        let pod = self.world.pods_of(key).find(|pod| pod.key.name == *name);
        pod.is_none_or(|pod| pod.deleting || self.resident_of(pod, now).is_none())
    }

    /// The pods whose residents are called: as many as may be held at once, those whose hooks wait first.
    fn to_call(&self, key: &GroupKey, round: &Round, now: Now) -> BTreeSet<PodName> {
        let backup = round.backup.as_ref().and_then(|key| self.world.backup(key));
        let can_be_called = |pod: &&Pod| {
            pod.phase == PodPhase::Running
                && !round.is_part_over(&pod.key.name)
                && self.resident_of(pod, now).is_some_and(is_callable)
        };
        let mut pods: Vec<&PodName> =
            self.world.expected(key, backup).filter(can_be_called).map(|pod| &pod.key.name).collect();
        pods.sort_by_key(|pod| (!round.parts.contains_key(*pod), *pod));
        let at_most = round.policy.frozen_max.map_or(GROUP_MEMBERS_MAX, |at_most| at_most as usize);
        pods.into_iter().take(at_most.min(GROUP_MEMBERS_MAX)).cloned().collect()
    }

    /// Whether every pod whose hook is expected has a resident that could hold it still now.
    pub(crate) fn all_have_residents<'a>(&self, mut expected: impl Iterator<Item = &'a Pod>, now: Now) -> bool {
        expected.all(|pod| self.resident_of(pod, now).is_some_and(is_callable))
    }

    /// The Lease that this very pod's resident keeps alive.
    fn resident_of(&self, pod: &Pod, now: Now) -> Option<&Member> {
        let name = shared::names::member_lease(&pod.key.name).ok()?.to_string();
        let member = self.members.get(&ObjectKey { namespace: pod.key.namespace.clone(), name })?;
        let fresh = now.mono.ms_since(member.changed_at) <= u64::from(member.lease.lease_duration_s) * 1_000;
        (fresh && !member.pod_went && pod.uid == member.lease.attempt.pod_uid && member.lease.resident.is_some())
            .then_some(member)
    }
}

/// It stands by and is ready, or waits in this round already.
fn is_callable(member: &Member) -> bool {
    member.lease.stands_by() || member.lease.phase == MemberPhase::Waiting
}
