//! Pass two of a decision: the budget Lease as it should be. One compare-and-swap of it decides between coordinators (I1).

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::RoundPhase;
use shared::budget_lease::{BudgetLease, GRANTS_MAX, Grant};
use shared::group_lease::Epoch;
use shared::identity::GroupKey;

use crate::admission::{Request, grant_from_head};
use crate::command::{Command, Target};
use crate::round::Round;
use crate::state::{GroupRecord, State, Stored};
use crate::time::Now;

impl State {
    /// The grant that a group holds, as the budget Lease says.
    pub(crate) fn grant_of(&self, key: &GroupKey) -> Option<&Grant> {
        self.budget.content()?.grants.get(key)
    }

    /// Gives each round the number under which the budget Lease says that it was granted.
    ///
    /// A grant whose number the group's Lease has already closed is a leftover of a coordinator that ended between closing
    /// the round and returning its share; a new round must not run under it.
    pub(crate) fn adopt_grants(&mut self) {
        let Some(budget) = self.budget.content() else { return };
        for (key, grant) in &budget.grants {
            let Some(record) = self.groups.get_mut(key) else { continue };
            let usable = is_usable(record, grant.epoch);
            if let Some(round) = record.round.as_mut().filter(|round| round.epoch.is_none() && usable) {
                round.epoch = Some(grant.epoch);
            }
        }
    }

    /// The write that makes the budget Lease what it should be, if it is not.
    pub(crate) fn decide_budget(&mut self, over: &BTreeSet<GroupKey>, now: Now) -> Option<Command> {
        let current = match &self.budget {
            Stored::Foreign => return None,
            Stored::Absent | Stored::Present(_, None) => self.rebuilt_budget(now),
            Stored::Present(_, Some(budget)) => budget.clone(),
        };
        let mut wanted = current.clone();
        wanted.limit = self.settings.max_concurrent_snapshots;
        wanted.grants.retain(|key, grant| {
            self.groups
                .get(key)
                .is_some_and(|record| record.round.as_ref().is_some_and(|round| round.epoch == Some(grant.epoch)))
        });
        self.restore_lost_grants(&mut wanted, now);
        let queue = self.queue(over);
        let left = GRANTS_MAX.saturating_sub(wanted.grants.len());
        let count = grant_from_head(wanted.limit, wanted.granted(), left, &queue);
        for request in &queue[..count] {
            wanted.last_epoch = Epoch(wanted.last_epoch.0.saturating_add(1));
            let grant = Grant { epoch: wanted.last_epoch, weight: request.weight, granted_at: now.wall };
            wanted.grants.insert(request.group.clone(), grant);
        }
        let must_exist = self.budget.content().is_none() && !self.active.is_empty();
        if !must_exist && (wanted.limit, &wanted.grants) == (current.limit, &current.grants) {
            return None;
        }
        if !self.writes.may_start(&Target::Budget, now.mono) {
            return None;
        }
        wanted.writer.clone_from(&self.settings.identity);
        wanted.renewed_at = now.wall;
        Some(match &self.budget {
            Stored::Present(version, _) => Command::UpdateBudget(wanted, version.clone()),
            Stored::Absent | Stored::Foreign => Command::CreateBudget(wanted),
        })
    }

    /// A budget Lease that was deleted or made nonsense is rebuilt from the rounds that run; numbers go on from the highest known.
    fn rebuilt_budget(&self, now: Now) -> BudgetLease {
        let of_groups = self.groups.values().filter_map(|record| record.stored.content()).map(|lease| lease.epoch);
        let of_members = self.members.values().filter_map(|member| member.lease.epoch);
        let of_rounds = self.groups.values().filter_map(|record| record.round.as_ref()?.epoch);
        BudgetLease {
            namespace: self.settings.namespace.clone(),
            last_epoch: of_groups.chain(of_members).chain(of_rounds).max().unwrap_or_default(),
            limit: 0,
            grants: BTreeMap::new(),
            writer: self.settings.identity.clone(),
            renewed_at: now.wall,
        }
    }

    /// What runs must be counted, whoever took its grant out of the Lease.
    fn restore_lost_grants(&self, wanted: &mut BudgetLease, now: Now) {
        for (key, record) in &self.groups {
            let Some(epoch) = record.round.as_ref().and_then(|round| round.epoch) else { continue };
            if !wanted.grants.contains_key(key) && wanted.grants.len() < GRANTS_MAX {
                wanted.last_epoch = wanted.last_epoch.max(epoch);
                let weight = record
                    .stored
                    .content()
                    .filter(|l| l.epoch == epoch)
                    .map_or_else(|| self.world.weight(key), |l| l.weight);
                wanted.grants.insert(key.clone(), Grant { epoch, weight, granted_at: now.wall });
            }
        }
    }

    /// Groups that ask for their share, first come first: by the opening that their Leases keep, so a restart changes no order.
    pub(crate) fn queue(&self, over: &BTreeSet<GroupKey>) -> Vec<Request> {
        let mut asking: Vec<(&GroupKey, &Round)> = self
            .groups
            .iter()
            .filter_map(|(key, record)| Some((key, record.round.as_ref()?)))
            .filter(|(key, round)| round.epoch.is_none() && !over.contains(*key) && round.waiting().next().is_some())
            .filter(|(key, round)| self.gathers(key, round).is_none())
            .collect();
        asking.sort_by_key(|(key, round)| (round.opened_at, *key));
        asking.into_iter().map(|(key, _)| Request { group: key.clone(), weight: self.world.weight(key) }).collect()
    }
}

fn is_usable(record: &GroupRecord, epoch: Epoch) -> bool {
    record
        .stored
        .content()
        .is_none_or(|lease| epoch > lease.epoch || (epoch == lease.epoch && lease.phase == RoundPhase::Released))
}
