//! Pass three of a decision: each active group's Lease as it should be. One write releases the whole group.

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::RoundPhase;
use shared::group_lease::{Call, GroupLease, WaitReason};
use shared::identity::GroupKey;
use shared::receipt::Receipt;

use crate::admission::Request;
use crate::command::{Command, Target};
use crate::receipt::ClaimsOf;
use crate::round::{Lead, Round, RoundFacts};
use crate::state::{GroupRecord, State};
use crate::stored::Stored;
use crate::throttle::pace::{Hold, VolumeFacts, hold};
use crate::time::Now;

/// A wait reason that changed is written at most this often, ms: waiting hooks print it every 10 s, and a long queue moves often.
const WAIT_REFRESH_MS: u64 = 5_000;

impl State {
    /// The groups whose rounds are over.
    pub(crate) fn rounds_over(&self, now: Now) -> BTreeSet<GroupKey> {
        self.active
            .iter()
            .filter(|key| {
                let round = self.groups.get(*key).and_then(|record| record.round.as_ref());
                round.is_some_and(|round| {
                    self.lost_its_grant(key, round) || round.is_over(self.round_facts(key, round, now), now)
                })
            })
            .cloned()
            .collect()
    }

    fn round_facts(&self, key: &GroupKey, round: &Round, now: Now) -> RoundFacts {
        let backup = round.backup.as_ref().and_then(|key| self.world.backup(key));
        RoundFacts {
            all_expected_over: self.world.expected(key, backup).all(|pod| round.is_part_over(&pod.key.name)),
            cuts_settled: self.cuts_settled(key, round, now),
            next_round_waits: self.next_round_waits(key, round, now),
            round_duration_ms: u64::from(self.settings.round_duration_s) * 1_000,
            round_idle_ms: (round.backup.is_none() || !self.settings.backups_visible)
                .then_some(self.settings.round_idle_ms),
        }
    }

    /// The writes that make the active groups' Leases what they should be.
    pub(crate) fn decide_groups(&mut self, over: &BTreeSet<GroupKey>, now: Now) -> Vec<Command> {
        let queue = self.queue(over, now);
        let mut commands = Vec::new();
        for key in self.active.clone() {
            let Some(mut record) = self.groups.remove(&key) else { continue };
            let ends = over.contains(&key);
            commands.extend(self.decide_group(&key, &mut record, ends, &queue, now));
            self.groups.insert(key, record);
        }
        commands
    }

    fn decide_group(
        &self,
        key: &GroupKey,
        record: &mut GroupRecord,
        ends: bool,
        queue: &[Request],
        now: Now,
    ) -> Option<Command> {
        let target = Target::Group(key.clone());
        let one_block = record.round.as_ref().is_some_and(|round| self.in_one_block(round));
        let rests = !ends && self.writes.may_start(&target, now.mono) && self.must_rest(key, record, queue, now);
        let round = record.round.as_mut()?;
        if rests {
            // Written below as waiting under the number that it had: that returns its share.
            round.epoch = None;
            round.lead = Lead::Idle;
        }
        if record.stored == Stored::Foreign {
            return None;
        }
        if round.is_released() && !ends {
            round.admit(one_block, now);
        }
        if !self.writes.may_start(&target, now.mono) {
            return None;
        }
        let known = record.stored.content();
        let wanted =
            if ends { self.closed(key, round, known, now) } else { self.running(key, round, known, queue, now) };
        let wait_only = match known {
            None => false,
            Some(known) if same(known, &wanted) && known.wait == wanted.wait => return None,
            Some(known) => same(known, &wanted),
        };
        let grant_comes = wanted.phase == RoundPhase::Waiting && self.grant_under_way(key);
        if grant_comes || (wait_only && now.mono.ms_since(record.wait_written) < WAIT_REFRESH_MS) {
            return None;
        }
        if wanted.wait.is_some() {
            record.wait_written = now.mono;
        }
        Some(match &record.stored {
            Stored::Present(version, _) => Command::UpdateGroup(wanted, version.clone()),
            Stored::Absent | Stored::Foreign => Command::CreateGroup(wanted),
        })
    }

    /// Whether a budget write that grants this group is on its way: then its release follows in a moment and nobody needs to be told to wait.
    fn grant_under_way(&self, key: &GroupKey) -> bool {
        match self.writes.under_way(&Target::Budget) {
            Some(Command::CreateBudget(budget) | Command::UpdateBudget(budget, _)) => budget.grants.contains_key(key),
            _ => false,
        }
    }

    fn running(
        &self,
        key: &GroupKey,
        round: &Round,
        known: Option<&GroupLease>,
        queue: &[Request],
        now: Now,
    ) -> GroupLease {
        let granted = round.epoch.and_then(|_| self.grant_of(key)).map(|grant| grant.weight);
        GroupLease {
            key: key.clone(),
            epoch: round.epoch.unwrap_or_else(|| known.map(|lease| lease.epoch).unwrap_or_default()),
            phase: match (round.epoch, round.is_released()) {
                (None, _) => RoundPhase::Waiting,
                (Some(_), false) => RoundPhase::Calling,
                (Some(_), true) => RoundPhase::Released,
            },
            mode: round.mode,
            degraded: round.degraded,
            call: match &round.lead {
                Lead::Calling { pods, .. } if !round.is_released() && round.epoch.is_some() => {
                    Some(Call { pods: pods.clone(), within_ms: self.settings.call_within_ms })
                }
                _ => None,
            },
            attempts: round.entries.clone(),
            weight: granted
                .or_else(|| known.filter(|_| round.epoch.is_some()).map(|l| l.weight))
                .unwrap_or_else(|| self.world.weight(key)),
            // Nobody is told to wait where nobody waits: a round that rests, or whose members all went by themselves.
            wait: ((round.epoch.is_none() && round.waiting().next().is_some()) || round.waits_for_others())
                .then(|| self.wait_reason(key, round, queue, now)),
            backup: round.backup.as_ref().map(|backup| backup.name.clone()),
            writer: self.settings.identity.clone(),
            opened_at: round.opened_at,
            renewed_at: now.wall,
            round_duration_s: self.settings.round_duration_s,
            receipt: known.and_then(|lease| lease.receipt.clone()),
        }
    }

    fn wait_reason(&self, key: &GroupKey, round: &Round, queue: &[Request], now: Now) -> WaitReason {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if round.is_released() {
            let at_most = round.policy.frozen_max.unwrap_or(u32::MAX);
            return WaitReason::FrozenMax { held: count(round.held_or_admitted()), at_most };
        }
        if let Some((arrived, expected)) = self.gathers(key, round) {
            return WaitReason::Members { arrived: count(arrived), expected: count(expected) };
        }
        if let Some(Hold { claim, for_ms }) = self.paced(key, round, now) {
            return WaitReason::Volume { claim: claim.name, for_s: for_ms.div_ceil(1_000) };
        }
        let Some(budget) = self.budget.content() else { return WaitReason::Grant };
        match queue.iter().position(|request| request.group == *key) {
            Some(ahead) => WaitReason::Budget {
                weight: queue[ahead].weight,
                in_use: budget.granted().saturating_add(self.pending_beside_grants(now)),
                limit: budget.limit,
                ahead: count(ahead),
            },
            None => WaitReason::Grant,
        }
    }

    fn closed(&self, key: &GroupKey, round: &Round, known: Option<&GroupLease>, now: Now) -> GroupLease {
        let mut lease = self.running(key, round, known, &[], now);
        lease.phase = RoundPhase::Closed;
        (lease.wait, lease.call) = (None, None);
        lease.attempts = round.last_words();
        let earlier_rounds = self.earlier_rounds(known, round);
        lease.receipt = Some(Receipt { earlier_rounds, ..self.receipt(key, round, lease.weight, now) });
        lease
    }

    /// Whether the group must wait for the sake of a volume that is about to be cut: of its pods that are not done in this round.
    pub(crate) fn paced(&self, key: &GroupKey, round: &Round, now: Now) -> Option<Hold> {
        let pods = self.world.pods_of(key).filter(|pod| !round.is_part_over(&pod.key.name));
        let facts = pods.flat_map(|pod| self.world.ebs_claims(pod)).map(|claim| {
            let contents = &self.limit.signals.contents;
            let snapshots = self.snapshots_of(&claim);
            let refusals = snapshots.iter().filter_map(|snapshot| contents.refused(snapshot));
            let last_cut = self.world.cuts_of(&claim).max_by_key(|cut| cut.at);
            VolumeFacts {
                refused: refusals.max_by_key(|(_, at)| *at).map(|(error, at)| (error, now.mono.ms_since(at))),
                pending: snapshots.iter().filter(|snapshot| contents.is_pending(snapshot)).count(),
                last_cut: last_cut.map(|cut| (cut.at, cut.resolution_ms)),
                claim,
            }
        });
        hold(facts, now)
    }

    /// The claims of the pods that are in the group now.
    pub(crate) fn claims_of(&self, key: &GroupKey) -> ClaimsOf {
        self.world
            .pods_of(key)
            .map(|pod| (pod.key.name.clone(), self.world.ebs_claims(pod)))
            .collect::<BTreeMap<_, _>>()
    }
}

/// Whether two Leases say the same to the members; who wrote them, when, and how the wait is worded apart.
fn same(a: &GroupLease, b: &GroupLease) -> bool {
    let GroupLease {
        key,
        epoch,
        phase,
        mode,
        degraded,
        call,
        attempts,
        weight: _,
        wait: _,
        backup,
        writer: _,
        opened_at: _,
        renewed_at: _,
        round_duration_s: _,
        receipt: _,
    } = a;
    (key, epoch, phase, mode, degraded, call, attempts, backup)
        == (&b.key, &b.epoch, &b.phase, &b.mode, &b.degraded, &b.call, &b.attempts, &b.backup)
}
