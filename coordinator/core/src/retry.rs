//! Which writes are under way, and when one that failed may be tried again.

use std::collections::BTreeMap;

use crate::command::{Command, Target};
use crate::event::Outcome;
use crate::time::Mono;

/// The first pause after a failed write, ms; it doubles with each further failure.
const PAUSE_FIRST_MS: u64 = 250;
/// The longest pause of a write that hooks wait for, ms: below the time after which a hook gives the coordinator up.
const PAUSE_MAX_MS: u64 = 8_000;
/// The longest pause of the write that remembers the limit, ms: it is in force without it, and a restart would forget it.
const PAUSE_LIMIT_MAX_MS: u64 = 60_000;
/// The longest pause of any other write, ms. Where the right to label pods is missing, thousands of pods fail for as long
/// as it is missing; nobody waits for them.
const PAUSE_UNHURRIED_MAX_MS: u64 = 600_000;

#[derive(Clone, Debug)]
struct Failures {
    count: u32,
    not_before: Mono,
}

/// Writes under way and writes that failed.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    under_way: BTreeMap<Target, Command>,
    failed: BTreeMap<Target, Failures>,
}

impl Writes {
    /// Whether a write to this target may start now.
    pub fn may_start(&self, target: &Target, now: Mono) -> bool {
        !self.under_way.contains_key(target) && self.failed.get(target).is_none_or(|f| now >= f.not_before)
    }

    /// Notes that a command is on its way.
    pub fn start(&mut self, command: &Command) {
        self.under_way.insert(command.target(), command.clone());
    }

    /// The command that is on its way to a target.
    pub fn under_way(&self, target: &Target) -> Option<&Command> {
        self.under_way.get(target)
    }

    /// How many writes are under way that `matches` picks.
    pub fn count(&self, matches: impl Fn(&Target) -> bool) -> usize {
        self.under_way.keys().filter(|target| matches(target)).count()
    }

    /// Notes how a command ended and gives it back. A conflict is no failure: the other writer's object has been read and
    /// the next decision rests on it.
    pub fn end(&mut self, target: &Target, outcome: &Outcome, now: Mono) -> Option<Command> {
        match outcome {
            Outcome::Written(_) | Outcome::Conflict => {
                self.failed.remove(target);
            }
            Outcome::Failed { .. } => {
                let count = self.failed.get(target).map_or(0, |f| f.count).saturating_add(1);
                let longest = match target {
                    Target::Budget | Target::Group(_) => PAUSE_MAX_MS,
                    Target::Limiter => PAUSE_LIMIT_MAX_MS,
                    Target::Pod(_) | Target::StaleLease(_) | Target::Receipt(..) => PAUSE_UNHURRIED_MAX_MS,
                };
                let pause = PAUSE_FIRST_MS.saturating_mul(1 << (count - 1).min(16)).min(longest);
                self.failed.insert(target.clone(), Failures { count, not_before: now.plus_ms(pause) });
            }
        }
        self.under_way.remove(target)
    }

    /// Forgets a target's failures, because what was to be written there is no longer wanted.
    pub fn forget(&mut self, target: &Target) {
        self.failed.remove(target);
    }

    /// How often a target failed in a row.
    pub fn failures(&self, target: &Target) -> u32 {
        self.failed.get(target).map_or(0, |f| f.count)
    }

    /// The earliest time to come at which a failed write may be tried again. (What could be tried already and was not is no
    /// longer wanted.)
    pub fn next_retry(&self, now: Mono) -> Option<Mono> {
        self.failed.values().map(|f| f.not_before).filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded_and_one_write_a_target_is_under_way() {
        let mut writes = Writes::default();
        let target = Target::Budget;
        let failed = Outcome::Failed { refused: false, message: "500".into() };
        let mut now = Mono(0);
        let mut pauses = vec![];
        for _ in 0..8 {
            assert!(writes.may_start(&target, now));
            writes.end(&target, &failed, now);
            assert!(!writes.may_start(&target, now));
            let next = writes.next_retry(now).unwrap();
            pauses.push(next.ms_since(now));
            now = next;
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
        let key = crate::objects::ObjectKey { namespace: "prod".parse().unwrap(), name: "l".into() };
        let unhurried = Target::StaleLease(key);
        (0..20).for_each(|_| drop(writes.end(&unhurried, &failed, now)));
        assert!(
            !writes.may_start(&unhurried, now.plus_ms(599_999)) && writes.may_start(&unhurried, now.plus_ms(600_000))
        );

        writes.end(&target, &Outcome::Conflict, now);
        assert!(writes.may_start(&target, now) && writes.failures(&target) == 0);
    }
}
