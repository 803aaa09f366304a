//! The one task that owns the state: takes news in, lets the core decide, starts what it commands, says what it notices.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coordinator_core::event::Event;
use coordinator_core::settings::Settings;
use coordinator_core::step::{State, Step, step};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::execute::Executor;
use crate::health::{Health, TURN_MS_MAX};
use crate::input::Input;
use crate::kind::Kind;
use crate::log::{EventType, Fields, Log, Repeats, tell};
use crate::metrics::Metrics;
use crate::page::{Seen, Shown};
use crate::publish::Publisher;
use crate::signals::{Stop, stopped};
use crate::watched::Asked;

/// The shortest sleep, ms: a decision that wants to be woken at once, for ever, must not take a whole processor. News
/// interrupt a sleep; what waits for time alone waits for 250 ms and more (stalls, retries), but for the last cut's end, for which pods are held.
const SLEEP_MS_MIN: u64 = 5;

/// Gauges are counted anew at most this often, ms: counting looks at every group.
const GAUGES_MS: u64 = 1_000;

/// What the loop works with.
pub struct Tools {
    /// Clock.
    pub clock: Clock,
    /// Who carries commands out.
    pub executor: Executor,
    /// Lines.
    pub log: Log,
    /// Metrics.
    pub metrics: Metrics,
    /// Alive, ready.
    pub health: Health,
    /// Who tells users.
    pub publisher: Publisher,
    /// What those who look get to see.
    pub shown: Shown,
    /// Who plans asks here for what there is to back up.
    pub asked: Asked,
}

/// The loop.
pub struct EngineLoop {
    state: State,
    tools: Tools,
    /// Kinds whose first list is still to come.
    awaited: BTreeSet<Kind>,
    /// Optional kinds that can be read now.
    present: BTreeSet<Kind>,
    workers: Option<u32>,
    wake_ms: u64,
    gauges_at: Option<Instant>,
    repeats: Repeats,
    told: Told,
}

/// What others wait for.
#[derive(Debug)]
pub struct Told {
    /// Becomes true once all first lists are in.
    pub synced: watch::Sender<bool>,
    /// Whether this process leads.
    pub leading: watch::Sender<bool>,
    /// Changes whenever what is to be backed up may have.
    pub inventory: watch::Sender<u64>,
    /// What the next plan should reckon with, volumes.
    pub plan_budget: watch::Sender<u32>,
}

impl EngineLoop {
    /// A loop that decides once all `awaited` kinds are listed.
    pub fn new(settings: Settings, tools: Tools, awaited: BTreeSet<Kind>, told: Told) -> Self {
        let workers = settings.item_block_workers;
        Self {
            state: State::new(settings),
            tools,
            awaited,
            present: BTreeSet::new(),
            workers,
            wake_ms: TURN_MS_MAX,
            gauges_at: None,
            repeats: Repeats::default(),
            told,
        }
    }

    /// Runs until the process is asked to stop.
    pub async fn run(mut self, mut inbox: Receiver<Input>, stop: Stop) {
        let mut stop = std::pin::pin!(stopped(stop));
        loop {
            self.tools.health.turn();
            let sleep = Duration::from_millis(self.wake_ms.clamp(SLEEP_MS_MIN, TURN_MS_MAX));
            let input = tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.tools.shown.asked() => {
                    self.show();
                    continue;
                }
                input = timeout(sleep, inbox.recv()) => input,
                // After the news that wait: whoever plans is to see all that was told before it asked.
                give = self.tools.asked.next(), if self.awaited.is_empty() => {
                    // Whoever asked may have gone.
                    drop(give.send(self.state.facts()));
                    continue;
                }
            };
            match input {
                Ok(Some(input)) => self.take(input),
                // Every sender is gone only when the process ends.
                Ok(None) => return,
                Err(_elapsed) => self.step(Event::Tick),
            }
            self.count();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.step(*event),
            Input::Events(events) => events.into_iter().for_each(|event| self.step(event)),
            Input::Listed(kind) => {
                if kind == Kind::VeleroServer && self.workers.is_none() {
                    self.say_workers();
                }
                if self.awaited.remove(&kind) && self.awaited.is_empty() {
                    self.synced();
                }
            }
            Input::Present(kind, present) => {
                if present {
                    self.present.insert(kind);
                } else {
                    self.present.remove(&kind);
                }
                self.learn();
            }
            Input::Workers(workers) => {
                if workers != self.workers {
                    self.workers = workers;
                    self.say_workers();
                    self.learn();
                }
            }
            Input::StrayLease(message) => {
                self.tools.metrics.stray_lease();
                self.tools.log.say(EventType::LeaseInvalid, &message, &Fields::new());
            }
        }
    }

    fn say_workers(&self) {
        let said = self.workers.map_or_else(
            || {
                "unknown (no Deployment velero to be read in Velero's namespace, or its flag is no number): barriers only \
                 where a workload asks for one; --item-block-worker-count sets it"
                    .to_owned()
            },
            |workers| workers.to_string(),
        );
        let fields = Fields::from_iter([("workers".to_owned(), Value::from(self.workers))]);
        self.tools.log.say(EventType::VeleroWorkers, &format!("Velero's item block workers: {said}"), &fields);
    }

    /// Tells the core what was found out, and lets it decide anew.
    fn learn(&mut self) {
        let cuts_visible = [Kind::Snapshots, Kind::SnapshotContents].iter().all(|kind| self.present.contains(kind));
        let backups_visible = self.present.contains(&Kind::Backups);
        self.state.learn(self.workers, cuts_visible, backups_visible);
        self.step(Event::Tick);
    }

    fn synced(&mut self) {
        self.step(Event::Synced);
        self.tools.health.synced();
        self.tools.metrics.synced();
        let seen: Vec<&str> = self.present.iter().map(|kind| kind.resource()).collect();
        let fields = Fields::from_iter([("optional".to_owned(), Value::from(seen))]);
        self.tools.log.say(EventType::Synced, "all first lists are in", &fields);
        self.told.synced.send_replace(true);
    }

    fn step(&mut self, event: Event) {
        if let Event::Leading(leads) = &event {
            self.told.leading.send_if_modified(|known| std::mem::replace(known, *leads) != *leads);
        }
        let Step { commands, notices, wake_ms } = step(&mut self.state, event, self.tools.clock.now());
        self.wake_ms = wake_ms;
        let budget = self.state.plan_budget();
        self.told.plan_budget.send_if_modified(|known| std::mem::replace(known, budget) != budget);
        let changes = self.state.inventory_changes();
        self.told.inventory.send_if_modified(|known| std::mem::replace(known, changes) != changes);
        for command in commands {
            self.tools.executor.start(command);
        }
        for notice in &notices {
            tell(&self.tools.log, &mut self.repeats, notice);
            self.tools.metrics.told(notice);
            for report in self.state.reports(notice) {
                self.tools.publisher.offer(report);
            }
        }
    }

    fn show(&self) {
        let synced = self.awaited.is_empty();
        self.tools.shown.show(|| Seen::of(&self.state, synced, &self.present, self.tools.clock.now()));
    }

    fn count(&mut self) {
        if self.gauges_at.is_none_or(|at| at.elapsed() >= Duration::from_millis(GAUGES_MS)) {
            self.gauges_at = Some(Instant::now());
            self.tools.metrics.gauges(self.state.gauges(self.tools.clock.now()));
            self.tools.metrics.signals(self.state.signals().1);
        }
    }
}
