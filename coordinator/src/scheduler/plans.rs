//! When it is planned, and what is written for a plan: Schedules first, then claims' labels.

use std::sync::Arc;
use std::time::Duration;

use coordinator_core::schedule_apply::{Action, actions};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::found::Found;
use super::tell::Teller;
use super::{Scheduler, claim_labels, look, write};
use crate::cli::ScheduleFlags;
use crate::clock::Clock;
use crate::error_chain::chain;
use crate::plan::cluster::ClusterError;
use crate::plan::made::{Made, MakeError};

/// After a change of the inventory this long is waited for more of them, ms: a rollout of a StatefulSet takes minutes, its claims come at once.
const SETTLE_MS: u64 = 10_000;

/// Plans are at least this far apart, ms: a plan of a large cluster takes a second of a processor, and lists every Schedule.
const PLAN_GAP_MIN_MS: u64 = 30_000;

/// After a failure it is tried again this soon, ms.
const RETRY_MS: u64 = 15_000;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPlan {
    /// The cluster could not be read.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The settings allow none, or it is wrong.
    #[error(transparent)]
    Make(#[from] MakeError),
}

impl Scheduler {
    /// Plans as often as is asked for, and soon after what is backed up has changed. It ends with the process.
    pub(super) async fn keep_planned(&self) {
        let mut teller = self.teller();
        let (mut leading, mut inventory) = (self.leading.clone(), self.inventory.clone());
        let mut plan_at = Instant::now();
        let mut planned_at: Option<Instant> = None;
        loop {
            let leads = *leading.borrow_and_update();
            tokio::select! {
                biased;
                changed = leading.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    teller.forget();
                    // Another one plans from now on, or has: what this process knew grows old unseen.
                    self.word.send_modify(|word| (word.planned, word.failure) = (None, None));
                    (plan_at, planned_at) = (Instant::now(), None);
                    inventory.borrow_and_update();
                }
                changed = inventory.changed(), if leads => {
                    if changed.is_err() {
                        return;
                    }
                    let settled = Instant::now() + Duration::from_millis(SETTLE_MS);
                    let gap = planned_at.map(|at| at + Duration::from_millis(PLAN_GAP_MIN_MS));
                    plan_at = plan_at.min(gap.map_or(settled, |gap| gap.max(settled)));
                }
                () = sleep_until(plan_at), if leads => {
                    let now = Instant::now();
                    planned_at = Some(now);
                    let done = self.plan(&mut teller).await;
                    plan_at = now + Duration::from_millis(if done { self.every_ms } else { RETRY_MS.min(self.every_ms) });
                }
            }
        }
    }

    /// Plans and applies; whether all of it was done.
    async fn plan(&self, teller: &mut Teller) -> bool {
        let Some(made) = self.made().await else { return false };
        self.show(&made);
        match made {
            Ok(found) => {
                teller.planned(&found);
                let empty = found.empty(self.flags.resource_label_selector.as_ref());
                let mut actions = actions(found.schedules, &found.changes);
                // What is empty for another reason than an empty cluster must not cost anybody's backups.
                if let Some(empty) = empty {
                    let removed = actions.extract_if(.., |action| matches!(action, Action::Remove { .. })).count();
                    teller.keeps_all(empty, removed);
                }
                let (client, leading) = (&self.client, &self.leading);
                let schedules = write::all(client, &self.flags.velero_namespace, actions, leading, teller).await;
                let claims = claim_labels::all(client, found.claim_labels, leading, teller).await;
                schedules && claims
            }
            Err(NoPlan::Cluster(error)) => teller.unreadable(&error),
            Err(NoPlan::Make(error)) => teller.no_plan(&error),
        }
    }

    /// A plan, or why there is none. Nothing when the process ends.
    pub(super) async fn made(&self) -> Option<Result<Found, NoPlan>> {
        let mut flags = ScheduleFlags::clone(&self.flags);
        flags.max_concurrent_snapshots = flags.max_concurrent_snapshots.min(*self.budget.borrow());
        let (client, runtime) = (self.client.clone(), Handle::current());
        let watched = match self.watched.facts().await {
            Ok(watched) => watched?,
            Err(error) => return Some(Err(error.into())),
        };
        // A large cluster's plan takes a second, in which nothing else may stand still. Schedules are read by the same thread: what one
        // thread takes and another frees, allocators keep.
        let made = tokio::task::spawn_blocking(move || -> Result<Found, NoPlan> {
            let facts = runtime.block_on(look::everything(watched, &client, &flags.velero_namespace))?;
            let made = Made::new(&facts, &flags, None, Timestamp::now())?;
            Ok(Found::new(made, &facts, Clock::wall()))
        });
        // Cancelled: the process ends.
        made.await.ok()
    }

    /// Leaves it for those who look.
    pub(super) fn show(&self, made: &Result<Found, NoPlan>) {
        self.word.send_modify(|word| match made {
            Ok(found) => (word.planned, word.failure) = (Some(Arc::clone(&found.planned)), None),
            Err(error) => word.failure = Some(chain(error)),
        });
    }
}
