//! From jobs and the live plan to a place for every job, with the reason for it.

use super::improve::improve;
use super::keep::{Kept, clock_shift_min, keep};
use super::ledger::Ledger;
use super::live::LivePlan;
use super::night::Night;
use super::place::place_all;
use super::plan::Reason;

/// One moved group for each that changed is natural; a few more make room for a large one. This bounds I7's `c`.
const MOVES_PER_CHANGE: usize = 4;

/// A place for every job.
#[derive(Clone, Debug)]
pub(super) struct Draft<'n, 'l> {
    pub ledger: Ledger<'n>,
    pub reasons: Vec<Reason>,
    pub kept: Kept<'l>,
}

/// Fixed times first; then everything stays where it can; then the rest is placed, the heaviest first; then single moves, while
/// each makes the whole better. Only what changed justifies moving what stayed: when nothing did, nothing moves.
pub(super) fn arrange<'n, 'l>(night: &'n Night<'n>, live: &'l LivePlan) -> Draft<'n, 'l> {
    let kept = keep(night, live);
    let mut ledger = Ledger::new(&night.jobs, night.domains);
    let (mut reasons, mut queue) = (Vec::with_capacity(night.jobs.len()), Vec::new());
    for (n, job) in night.jobs.iter().enumerate() {
        let place = job.fixed.or(kept.at[n]);
        reasons.push(match (job.fixed, kept.at[n], kept.live[n]) {
            (Some(_), _, _) => Reason::Fixed,
            (None, Some(_), Some(slot)) if clock_shift_min(slot, night) != 0 => Reason::ClocksChanged,
            (None, Some(_), _) => Reason::Kept,
            (None, None, Some(_)) => Reason::WindowChanged,
            (None, None, None) if job.demand.priority == 0 => Reason::Placed,
            (None, None, None) => Reason::ByPriority,
        });
        match place {
            Some(at) => ledger.put(n, at),
            None => queue.push(n),
        }
    }
    place_all(night, &mut ledger, queue);
    let moves_max = kept.changes.saturating_mul(MOVES_PER_CHANGE);
    improve(night, &mut ledger, &kept, &mut reasons, moves_max);
    Draft { ledger, reasons, kept }
}
