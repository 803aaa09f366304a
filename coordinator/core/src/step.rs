//! One step of the coordinator: an event comes in, commands and notices go out.

use crate::command::Command;
use crate::event::Event;
use crate::limit::LOOK_WAKE_MS;
use crate::notice::Notice;
pub use crate::state::State;
use crate::throttle::evidence::Level;
use crate::time::Now;

/// With a round open, or a Backup's end to be judged, time itself is looked at this often, ms: stalls and ends are seen within a quarter of a second.
const WAKE_ACTIVE_MS: u64 = 250;
/// With none open, this often, ms: only collecting and retries wait for time.
const WAKE_IDLE_MS: u64 = 10_000;

/// What follows from an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// API calls to make, in any order; at most one per target is under way.
    pub commands: Vec<Command>,
    /// What to tell people.
    pub notices: Vec<Notice>,
    /// After this many ms without an event the shell sends [`Event::Tick`].
    pub wake_ms: u64,
}

/// Takes one event and decides from the whole state. Only a leader that has seen everything commands.
pub fn step(state: &mut State, event: Event, now: Now) -> Step {
    let mut notices = Vec::new();
    state.apply(event, now, &mut notices);
    let mut commands = Vec::new();
    if state.synced_at.is_some() {
        state.judge_ended_backups(now, &mut notices);
    }
    if state.synced_at.is_some() && state.leading {
        state.refresh_rounds(now, &mut notices);
        state.adopt_grants(now);
        state.conduct(now, &mut notices);
        let over = state.rounds_over(now);
        let waited_for = state.budget_is_waited_for(&over, now);
        if let Some(command) = state.decide_limit(waited_for, now, &mut notices) {
            state.writes.start(&command);
            commands.push(command);
        }
        if let Some(command) = state.decide_budget(&over, now) {
            state.writes.start(&command);
            commands.push(command);
        }
        let mut more = state.decide_groups(&over, now);
        more.extend(state.decide_labels(now));
        more.extend(state.decide_receipts(now));
        more.extend(state.collect(now));
        for command in more {
            state.writes.start(&command);
            commands.push(command);
        }
    }
    let wake_ms = state.wake_ms(now);
    Step { commands, notices, wake_ms }
}

impl State {
    /// Receipts that are still to be put onto their Backups.
    fn decide_receipts(&self, now: Now) -> Vec<Command> {
        self.receipts
            .iter()
            .filter(|(target, _)| self.writes.may_start(target, now.mono))
            .map(|(_, command)| command.clone())
            .collect()
    }

    fn wake_ms(&self, now: Now) -> u64 {
        let active = self.awaits_judgement() || self.groups.values().any(|record| record.round.is_some());
        let idle = match (active, self.limit.signals.contents.awaits_time()) {
            (true, _) => WAKE_ACTIVE_MS,
            (false, true) => LOOK_WAKE_MS,
            (false, false) => WAKE_IDLE_MS,
        };
        let retry = self.writes.next_retry(now.mono).map_or(u64::MAX, |at| at.ms_since(now.mono).max(1));
        // Who does not lead lets nobody go, and looks no more at what it once waited for.
        let rounds = self.groups.values().filter(|_| self.leading).filter_map(|record| record.round.as_ref());
        let let_go = rounds.filter_map(|round| round.lets_go_in_ms).min().unwrap_or(u64::MAX);
        idle.min(retry).min(let_go)
    }

    /// Numbers for metrics.
    pub fn gauges(&self, now: Now) -> Gauges {
        let rounds = || self.groups.values().filter_map(|record| record.round.as_ref());
        let budget = self.budget.content();
        Gauges {
            groups: self.world.groups().count(),
            rounds_open: rounds().count(),
            rounds_queued: rounds().filter(|round| round.epoch.is_none()).count(),
            members_waiting: rounds().map(|round| round.waiting().count()).sum(),
            volumes_granted: budget.map_or(0, shared::budget_lease::BudgetLease::granted),
            volumes_limit: self.limit(),
            volumes_max: self.settings.max_concurrent_snapshots,
            snapshots_pending: self.limit.signals.contents.pending(now.mono).count(),
            level: self.signals().0.level,
        }
    }
}

/// Numbers for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Groups that have pods.
    pub groups: usize,
    /// Rounds that are open.
    pub rounds_open: usize,
    /// … of which wait for their grant.
    pub rounds_queued: usize,
    /// Hooks that wait.
    pub members_waiting: usize,
    /// Volumes that the grants count.
    pub volumes_granted: u32,
    /// The budget, volumes.
    pub volumes_limit: u32,
    /// The most that it may be, volumes.
    pub volumes_max: u32,
    /// Snapshots that are seen not to be ready.
    pub snapshots_pending: usize,
    /// What all signals say together.
    pub level: Level,
}
