//! What the status says, from what was read: a pure function of Leases and pods.

use std::collections::BTreeMap;

use coordinator_core::objects::Pod;
use serde::Serialize;
use shared::admission::{Admission, AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::budget_lease::BudgetLease;
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::limiter_lease::LimiterLease;
use shared::member_lease::MemberLease;
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::receipt::{MemberReceipt, Receipt};
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::collect::Found;
use super::limit_view::{LimitView, limit};
use crate::election;
use crate::watch::leases::{LeaseKey, key_of};

/// The whole status.
#[derive(Debug, Default, Serialize)]
pub struct View {
    /// By namespace and name.
    pub groups: Vec<GroupView>,
    /// Absent while no round was ever granted.
    pub budget: Option<BudgetView>,
    /// Absent while no coordinator ever led.
    pub limit: Option<LimitView>,
    /// Absent while no coordinator ever ran.
    pub leader: Option<LeaderView>,
    /// Leases that say something impossible.
    pub problems: Vec<String>,
}

/// One group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its id.
    pub group: GroupId,
    /// Where its round stands; absent when it never had one.
    pub phase: Option<RoundPhase>,
    /// The round's number; 0 before the first.
    pub epoch: Epoch,
    /// How the round is, or was, released.
    pub mode: Option<Mode>,
    /// A barrier that stalled.
    pub degraded: bool,
    /// Live pods.
    pub pods: usize,
    /// Volumes that the round's grant counts.
    pub weight: u32,
    /// Hooks of this round that wait.
    pub waiting: usize,
    /// … that hold still.
    pub quiesced: usize,
    /// … that let go.
    pub done: usize,
    /// … that failed or were withdrawn.
    pub failed: usize,
    /// Why it waits.
    pub wait: Option<String>,
    /// When the round's first member arrived.
    pub opened_at: Option<WallTime>,
    /// The round's Backup, where it is known.
    pub backup: Option<String>,
    /// The last round that ended.
    pub last: Option<LastRound>,
    /// Its members' Leases, by pod.
    pub members: Vec<MemberView>,
}

/// The last round that ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRound {
    /// What is proven.
    pub verdict: Verdict,
    /// Why it is no better, in words.
    pub why: String,
    /// When it ended.
    pub closed_at: WallTime,
    /// From the first to the last cut, where every cut was seen.
    pub skew_ms: Option<u64>,
    /// Its number; absent where no grant was ever given.
    pub epoch: Option<Epoch>,
    /// Its Backup, where that was known.
    pub backup: Option<String>,
    /// When its first member arrived.
    pub opened_at: WallTime,
    /// How many members it names, those left out for size included.
    pub members: usize,
    /// The longest that a member was held still.
    pub held_ms: Option<u64>,
    /// Members that went on without having been counted against the budget.
    pub unadmitted: usize,
}

impl LastRound {
    /// Of a receipt.
    pub fn of(receipt: &Receipt) -> Self {
        let by_itself =
            |member: &&MemberReceipt| matches!(member.admission, Some(Admission::OverBudget | Admission::Unreachable));
        Self {
            verdict: receipt.verdict,
            why: receipt.why.to_string(),
            closed_at: receipt.closed_at,
            skew_ms: receipt.skew_ms,
            epoch: receipt.epoch,
            backup: receipt.backup.clone(),
            opened_at: receipt.opened_at,
            members: receipt.members.len() + usize::try_from(receipt.members_omitted).unwrap_or(0),
            held_ms: receipt.members.iter().filter_map(MemberReceipt::held_ms).max(),
            unadmitted: receipt.members.iter().filter(by_itself).count(),
        }
    }
}

/// One member's Lease.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    /// The pod.
    pub pod: String,
    /// Where its attempt stands.
    pub phase: MemberPhase,
    /// How it got past the gate.
    pub admission: Option<Admission>,
    /// When it registered.
    pub registered_at: WallTime,
    /// When it goes on by itself.
    pub deadline: WallTime,
}

/// The budget.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetView {
    /// Volumes that may be between release and cut.
    pub limit: u32,
    /// Volumes that grants count.
    pub granted: u32,
    /// Who holds how many.
    pub grants: BTreeMap<String, u32>,
    /// The coordinator that wrote it last.
    pub writer: String,
}

/// The leader.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaderView {
    /// Who; absent after it gave the Lease up.
    pub holder: Option<String>,
    /// Its last sign of life, by its own clock.
    pub renewed_at: WallTime,
}

/// Makes the status.
pub fn view(found: &Found, coordinator_namespace: &Namespace) -> View {
    let mut view = View::default();
    let mut groups: BTreeMap<GroupKey, (Option<GroupLease>, Vec<MemberLease>, usize)> = BTreeMap::new();
    for lease in &found.leases {
        match key_of(lease, coordinator_namespace) {
            Ok(LeaseKey::Group(key)) => match GroupLease::decode(lease) {
                Ok(decoded) => groups.entry(key).or_default().0 = Some(decoded),
                Err(problem) => view.problems.push(problem.to_string()),
            },
            Ok(LeaseKey::Member(_)) => match MemberLease::decode(lease) {
                Ok(member) => {
                    let key = GroupKey { namespace: member.namespace.clone(), group: member.group.clone() };
                    groups.entry(key).or_default().1.push(member);
                }
                Err(problem) => view.problems.push(problem.to_string()),
            },
            Ok(LeaseKey::Budget | LeaseKey::Limiter) => {}
            Err(problem) => view.problems.push(problem),
        }
    }
    for key in found.pods.iter().filter(|pod| is_live(pod)).filter_map(group_of) {
        groups.entry(key).or_default().2 += 1;
    }
    view.groups = groups
        .iter()
        .map(|(key, (lease, members, pods))| group(key, lease.as_ref(), members.iter().collect(), *pods))
        .collect();
    view.budget = match found.budget.as_ref().map(BudgetLease::decode) {
        Some(Ok(decoded)) => Some(budget(&decoded)),
        Some(Err(problem)) => {
            view.problems.push(problem.to_string());
            None
        }
        None => None,
    };
    view.limit = match found.limiter.as_ref().map(LimiterLease::decode) {
        Some(Ok(decoded)) => Some(limit(decoded)),
        Some(Err(problem)) => {
            view.problems.push(problem.to_string());
            None
        }
        None => None,
    };
    view.leader = found.leader.as_ref().map(|lease| {
        let (record, _version) = election::decode(lease);
        LeaderView { holder: record.holder, renewed_at: record.renewed_at }
    });
    view
}

fn is_live(pod: &Pod) -> bool {
    pod.is_live()
}

fn group_of(pod: &Pod) -> Option<GroupKey> {
    let group = pod.label(LABEL_SNAPSHOT_GROUP)?.parse().ok()?;
    Some(GroupKey { namespace: pod.key.namespace.clone(), group })
}

/// One group's, from its Leases.
pub fn group(key: &GroupKey, lease: Option<&GroupLease>, mut members: Vec<&MemberLease>, pods: usize) -> GroupView {
    members.sort_by(|a, b| a.pod.cmp(&b.pod));
    let count = |phases: &[MemberPhase]| {
        let of_round = members.iter().filter(|member| is_of_round(member, lease));
        of_round.filter(|member| phases.contains(&member.phase)).count()
    };
    GroupView {
        waiting: count(&[MemberPhase::Waiting]),
        quiesced: count(&[MemberPhase::Quiesced]),
        done: count(&[MemberPhase::Done]),
        failed: count(&[MemberPhase::Failed, MemberPhase::Withdrawn]),
        phase: lease.map(|lease| lease.phase),
        epoch: lease.map(|lease| lease.epoch).unwrap_or_default(),
        mode: lease.map(|lease| lease.mode),
        degraded: lease.is_some_and(|lease| lease.degraded),
        weight: lease.map_or(0, |lease| lease.weight),
        wait: lease.and_then(|lease| lease.wait.as_ref()).map(ToString::to_string),
        backup: lease.and_then(|lease| lease.backup.clone()),
        opened_at: lease.map(|lease| lease.opened_at),
        namespace: key.namespace.clone(),
        group: key.group.clone(),
        pods,
        last: lease.and_then(|lease| lease.receipt.as_ref()).map(LastRound::of),
        members: members.iter().map(|lease| member(lease)).collect(),
    }
}

/// Whether a member's Lease is of the group's present round (or its last, when none is open), and not left over from
/// an earlier one: its round's number says so, or the group's Lease does, or it still waits or holds.
fn is_of_round(member: &MemberLease, lease: Option<&GroupLease>) -> bool {
    let Some(lease) = lease else { return true };
    let listed = lease.verdict(&member.attempt).is_some_and(|verdict| verdict != AttemptVerdict::Ended);
    listed || member.epoch == Some(lease.epoch) || !member.phase.is_terminal()
}

fn member(lease: &MemberLease) -> MemberView {
    MemberView {
        pod: lease.pod.to_string(),
        phase: lease.phase,
        admission: lease.admission,
        registered_at: lease.registered_at,
        deadline: lease.deadline,
    }
}

/// The budget's, from its Lease.
pub fn budget(lease: &BudgetLease) -> BudgetView {
    BudgetView {
        limit: lease.limit,
        granted: lease.granted(),
        grants: lease.grants.iter().map(|(group, grant)| (group.to_string(), grant.weight)).collect(),
        writer: lease.writer.clone(),
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
