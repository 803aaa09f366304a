//! Velero's queue, played through: when does each run really begin?

use std::collections::BTreeSet;

use shared::identity::Namespace;

use super::runs::{DAY_S, PlannedRun};
use crate::schedule::plan::QUEUE_NEVER_S;

/// Velero looks at its queue once a minute.
const TICK_S: u32 = 60;

/// Waits of the second day, s, in the order of `runs`; the first day only fills the queue, the third lets it empty.
pub(super) fn waits_s(runs: &[PlannedRun], concurrent_backups: u32) -> Vec<u32> {
    let mut by_time: Vec<usize> = (0..runs.len()).collect();
    by_time.sort_by_key(|n| runs[*n].due_s());
    let mut arrivals = (0..3 * DAY_S)
        .step_by(DAY_S as usize)
        .flat_map(|midnight| by_time.iter().map(move |n| (midnight, *n)))
        .peekable();
    let mut waits = vec![QUEUE_NEVER_S; runs.len()];
    let mut running: Vec<(u32, usize)> = Vec::new();
    let mut queue: Vec<(u32, usize)> = Vec::new();
    for now in (0..3 * DAY_S).step_by(TICK_S as usize) {
        running.retain(|(end, _)| *end > now);
        while let Some((midnight, n)) = arrivals.next_if(|(midnight, n)| midnight + runs[*n].due_s() <= now) {
            queue.push((midnight + runs[n].due_s(), n));
        }
        if queue.is_empty() {
            continue;
        }
        let mut taken: BTreeSet<&Namespace> = running.iter().map(|(_, n)| runs[*n].namespace()).collect();
        let mut begun = BTreeSet::new();
        for (place, (due, n)) in queue.iter().enumerate() {
            if running.len() >= concurrent_backups as usize {
                break;
            }
            // Whoever waits keeps its namespace from those behind it.
            if taken.insert(runs[*n].namespace()) {
                running.push((now + runs[*n].held_s, *n));
                begun.insert(place);
                if (DAY_S..2 * DAY_S).contains(due) && now - due < DAY_S {
                    waits[*n] = now - due;
                }
            }
        }
        let mut place = 0;
        queue.retain(|_| {
            place += 1;
            !begun.contains(&(place - 1))
        });
    }
    waits
}
