//! When must a round give its share back before it is over?
//!
//! A round keeps its share from its first member's arrival to its end, while Velero may go through other groups' pods between two
//! of its members. Where such a group then waits for the share, and Velero comes to the missing members only after it, both would
//! wait for a hook's deadline (invariant I6). So a round in which nobody waits or holds, and of which no cut is to come, rests: it
//! returns its share and asks again, at its old place in the queue, when its next member comes.

use shared::admission::RoundPhase;
use shared::group_lease::Epoch;
use shared::identity::GroupKey;

use crate::admission::{Request, grant_from_head};
use crate::command::{Command, Target};
use crate::round::Round;
use crate::state::{GroupRecord, State};
use crate::time::Now;

/// A share is kept for at least this long, ms. Who granted it saw somebody wait; where this process believes that one to be gone, one of the two has
/// an older view, and resting and granting would take turns as fast as the API server answers.
const SHARE_KEPT_MS: u64 = 1_000;

impl State {
    /// Whether a granted round must rest now, because a group at the head of the queue cannot have its share otherwise.
    pub(crate) fn must_rest(&self, key: &GroupKey, record: &GroupRecord, queue: &[Request], now: Now) -> bool {
        let Some(round) = &record.round else { return false };
        let is_released = record
            .stored
            .content()
            .is_some_and(|lease| lease.phase == RoundPhase::Released && Some(lease.epoch) == round.epoch);
        is_released
            && !round.is_active()
            && self.blocks_the_head(queue, now)
            && self.nobody_else_can_come(round, now)
            && self.cuts_settled(key, round, now)
    }

    /// Whether the head of the queue waits for shares that are held.
    fn blocks_the_head(&self, queue: &[Request], now: Now) -> bool {
        let Some(budget) = self.budget.content() else { return false };
        !queue.is_empty()
            && grant_from_head(self.limit(), budget.granted(), self.pending_beside_grants(now), 1, queue) == 0
    }

    /// All of Velero's workers wait or hold in other groups, or this round has seen nobody for the stall time.
    fn nobody_else_can_come(&self, round: &Round, now: Now) -> bool {
        let rounds = self.groups.values().filter_map(|record| record.round.as_ref());
        let busy: usize = rounds.map(Round::active_parts).sum();
        let workers_busy = self.settings.item_block_workers.is_some_and(|workers| busy >= workers as usize);
        let had_ms = round.share_since.map_or(0, |(_, since)| now.mono.ms_since(since));
        let quiet_ms = now.mono.ms_since(round.last_active).min(had_ms);
        (workers_busy && had_ms >= SHARE_KEPT_MS) || quiet_ms >= self.settings.barrier_stall_ms
    }

    /// Whether the write that lets a round rest is on its way: until its answer is here, nobody is admitted under that number.
    pub(crate) fn rest_under_way(&self, key: &GroupKey, epoch: Epoch) -> bool {
        match self.writes.under_way(&Target::Group(key.clone())) {
            Some(Command::UpdateGroup(lease, _)) => lease.phase == RoundPhase::Waiting && lease.epoch == epoch,
            _ => false,
        }
    }
}
