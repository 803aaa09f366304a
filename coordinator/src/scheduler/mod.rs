//! `coordinator run`'s stagger scheduler: looks at the cluster, plans, and keeps one Schedule a group true to the plan; and beside that, whatever
//! its writes wait for, holds Schedules up whose earlier Backup is not over. Only the leader does; who stands by plans for whoever looks at its page,
//! and writes nothing.

mod claim_labels;
mod found;
mod hold_up;
mod look;
mod plans;
mod standby;
mod tell;
mod write;

use std::sync::Arc;

use kube::Client;
use tokio::sync::{Notify, watch};

use crate::cli::{ScheduleFlags, SchedulesMode};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::page::SchedulerWord;
use crate::publish::Publisher;
use crate::signals::{Stop, stopped};
use crate::watched::Watched;
use tell::Teller;

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
    /// Somebody looks at the page while this process stands by.
    pub looks: Arc<Notify>,
}

impl Scheduler {
    /// Runs until the process is asked to stop.
    pub async fn run(self, stop: Stop) {
        self.word.send_modify(|word| word.mode = self.mode.word());
        if self.mode == SchedulesMode::Off {
            return;
        }
        // Side by side: thousands of claims and a slow API server must not keep a Schedule from being held up in time. They write other fields
        // of Schedules, and each says again what another write has overtaken.
        let all = async { tokio::join!(self.keep_planned(), self.keep_from_piling_up(), self.show_who_looks()) };
        tokio::select! {
            biased;
            () = stopped(stop) => {}
            _ended = all => {}
        }
    }

    /// Each says its own things once.
    fn teller(&self) -> Teller {
        let (log, metrics, publisher) = (self.log.clone(), self.metrics.clone(), self.publisher.clone());
        Teller::new(log, metrics, publisher, self.mode, self.flags.velero_namespace.clone())
    }
}
