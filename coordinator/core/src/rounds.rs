//! Pass one of a decision: bring each active group's round up to date with what its members' Leases say.

use std::collections::BTreeMap;

use shared::admission::{Mode, RoundPhase};
use shared::identity::{AttemptId, GroupKey, PodName};
use shared::receipt::MemberEnd;

use crate::coverage::running_for;
use crate::mode::{MODE_RULE, Outlook, choose, parse};
use crate::notice::Notice;
use crate::objects::{BackupPhase, ObjectKey, Pod, PodKey, PodPhase};
use crate::policy::{Complaint, HoldPolicy};
use crate::round::Round;
use crate::settings::ModeSetting;
use crate::stall::{Barrier, Decision, look_at};
use crate::standing::{Member, Standing, standing};
use crate::state::{GroupRecord, State};
use crate::time::Now;
use crate::world::World;

/// A member and where it stands.
type Seen<'a> = (&'a Member, Standing);

impl State {
    /// Opens, continues and updates the rounds of all active groups. A group in which nothing goes on leaves the active set.
    pub(crate) fn refresh_rounds(&mut self, now: Now, notices: &mut Vec<Notice>) {
        for key in self.active.clone() {
            self.refresh_round(&key, now, notices);
        }
        self.degrade_stalled_barriers(now, notices);
    }

    fn refresh_round(&mut self, key: &GroupKey, now: Now, notices: &mut Vec<Notice>) {
        let mut record = self.groups.remove(key).unwrap_or_default();
        if self.world.pods_of(key).next().is_some()
            && let Some(message) = record.untold.take()
        {
            notices.push(Notice::LeaseInvalid { group: Some(key.clone()), message });
        }
        let members: Vec<Seen<'_>> = self
            .members_of
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|lease| self.members.get(lease))
            .map(|member| (member, standing(member, &self.world, now)))
            .collect();
        if record.round.is_none() {
            record.round = self.continue_or_open(key, &mut record, &members, now, notices);
        }
        let idle = record.round.is_none() && self.grant_of(key).is_none();
        if let Some(round) = &mut record.round {
            self.follow_backup(round, &members, now);
            let unlisted_before = round.unlisted.len();
            let alive_before = round.alive();
            for (member, standing) in &members {
                if !round.is_closed_to(&member.lease) {
                    round.see(&member.lease, *standing, now);
                }
            }
            if round.unlisted.len() > unlisted_before {
                let members = round.entries.len() + round.unlisted.len();
                notices.push(Notice::GroupTooLarge { group: key.clone(), members });
            }
            self.note_claims(key, round);
            let gone: Vec<_> =
                round.parts.keys().filter(|pod| !members.iter().any(|(m, _)| m.lease.pod == **pod)).cloned().collect();
            for pod in gone {
                round.lease_gone(&pod);
            }
            for (member, _) in &members {
                round.lease_taken(&member.lease);
            }
            notices.extend(alive_before.into_iter().filter_map(|pod| lost(key, round, pod)));
        }
        // A large cluster has thousands of groups of which nothing is to be said yet: a record is a kilobyte.
        let empty = record.round.is_none() && record.stored == crate::stored::Stored::Absent;
        let nothing_said = idle && record.complaints.is_empty() && record.untold.is_none();
        if !(empty && (nothing_said || self.world.pods_of(key).next().is_none())) {
            self.groups.insert(key.clone(), record);
        }
        if idle {
            self.active.remove(key);
        }
    }

    /// What a pod that takes part has to be cut is known as long as the pod is there; its receipt is written later.
    fn note_claims(&self, key: &GroupKey, round: &mut Round) {
        for pod in self.world.pods_of(key).filter(|pod| round.parts.contains_key(&pod.key.name)) {
            let claims = self.world.ebs_claims(pod);
            if round.claims.get(&pod.key.name) != Some(&claims) {
                round.claims.entry(pod.key.name.clone()).or_default().extend(claims);
            }
        }
    }

    fn continue_or_open(
        &self,
        key: &GroupKey,
        record: &mut GroupRecord,
        members: &[Seen<'_>],
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> Option<Round> {
        let lease = record.stored.content();
        if let Some(lease) = lease.filter(|lease| lease.phase != RoundPhase::Closed) {
            let backup = lease.backup.as_deref().and_then(|name| self.backup_named(name));
            let policy = self.policy_of(key).0;
            return Some(Round { policy, ..Round::continued(lease, backup, now) });
        }
        let told = |attempt: &AttemptId| lease.and_then(|lease| lease.attempts.get(attempt));
        // Who holds under a number that is used up, and was never told anything, was called by a round that is over.
        let late = |member: &Member| lease.is_some_and(|lease| member.lease.epoch.is_some_and(|e| e <= lease.epoch));
        let alive = |(member, standing): &&Seen<'_>| {
            !matches!(standing, Standing::Over(_)) && told(&member.lease.attempt).is_none() && !late(member)
        };
        let first = members.iter().find(alive)?;
        let past: BTreeMap<_, _> = members
            .iter()
            .filter_map(|(member, _)| {
                let mut entry = told(&member.lease.attempt)?.clone();
                entry.verdict = shared::admission::AttemptVerdict::Ended;
                Some((member.lease.attempt.clone(), entry))
            })
            .collect();
        let backup = self.backup_of(first.0).map(|backup| backup.key.clone());
        let (policy, complaints) = self.policy_of(key);
        for Complaint { annotation, object, value, rule } in complaints {
            complain(key, record, (annotation, object, value, rule), notices);
        }
        let mode = self.mode_for(key, record, backup.as_ref(), policy, now, notices);
        notices.push(Notice::RoundOpened {
            group: key.clone(),
            mode,
            weight: self.world.weight(key),
            backup: backup.as_ref().map(|b| b.name.clone()),
        });
        Some(Round { policy, ..Round::open(mode, backup, past, now) })
    }

    fn mode_for(
        &self,
        key: &GroupKey,
        record: &mut GroupRecord,
        backup: Option<&ObjectKey>,
        policy: HoldPolicy,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> Mode {
        let mut setting = self.settings.mode;
        if let Some((object, value)) = self.world.annotation(key, "mode") {
            match parse(&value) {
                Some(fixed @ ModeSetting::Fixed(_)) => setting = fixed,
                Some(ModeSetting::Auto) => setting = ModeSetting::Auto,
                None => complain(key, record, ("mode", object, value, MODE_RULE), notices),
            }
        }
        let backup = backup.and_then(|key| self.world.backup(key));
        let expected: Vec<_> = self.world.expected(key, backup).filter(|pod| pod.phase == PodPhase::Running).collect();
        let ordered =
            backup.is_some_and(|backup| expected.iter().any(|pod| backup.ordered_pods.contains(&pod.key.to_string())));
        let residents = self.all_have_residents(expected.iter().copied(), now);
        let expected = expected.len();
        let all_may_hold = policy.frozen_max.is_none_or(|at_most| at_most as usize >= expected);
        let workers = self.settings.item_block_workers;
        choose(setting, Outlook { expected, workers, ordered, residents: residents && all_may_hold })
    }

    /// Finds the round's Backup once it is seen, and notes when its cuts are over.
    fn follow_backup(&self, round: &mut Round, members: &[Seen<'_>], now: Now) {
        if round.backup.is_none() {
            let alive = members.iter().find(|(_, standing)| !matches!(standing, Standing::Over(_)));
            round.backup = alive.and_then(|(member, _)| self.backup_of(member)).map(|backup| backup.key.clone());
        }
        let Some(key) = &round.backup else { return };
        let over = match self.world.backup(key) {
            Some(backup) => backup.phase == BackupPhase::CutsOver,
            None => self.settings.backups_visible,
        };
        round.backup_over = if over { round.backup_over.or(Some(now.mono)) } else { None };
    }

    fn backup_of(&self, member: &Member) -> Option<&crate::objects::Backup> {
        let pod =
            self.world.pod(&PodKey { namespace: member.lease.namespace.clone(), name: member.lease.pod.clone() })?;
        running_for(self.world.backups(), pod)
    }

    /// Only the name is kept in the Lease; Velero's namespace is the one in which a Backup of that name is.
    fn backup_named(&self, name: &str) -> Option<ObjectKey> {
        self.world.backups().find(|backup| backup.key.name == name).map(|backup| backup.key.clone())
    }

    fn degrade_stalled_barriers(&mut self, now: Now, notices: &mut Vec<Notice>) {
        let waiting_everywhere =
            self.groups.values().filter_map(|r| r.round.as_ref()).map(|round| round.waiting().count()).sum();
        for (key, record) in &mut self.groups {
            let Some(round) = record.round.as_mut().filter(|r| r.mode == Mode::Barrier && r.epoch.is_none()) else {
                continue;
            };
            let (arrived, expected) = barrier_count(&self.world, key, round);
            let decision = look_at(Barrier {
                arrived,
                expected,
                waiting_everywhere,
                workers: self.settings.item_block_workers,
                since_arrival_ms: now.mono.ms_since(round.last_arrival),
                stall_ms: self.settings.barrier_stall_ms,
            });
            if let Decision::Stalled(why) = decision
                && arrived > 0
            {
                round.mode = Mode::ArriveAndGo;
                round.degraded = true;
                notices.push(Notice::BarrierDegraded { group: key.clone(), arrived, expected, why });
            }
        }
    }

    /// Whether a barrier holds the round back from asking for its grant.
    pub(crate) fn gathers(&self, key: &GroupKey, round: &Round) -> Option<(usize, usize)> {
        if round.mode != Mode::Barrier {
            return None;
        }
        let (arrived, expected) = barrier_count(&self.world, key, round);
        (arrived < expected).then_some((arrived, expected))
    }

    /// Whether an attempt waits that cannot belong to this round.
    pub(crate) fn next_round_waits(&self, key: &GroupKey, round: &Round, now: Now) -> bool {
        self.members_of
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|lease| self.members.get(lease))
            .any(|member| round.is_closed_to(&member.lease) && standing(member, &self.world, now) == Standing::Waiting)
    }
}

/// Says once that an annotation is ignored, until it says something else.
fn complain(
    group: &GroupKey,
    record: &mut GroupRecord,
    (annotation, object, value, rule): (&'static str, String, String, &'static str),
    notices: &mut Vec<Notice>,
) {
    if record.complaints.insert(annotation, value.clone()).as_ref() != Some(&value) {
        notices.push(Notice::AnnotationInvalid { group: group.clone(), annotation, object, value, rule });
    }
}

/// What there is to tell of a member that was alive a moment ago.
fn lost(group: &GroupKey, round: &Round, pod: PodName) -> Option<Notice> {
    let end = round.parts.get(&pod)?.end?;
    let pod = PodKey { namespace: group.namespace.clone(), name: pod };
    matches!(end, MemberEnd::PodGone | MemberEnd::Expired).then(|| Notice::MemberLost {
        pod,
        group: group.clone(),
        end,
    })
}

/// Members of a barrier that wait, and live ones whose hooks are still expected.
fn barrier_count(world: &World, key: &GroupKey, round: &Round) -> (usize, usize) {
    let backup = round.backup.as_ref().and_then(|key| world.backup(key));
    let awaited = |pod: &&Pod| pod.phase == PodPhase::Running && !round.is_part_over(&pod.key.name);
    (round.waiting().count(), world.expected(key, backup).filter(awaited).count())
}
