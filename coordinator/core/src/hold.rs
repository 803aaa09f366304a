//! When does a member let go although its post hook has not come? When what it is held for is cut, or its group was held for as long as it may be.

use std::collections::BTreeSet;

use shared::admission::{AttemptVerdict, MemberPhase};
use shared::identity::{AttemptId, GroupKey, PodName};

use crate::notice::Notice;
use crate::objects::{Cut, ObjectKey};
use crate::policy::ThawOnCut;
use crate::round::{Part, Round};
use crate::state::State;
use crate::time::Now;

/// So long after a cut was seen the word of a member that was still before it is here too, ms: it was written before its hook returned, and comes by
/// another watch than the cut. Only then a member that is not still means that the group cannot be cut as one.
const MEMBER_WORD_MS: u64 = 1_000;

/// A cut's time may be coarse; letting go before its end would leave the receipt in doubt. This is waited for it at most, ms, however wrong clocks are.
const COARSE_CUT_MS_MAX: u64 = 2_000;

impl State {
    /// What rounds that have their share do next, beside admitting who comes: call residents, let go at the cut, end holds that last too long.
    pub(crate) fn conduct(&mut self, now: Now, notices: &mut Vec<Notice>) {
        for key in self.active.clone() {
            let Some(mut record) = self.groups.remove(&key) else { continue };
            if let Some(round) = &mut record.round {
                round.note_share(now);
                self.lead(&key, &record.stored, round, now, notices);
                self.let_go_at_cut(&key, round, now);
                end_long_hold(&key, round, now, notices);
            }
            self.groups.insert(key, record);
        }
    }

    /// Says of each member that is held for nothing any more that it is cut. The word is only about a member that is still, and only in the round's
    /// own Backup: a cut of another one says nothing about this hold.
    fn let_go_at_cut(&self, key: &GroupKey, round: &mut Round, now: Now) {
        round.lets_go_in_ms = None;
        let unsaid = |part: &&Part| !round.entries.get(&part.lease.attempt).is_none_or(|entry| entry.cut);
        let holders: Vec<(PodName, AttemptId)> = round
            .parts
            .values()
            .filter(|part| part.holds())
            .filter(unsaid)
            .map(|part| (part.lease.pod.clone(), part.lease.attempt.clone()))
            .collect();
        if holders.is_empty() || !self.settings.cuts_visible || round.policy.thaw == ThawOnCut::Off {
            return;
        }
        let claims = self.claims_of(key);
        let is_cut = |pod: &PodName| {
            let mut of_pod = claims.get(pod).into_iter().flatten().peekable();
            of_pod.peek().is_some() && of_pod.all(|claim| self.cut_in_backup(round, claim).is_some())
        };
        let cut: BTreeSet<PodName> = claims.keys().filter(|pod| is_cut(pod)).cloned().collect();
        if claims.values().flatten().any(|claim| self.cut_in_backup(round, claim).is_some()) {
            round.first_cut.get_or_insert(now.mono);
        }
        // Who is held for the whole group's sake is held until its last cut is past, not until its own is.
        let alone = round.policy.thaw == ThawOnCut::Member || self.is_torn(key, round, now);
        let whole = self.whole_group_is_cut(key, round, &claims, &cut);
        if !alone && !whole {
            return;
        }
        for (pod, attempt) in holders.into_iter().filter(|(pod, _)| cut.contains(pod)) {
            let seen = *round.cut_seen.entry(attempt.clone()).or_insert(now.mono);
            let waited_ms = now.mono.ms_since(seen);
            let held_for = claims.iter().filter(|(of, _)| **of == pod || !alone).flat_map(|(_, of_pod)| of_pod);
            let cuts = held_for.filter_map(|claim| self.cut_in_backup(round, claim));
            let left_ms = cuts.map(|cut| self.left_ms(cut, now)).max().unwrap_or(0);
            let left_ms = left_ms.min(COARSE_CUT_MS_MAX.saturating_sub(waited_ms));
            if left_ms > 0 {
                round.lets_go_in_ms = Some(round.lets_go_in_ms.unwrap_or(u64::MAX).min(left_ms));
            } else if let Some(entry) = round.entries.get_mut(&attempt) {
                entry.cut = true;
            }
        }
    }

    fn cut_in_backup(&self, round: &Round, claim: &ObjectKey) -> Option<&Cut> {
        let backup = round.backup.as_ref()?;
        self.world.cuts_of(claim).filter(|cut| cut.backup.as_ref() == Some(&backup.name)).min_by_key(|cut| cut.at)
    }

    /// How long until the point of a cut lies behind us for certain, ms, as far off as the clocks may be: both EC2's and the pod's.
    fn left_ms(&self, cut: &Cut, now: Now) -> u64 {
        let slack_ms = cut.resolution_ms.saturating_add(self.settings.clock_error_ms.saturating_mul(2));
        let past = cut.at.plus_ms(i64::try_from(slack_ms).unwrap_or(i64::MAX));
        past.as_micros()
            .checked_sub(now.wall.as_micros())
            .map_or(0, |us| u64::try_from(us).unwrap_or(0).div_ceil(1_000))
    }

    /// Whether nothing of the group is still to be cut: of its members whose hooks are expected, and of those that hold.
    fn whole_group_is_cut(
        &self,
        key: &GroupKey,
        round: &Round,
        claims: &crate::receipt::ClaimsOf,
        cut: &BTreeSet<PodName>,
    ) -> bool {
        let backup = round.backup.as_ref().and_then(|key| self.world.backup(key));
        let expected = self.world.expected(key, backup).map(|pod| &pod.key.name);
        let holding = round.parts.iter().filter(|(_, part)| part.holds()).map(|(pod, _)| pod);
        let mut with_volumes = expected.chain(holding).filter(|pod| claims.get(*pod).is_some_and(|c| !c.is_empty()));
        with_volumes.all(|pod| cut.contains(pod))
    }

    /// Whether the group cannot be cut as one any more: a volume of it is cut, and a member that is expected is not still.
    fn is_torn(&self, key: &GroupKey, round: &Round, now: Now) -> bool {
        let settled = round.first_cut.is_some_and(|at| now.mono.ms_since(at) >= MEMBER_WORD_MS);
        let backup = round.backup.as_ref().and_then(|key| self.world.backup(key));
        settled && !self.world.expected(key, backup).all(|pod| round.parts.get(&pod.key.name).is_some_and(Part::holds))
    }
}

impl Part {
    /// Whether it is held still now, as far as it said.
    pub fn holds(&self) -> bool {
        let lease = &self.lease;
        self.end.is_none()
            && lease.phase == MemberPhase::Quiesced
            && lease.quiesced_at.is_some()
            && lease.thawed_at.is_none()
    }
}

/// Ends every hold of a group whose own bound is over.
fn end_long_hold(key: &GroupKey, round: &mut Round, now: Now, notices: &mut Vec<Notice>) {
    let holders: Vec<AttemptId> =
        round.parts.values().filter(|part| part.holds()).map(|part| part.lease.attempt.clone()).collect();
    if holders.is_empty() {
        round.held_since = None;
        return;
    }
    let held_ms = now.mono.ms_since(*round.held_since.get_or_insert(now.mono));
    let Some(at_most_ms) = round.policy.frozen_time_max_ms.filter(|at_most_ms| held_ms >= *at_most_ms) else { return };
    let mut ended = 0;
    for attempt in holders {
        if let Some(entry) = round.entries.get_mut(&attempt).filter(|entry| entry.verdict < AttemptVerdict::Superseded)
        {
            entry.verdict = AttemptVerdict::Ended;
            ended += 1;
        }
    }
    if ended > 0 {
        notices.push(Notice::HoldEnded { group: key.clone(), members: ended, at_most_ms });
    }
}
