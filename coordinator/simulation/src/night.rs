//! One night: Velero's tick, its queue, and what happens when.
//!
//! Rules as seen on Velero 1.18.3: Schedules are looked at on a 60 s tick, all that are due in the same second; one Backup of a namespace at a
//! time; with one Backup at a time a hand-over is lost in a third of the cases and made good by the recheck a minute later. What a Backup does between its start and
//! its end is in `round.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use coordinator_core::throttle::limiter::Usage;

use crate::contender::{Budget, Contender};
use crate::dice::Dice;
use crate::ec2::Account;
use crate::outcome::Outcome;
use crate::round::{Run, Step};
use crate::scenario::Scenario;

/// After so many minutes a night is given up: what has not ended has missed its window.
pub const HORIZON_MIN: usize = 2 * 1_440;
const HORIZON_MS: u64 = HORIZON_MIN as u64 * 60_000;
/// Velero looks at Schedules this often, ms.
const TICK_MS: u64 = 60_000;
/// A Backup's way from Queued to the first hook, ms: lists and the archive's beginning.
const BEGIN_MS: u64 = 2_000;
/// The next Backup begins this long after one left InProgress, ms, when the hand-over is not lost.
const HAND_OVER_MS: u64 = 1_500;
/// A lost hand-over is made good by this periodic recheck, ms.
const RECHECK_MS: u64 = 60_000;
/// Hand-overs that are lost with one Backup at a time: one in so many (3 of 9, seen).
const LOST_ONE_IN: u64 = 3;
/// The coordinator looks this often, ms, while anything is under way.
const LOOK_MS: u64 = 1_000;
/// The driver is scraped this often, ms.
const SCRAPE_MS: u64 = 15_000;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// Velero looks at Schedules.
    Tick,
    /// Velero looks at its queue.
    Queue,
    /// The coordinator looks.
    Look,
    /// The coordinator scrapes the driver.
    Scrape,
    /// Something of a run; the second number says of which volume, where that matters.
    Of(usize, u32, Step),
}

/// A night that runs.
pub(crate) struct Night<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) account: Account,
    pub(crate) budget: Budget,
    pub(crate) dice: Dice,
    pub(crate) outcome: Outcome,
    pub(crate) runs: Vec<Run>,
    /// Runs whose first hook waits, in order of arrival.
    pub(crate) asking: VecDeque<usize>,
    /// Volumes of running rounds.
    pub(crate) granted: u32,
    /// Snapshots that are pending and that no grant counts.
    pub(crate) pending: u32,
    pub(crate) now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sent: u64,
    /// (due, run), not due yet, soonest last.
    due: Vec<(u64, usize)>,
    queue: VecDeque<usize>,
    running: u32,
    busy: BTreeSet<u32>,
    /// Runs that are not over.
    open: usize,
}

/// Plays a night to its end.
pub fn play(scenario: &Scenario, contender: Contender) -> Outcome {
    let mut night = Night::new(scenario, contender);
    while night.open > 0
        && let Some(Reverse((at, _, event))) = night.events.pop()
        && at < HORIZON_MS
    {
        night.now = at;
        night.handle(event);
    }
    night.finish()
}

impl<'a> Night<'a> {
    fn new(scenario: &'a Scenario, contender: Contender) -> Self {
        let mut runs = Vec::new();
        let mut due = Vec::new();
        let mut first_volume = 0;
        for (n, group) in scenario.groups.iter().enumerate() {
            for at in &group.due_ms {
                due.push((*at, runs.len()));
                runs.push(Run::new(n, first_volume));
            }
            first_volume += u32::try_from(group.changed_mib.len()).unwrap_or(0);
        }
        due.sort_unstable_by(|a, b| b.cmp(a));
        let mut dice = Dice::new(scenario.seed);
        let tick = dice.below(TICK_MS);
        let budget = Budget::new(contender, scenario.limits.pending_per_account);
        let outcome = Outcome {
            runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
            limits: vec![(0, budget.limit())],
            ..Outcome::default()
        };
        let mut night = Self {
            scenario,
            account: Account::new(scenario.limits, scenario.neighbours.clone(), scenario.seed ^ 0x006e_6569),
            budget,
            dice,
            outcome,
            open: runs.len(),
            runs,
            asking: VecDeque::new(),
            granted: 0,
            pending: 0,
            now: 0,
            events: BinaryHeap::new(),
            sent: 0,
            due,
            queue: VecDeque::new(),
            running: 0,
            busy: BTreeSet::new(),
        };
        night.send(tick, Event::Tick);
        night.send(0, Event::Scrape);
        night.send(0, Event::Look);
        night
    }

    /// Lets something happen in a while.
    pub(crate) fn send(&mut self, after_ms: u64, event: Event) {
        self.sent += 1;
        self.events.push(Reverse((self.now + after_ms, self.sent, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Tick => {
                while let Some((_, run)) = self.due.pop_if(|(at, _)| *at <= self.now) {
                    self.queue.push_back(run);
                }
                self.start();
                if !self.due.is_empty() {
                    self.send(TICK_MS, Event::Tick);
                }
            }
            Event::Queue => self.start(),
            Event::Look => {
                let usage = self.usage();
                self.outcome.note_use(self.now, usage.volumes);
                self.budget.look(usage, &self.outcome.throttled_by_minute, self.now);
                self.note_limit();
                self.admit();
                self.send(LOOK_MS, Event::Look);
            }
            Event::Scrape => {
                self.budget.scrape(self.now);
                self.send(SCRAPE_MS, Event::Scrape);
            }
            Event::Of(run, volume, step) => self.step(run, volume, step),
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { volumes: self.granted.saturating_add(self.pending), waited_for: !self.asking.is_empty() }
    }

    pub(crate) fn note_limit(&mut self) {
        let limit = self.budget.limit();
        if self.outcome.limits.last().is_none_or(|(_, last)| *last != limit) {
            self.outcome.limits.push((self.now, limit));
        }
    }

    /// Velero begins what it may, in the order of the queue.
    fn start(&mut self) {
        while self.running < self.scenario.concurrent_backups {
            let namespace = |run: &usize| self.scenario.groups[self.runs[*run].group].namespace;
            let Some(place) = self.queue.iter().position(|run| !self.busy.contains(&namespace(run))) else { return };
            let Some(run) = self.queue.remove(place) else { return };
            self.busy.insert(self.scenario.groups[self.runs[run].group].namespace);
            self.running += 1;
            self.send(BEGIN_MS, Event::Of(run, 0, Step::Arrive));
        }
    }

    /// A Backup left InProgress.
    pub(crate) fn left(&mut self, run: usize) {
        self.running -= 1;
        self.busy.remove(&self.scenario.groups[self.runs[run].group].namespace);
        let is_lost = self.scenario.concurrent_backups == 1 && self.dice.below(LOST_ONE_IN) == 0;
        let after_ms = if is_lost { RECHECK_MS - self.now % RECHECK_MS } else { HAND_OVER_MS };
        self.send(after_ms, Event::Queue);
    }

    /// A run is over, its snapshots included.
    pub(crate) fn over(&mut self) {
        self.open -= 1;
        self.outcome.makespan_ms = self.now;
        if self.now > self.scenario.window_ms {
            self.outcome.missed_window += 1;
        }
    }

    fn finish(mut self) -> Outcome {
        if self.open > 0 {
            self.outcome.makespan_ms = HORIZON_MS;
            self.outcome.missed_window += u32::try_from(self.open).unwrap_or(u32::MAX);
        }
        self.outcome
    }
}

#[cfg(test)]
#[path = "night_tests.rs"]
mod tests;
