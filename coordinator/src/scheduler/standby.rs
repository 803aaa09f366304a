//! What a replica that stands by shows to whoever looks at its page: the night, planned of the same cluster as the leader's. It writes, says and
//! counts nothing.

use std::time::Duration;

use coordinator_core::schedule_apply::missed;
use tokio::time::Instant;

use super::{Scheduler, look};
use crate::clock::Clock;

/// It plans again for those who look this long after it last did, ms: a page that is open comes again every 15 s.
const AGAIN_MS: u64 = 60_000;

impl Scheduler {
    /// Plans when somebody looks, as long as this process does not lead. It ends with the process.
    pub(super) async fn show_who_looks(&self) {
        let mut leading = self.leading.clone();
        let mut shown_at: Option<Instant> = None;
        loop {
            let leads = *leading.borrow_and_update();
            tokio::select! {
                biased;
                changed = leading.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    shown_at = None;
                }
                () = self.looks.notified(), if !leads => {
                    if shown_at.is_none_or(|at| at.elapsed() >= Duration::from_millis(AGAIN_MS)) {
                        shown_at = Some(Instant::now());
                        self.look_on().await;
                    }
                }
            }
        }
    }

    /// The plan first, then which Schedules and groups are not as they should be.
    async fn look_on(&self) {
        let Some(made) = self.made().await else { return };
        let namespace = &self.flags.velero_namespace;
        let facts = look::schedules(&self.client, namespace).await;
        // Who came to lead meanwhile has a plan of its own.
        if *self.leading.borrow() {
            return;
        }
        self.show(&made);
        if let Ok(facts) = facts {
            self.show_standing(missed::decide(&facts, namespace, Clock::wall()), &facts);
        }
    }
}
