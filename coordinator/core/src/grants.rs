//! Pass two of a decision: the budget Lease as it should be. One compare-and-swap of it decides between coordinators (I1).

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::Mode;
use shared::budget_lease::{BudgetLease, GRANTS_MAX, Grant};
use shared::group_lease::Epoch;
use shared::identity::GroupKey;

use crate::admission::{Request, grant_from_head};
use crate::command::{Command, Target};
use crate::round::Round;
use crate::state::{State, may_run};
use crate::stored::Stored;
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
    pub(crate) fn adopt_grants(&mut self, now: Now) {
        let Some(budget) = self.budget.content() else { return };
        for (key, grant) in &budget.grants {
            let rests = self.rest_under_way(key, grant.epoch);
            let record = self.groups.entry(key.clone()).or_default();
            if rests || record.stored.content().is_some_and(|lease| !may_run(lease, grant.epoch)) {
                continue;
            }
            // A grant without a round is one whose coordinator ended before it released anybody. The round is taken up, and
            // where nobody comes for it, it is closed like any other: only that returns its share.
            let policy = self.settings.policy;
            let round = record.round.get_or_insert_with(|| Round {
                policy,
                opened_at: grant.granted_at,
                ..Round::open(Mode::ArriveAndGo, None, BTreeMap::new(), now)
            });
            if round.epoch.is_none() {
                round.epoch = Some(grant.epoch);
            }
            self.active.insert(key.clone());
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
        wanted.limit = self.limit();
        wanted.grants.retain(|key, grant| !self.is_returned(key, grant));
        let queue = self.queue(over, now);
        let pending = self.pending_beside_grants(now);
        let left = GRANTS_MAX.saturating_sub(wanted.grants.len());
        let count = grant_from_head(wanted.limit, wanted.granted(), pending, left, &queue);
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
        let mut grants = BTreeMap::new();
        for (key, record) in &self.groups {
            let Some(epoch) = record.round.as_ref().and_then(|round| round.epoch) else { continue };
            if grants.len() < GRANTS_MAX {
                let of_round = record.stored.content().filter(|lease| lease.epoch == epoch);
                let weight = of_round.map_or_else(|| self.world.weight(key), |lease| lease.weight);
                grants.insert(key.clone(), Grant { epoch, weight, granted_at: now.wall });
            }
        }
        let of_rounds = grants.values().map(|grant| grant.epoch);
        BudgetLease {
            namespace: self.settings.namespace.clone(),
            last_epoch: of_groups.chain(of_members).chain(of_rounds).max().unwrap_or_default(),
            limit: 0,
            grants: grants.clone(),
            writer: self.settings.identity.clone(),
            renewed_at: now.wall,
        }
    }

    /// Whether a grant's round is over for certain: its group's Lease says so. That Lease is only ever written by compare-and-swap
    /// and never releases a number that it has closed, so this stays true however old the observation is. Whatever else this
    /// process believes may be a stale view; a share that is returned on such a belief could be given twice.
    fn is_returned(&self, key: &GroupKey, grant: &Grant) -> bool {
        match self.groups.get(key).map(|record| &record.stored) {
            Some(Stored::Present(_, Some(lease))) => !may_run(lease, grant.epoch),
            Some(Stored::Foreign) => true, // nobody can be released through a Lease that is not ours
            Some(Stored::Absent | Stored::Present(_, None)) | None => false,
        }
    }

    /// Whether a round's grant was taken out of the budget Lease by somebody else: by hand, or by a coordinator that closed the
    /// round already and whose word is still on its way. The round must end; the write that ends it finds out which.
    pub(crate) fn lost_its_grant(&self, key: &GroupKey, round: &Round) -> bool {
        let Some(budget) = self.budget.content() else { return false };
        // A budget Lease that has not reached this number yet is an old view of it and proves nothing.
        let knows = |epoch| budget.last_epoch >= epoch;
        round.epoch.is_some_and(|epoch| knows(epoch) && budget.grants.get(key).is_none_or(|grant| grant.epoch != epoch))
    }

    /// Whether the head of the queue cannot have its share now.
    pub(crate) fn budget_is_waited_for(&self, over: &BTreeSet<GroupKey>, now: Now) -> bool {
        let queue = self.queue(over, now);
        let granted = self.budget.content().map_or(0, BudgetLease::granted);
        !queue.is_empty() && grant_from_head(self.limit(), granted, self.pending_beside_grants(now), 1, &queue) == 0
    }

    /// Groups that ask for their share, first come first: as this process saw them come, whatever the wall clock was set to meanwhile. Those that
    /// were there before it by the opening that their Leases keep, so a restart changes no order.
    pub(crate) fn queue(&self, over: &BTreeSet<GroupKey>, now: Now) -> Vec<Request> {
        let mut asking: Vec<(&GroupKey, &Round)> = self
            .groups
            .iter()
            .filter_map(|(key, record)| Some((key, record.round.as_ref()?)))
            .filter(|(key, round)| round.epoch.is_none() && !over.contains(*key) && round.waiting().next().is_some())
            .filter(|(key, round)| self.gathers(key, round).is_none() && self.paced(key, round, now).is_none())
            // While a round's rest is being written it still has its share.
            .filter(|(key, _)| self.grant_of(key).is_none_or(|grant| self.is_returned(key, grant)))
            .collect();
        asking.sort_by_key(|(key, round)| (round.opened_mono, round.opened_at, *key));
        asking.into_iter().map(|(key, _)| Request { group: key.clone(), weight: self.world.weight(key) }).collect()
    }
}
