//! `coordinator run`'s stagger scheduler: looks at the cluster, plans, and keeps one Schedule a group true to the plan. Only the leader does.

mod claim_labels;
mod found;
mod look;
mod tell;
mod write;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::cli::{ScheduleFlags, SchedulesMode};
use crate::clock::Clock;
use crate::error_chain::chain;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::page::{SchedulerWord, held_up};
use crate::plan::cluster::ClusterError;
use crate::plan::made::{Made, MakeError};
use crate::publish::Publisher;
use crate::signals::{Stop, stopped};
use crate::watched::Watched;
use coordinator_core::schedule_apply::{Action, actions, breaker, missed};
use found::Found;
use tell::Teller;

/// After a change of the inventory this long is waited for more of them, ms: a rollout of a StatefulSet takes minutes, its claims come at once.
const SETTLE_MS: u64 = 10_000;

/// Plans are at least this far apart, ms: a plan of a large cluster takes a second of a processor, and lists every Schedule.
const PLAN_GAP_MIN_MS: u64 = 30_000;

/// How often running Backups and missed runs are looked at, ms: as often as Velero looks at its Schedules.
const WATCH_OVER_MS: u64 = 60_000;

/// After a failure it is tried again this soon, ms.
const RETRY_MS: u64 = 15_000;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
enum NoPlan {
    /// The cluster could not be read.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The settings allow none, or it is wrong.
    #[error(transparent)]
    Make(#[from] MakeError),
}

/// What the scheduler works with.
pub struct Scheduler {
    /// The API server.
    pub client: Client,
    /// When, and what.
    pub flags: Arc<ScheduleFlags>,
    /// Whether it writes.
    pub mode: SchedulesMode,
    /// A plan is made at least this often, ms.
    pub every_ms: u64,
    /// Lines.
    pub log: Log,
    /// Metrics.
    pub metrics: Metrics,
    /// Who tells users.
    pub publisher: Publisher,
    /// Whether this process leads.
    pub leading: watch::Receiver<bool>,
    /// Changes whenever what is to be backed up may have.
    pub inventory: watch::Receiver<u64>,
    /// What is to be backed up.
    pub watched: Watched,
    /// What to reckon with, volumes: less than the setting where the account has been hot for days.
    pub budget: watch::Receiver<u32>,
    /// What is shown of all this.
    pub word: watch::Sender<SchedulerWord>,
}

impl Scheduler {
    /// Runs until the process is asked to stop.
    pub async fn run(mut self, stop: Stop) {
        self.word.send_modify(|word| word.mode = self.mode.word());
        if self.mode == SchedulesMode::Off {
            return;
        }
        let mut stop = std::pin::pin!(stopped(stop));
        let mut teller = Teller::new(self.log.clone(), self.metrics.clone(), self.publisher.clone(), self.mode);
        let (mut plan_at, mut watch_at) = (Instant::now(), Instant::now());
        let mut planned_at: Option<Instant> = None;
        loop {
            let leads = *self.leading.borrow_and_update();
            let next = plan_at.min(watch_at);
            tokio::select! {
                biased;
                () = &mut stop => return,
                changed = self.leading.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    teller.forget();
                    // Another one plans from now on, or has: what this process knew grows old unseen.
                    self.word.send_replace(SchedulerWord { mode: self.mode.word(), ..SchedulerWord::default() });
                    (plan_at, watch_at, planned_at) = (Instant::now(), Instant::now(), None);
                    self.inventory.borrow_and_update();
                }
                changed = self.inventory.changed(), if leads => {
                    if changed.is_err() {
                        return;
                    }
                    let settled = Instant::now() + Duration::from_millis(SETTLE_MS);
                    let gap = planned_at.map(|at| at + Duration::from_millis(PLAN_GAP_MIN_MS));
                    plan_at = plan_at.min(gap.map_or(settled, |gap| gap.max(settled)));
                }
                () = sleep_until(next), if leads => {
                    let now = Instant::now();
                    if plan_at <= now {
                        planned_at = Some(now);
                        let done = self.plan(&mut teller).await;
                        plan_at = now + Duration::from_millis(if done { self.every_ms } else { RETRY_MS.min(self.every_ms) });
                    }
                    if watch_at <= now {
                        self.watch_over(&mut teller).await;
                        watch_at = now + Duration::from_millis(WATCH_OVER_MS.min(self.every_ms));
                    }
                }
            }
        }
    }

    /// Plans and applies; whether all of it was done.
    async fn plan(&self, teller: &mut Teller) -> bool {
        let mut flags = ScheduleFlags::clone(&self.flags);
        flags.max_concurrent_snapshots = flags.max_concurrent_snapshots.min(*self.budget.borrow());
        let (client, runtime) = (self.client.clone(), Handle::current());
        let watched = match self.watched.facts().await {
            Ok(Some(watched)) => watched,
            // The process ends.
            Ok(None) => return false,
            Err(error) => {
                self.word.send_modify(|word| word.failure = Some(chain(&error)));
                return teller.unreadable(&error);
            }
        };
        // A large cluster's plan takes a second, in which nothing else may stand still. Schedules are read by the same thread: what one
        // thread takes and another frees, allocators keep.
        let made = tokio::task::spawn_blocking(move || -> Result<Found, NoPlan> {
            let facts = runtime.block_on(look::everything(watched, &client, &flags.velero_namespace))?;
            let made = Made::new(&facts, &flags, None, Timestamp::now())?;
            Ok(Found::new(made, &facts, Clock::wall()))
        });
        match made.await {
            Ok(Ok(found)) => {
                teller.planned(&found);
                let planned = Some(Arc::clone(&found.planned));
                self.word.send_modify(|word| (word.planned, word.failure) = (planned, None));
                let mut actions = actions(found.schedules, &found.changes);
                if found.volumes == 0 {
                    // A list that is empty for another reason than an empty cluster must not cost anybody's backups.
                    teller.keeps_all(actions.extract_if(.., |action| matches!(action, Action::Remove { .. })).count());
                }
                let (client, leading) = (&self.client, &self.leading);
                let schedules = write::all(client, &self.flags.velero_namespace, actions, leading, teller).await;
                let claims = claim_labels::all(client, found.claim_labels, leading, teller).await;
                schedules && claims
            }
            Ok(Err(error)) => {
                self.word.send_modify(|word| word.failure = Some(chain(&error)));
                match error {
                    NoPlan::Cluster(error) => teller.unreadable(&error),
                    NoPlan::Make(error) => teller.no_plan(&error),
                }
            }
            // Cancelled: the process ends.
            Err(_) => false,
        }
    }

    async fn watch_over(&self, teller: &mut Teller) {
        match look::schedules(&self.client, &self.flags.velero_namespace).await {
            Ok(facts) => {
                let now = Clock::wall();
                let missed = missed::decide(&facts, &self.flags.velero_namespace, now);
                teller.missed(&missed);
                let held_up = held_up(&facts, &self.flags.velero_namespace);
                self.word.send_modify(|word| (word.missed, word.held_up) = (missed, held_up));
                let actions = breaker::decide(&facts, &self.flags.velero_namespace, now);
                write::all(&self.client, &self.flags.velero_namespace, actions, &self.leading, teller).await;
            }
            Err(error) => {
                teller.unreadable(&error);
            }
        }
    }
}
