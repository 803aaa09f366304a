//! Who of a round goes on, and whether held still or not.

use std::collections::BTreeSet;

use shared::admission::{AttemptVerdict, MemberPhase, Mode};
use shared::identity::PodName;

use crate::round::{Lead, Part, Round};
use crate::time::Now;

impl Round {
    /// Whether hooks may go on: the round has its share, and in lead mode the residents were called.
    pub fn is_released(&self) -> bool {
        self.epoch.is_some() && (self.mode != Mode::Lead || self.lead == Lead::Over)
    }

    /// Admits every attempt that waits and may be held still, and who is still already because it was called.
    ///
    /// Where the policy lets only so many be held at once, the rest waits until one lets go. In one block of Velero's nobody lets go before all have
    /// gone on, so waiting could never be granted; there, and when a hook has waited for half of its time, it goes on without being held.
    pub fn admit(&mut self, one_block: bool, now: Now) {
        let mut held = self.held_or_admitted();
        let alive = self.parts.values().filter(|part| part.end.is_none());
        let alive: Vec<_> = alive
            .map(|part| {
                let allowed_ms = part.lease.deadline.ms_since(part.lease.registered_at).max(0).unsigned_abs();
                (part.lease.attempt.clone(), part.lease.phase == MemberPhase::Waiting, allowed_ms)
            })
            .collect();
        for (attempt, waits, allowed_ms) in alive {
            let waited_ms = self.arrivals.get(&attempt).map_or(0, |at| now.mono.ms_since(*at));
            let called = self.parts.values().any(|p| p.lease.attempt == attempt && p.lease.epoch == self.epoch);
            let Some(entry) = self.entries.get_mut(&attempt).filter(|e| e.verdict == AttemptVerdict::Waiting) else {
                continue;
            };
            let room = self.policy.frozen_max.is_none_or(|at_most| held < at_most as usize);
            if !waits {
                if called {
                    entry.verdict = AttemptVerdict::Admitted;
                }
            } else if room {
                entry.verdict = AttemptVerdict::Admitted;
                held += 1;
            } else if one_block || waited_ms >= allowed_ms / 2 {
                entry.verdict = AttemptVerdict::Admitted;
                entry.unheld = true;
            }
        }
    }

    /// Members that are held still, or were told that they may be.
    pub fn held_or_admitted(&self) -> usize {
        let will_hold = |part: &Part| {
            let told = self.entries.get(&part.lease.attempt);
            part.end.is_none()
                && part.lease.phase == MemberPhase::Waiting
                && told.is_some_and(|entry| entry.verdict == AttemptVerdict::Admitted && !entry.unheld)
        };
        self.parts.values().filter(|part| part.holds() || will_hold(part)).count()
    }

    /// Pods that the round admitted and of whose part nothing is known: their Leases were gone when this process began.
    pub fn forgotten(&self) -> BTreeSet<PodName> {
        let admitted = self.entries.values().filter(|entry| entry.verdict == AttemptVerdict::Admitted);
        admitted.map(|entry| entry.pod.clone()).filter(|pod| !self.parts.contains_key(pod)).collect()
    }

    /// Whether this pod was told to go on without being held still.
    pub fn is_unheld(&self, part: &Part) -> bool {
        self.entries.get(&part.lease.attempt).is_some_and(|entry| entry.unheld)
    }

    /// Whether somebody waits for the sake of [`HoldPolicy::frozen_max`](crate::policy::HoldPolicy::frozen_max).
    pub fn waits_for_others(&self) -> bool {
        let waits = |part: &Part| {
            self.entries.get(&part.lease.attempt).is_some_and(|entry| entry.verdict == AttemptVerdict::Waiting)
        };
        self.is_released() && self.waiting().any(waits)
    }
}
