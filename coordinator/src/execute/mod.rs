//! Turns each command into one API call, and what came of it into events. Nothing is decided here.

mod backups;
mod call;
mod leases;
mod pods;
mod refusals;

use std::sync::Arc;
use std::time::Duration;

use coordinator_core::command::Command;
use coordinator_core::event::{Event, Outcome};
use kube::Client;
use shared::identity::Namespace;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::input::{Inbox, Input};
pub use call::bounded;
pub use refusals::Refusals;

/// Writes under way at once. A night's start releases tens of groups in one moment; more than this only queue in the
/// API server, whose default is a few hundred for all its clients.
const WRITES_MAX: u32 = 32;

/// What a write came to: events that must be told before its outcome, and the outcome.
pub struct Done {
    events: Vec<Event>,
    outcome: Outcome,
}

/// Carries commands out, side by side.
#[derive(Clone)]
pub struct Executor {
    client: Client,
    namespace: Namespace,
    inbox: Inbox,
    slots: Arc<Semaphore>,
    refusals: Arc<Refusals>,
}

impl Executor {
    /// An executor that tells `inbox`; `namespace` is the coordinator's own.
    pub fn new(client: Client, namespace: Namespace, inbox: Inbox) -> Self {
        let slots = Semaphore::new(usize::try_from(WRITES_MAX).unwrap_or(usize::MAX));
        Self { client, namespace, inbox, slots: Arc::new(slots), refusals: Arc::default() }
    }

    /// Starts one command. Its events and its outcome come through the inbox.
    pub fn start(&self, command: Command) {
        let this = self.clone();
        tokio::spawn(async move {
            // The semaphore is closed once the process ends: then nothing is begun any more.
            let Ok(_slot) = this.slots.acquire().await else { return };
            let target = command.target();
            let Done { events, outcome } = this.carry_out(command).await;
            for event in events.into_iter().chain([Event::Outcome(target, outcome)]) {
                if this.inbox.send(Input::from(event)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Begins nothing more, and waits for what is under way, but no longer than `ms`.
    pub async fn finish(&self, ms: u64) {
        let all = timeout(Duration::from_millis(ms), self.slots.acquire_many(WRITES_MAX)).await;
        self.slots.close();
        // What is not done by then is abandoned: the API server has it or not, and whoever leads next reads which.
        drop(all);
    }

    async fn carry_out(&self, command: Command) -> Done {
        let client = &self.client;
        match command {
            Command::CreateBudget(budget) => leases::create(client, &self.namespace, budget.encode()).await,
            Command::UpdateBudget(budget, version) => {
                leases::update(client, &self.namespace, budget.encode(), version).await
            }
            Command::CreateLimiter(limiter) => leases::create(client, &self.namespace, limiter.encode()).await,
            Command::UpdateLimiter(limiter, version) => {
                leases::update(client, &self.namespace, limiter.encode(), version).await
            }
            Command::CreateGroup(group) => leases::create(client, &self.namespace, group.encode()).await,
            Command::UpdateGroup(group, version) => {
                leases::update(client, &self.namespace, group.encode(), version).await
            }
            Command::DeleteLease(key, version) => leases::delete(client, &self.namespace, &key, version).await,
            Command::LabelPod { pod, uid, group, instead_of } => {
                pods::label(client, &self.refusals, pods::Wanted { pod, uid, group, instead_of }).await
            }
            Command::AnnotateBackup { backup, group, receipt } => {
                backups::annotate(client, &backup, &group, &receipt).await
            }
        }
    }
}
