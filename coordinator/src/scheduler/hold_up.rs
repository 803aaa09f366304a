//! Looks every minute at the Backups of generated Schedules: holds those up that would add one to a pile, and says which groups went without for
//! too long.

use std::time::Duration;

use coordinator_core::inventory::facts::Facts;
use coordinator_core::schedule_apply::breaker;
use coordinator_core::schedule_apply::missed::{self, Missed};
use tokio::time::{Instant, sleep_until};

use super::tell::Teller;
use super::{Scheduler, look, write};
use crate::clock::Clock;
use crate::page::held_up;

/// How often running Backups and missed runs are looked at, ms: as often as Velero looks at its Schedules.
const LOOK_MS: u64 = 60_000;

impl Scheduler {
    /// Looks as long as this process leads. It ends with the process.
    pub(super) async fn keep_from_piling_up(&self) {
        let mut teller = self.teller();
        let mut leading = self.leading.clone();
        let mut look_at = Instant::now();
        loop {
            let leads = *leading.borrow_and_update();
            tokio::select! {
                biased;
                changed = leading.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    teller.forget();
                    self.word.send_modify(|word| (word.missed, word.held_up) = (Vec::new(), Vec::new()));
                    look_at = Instant::now();
                }
                () = sleep_until(look_at), if leads => {
                    look_at = Instant::now() + Duration::from_millis(LOOK_MS.min(self.every_ms));
                    self.hold_up(&mut teller).await;
                }
            }
        }
    }

    async fn hold_up(&self, teller: &mut Teller) {
        let namespace = &self.flags.velero_namespace;
        match look::schedules(&self.client, namespace).await {
            Ok(facts) => {
                let now = Clock::wall();
                let missed = missed::decide(&facts, namespace, now);
                teller.missed(&missed);
                self.show_standing(missed, &facts);
                let actions = breaker::decide(&facts, namespace, now);
                write::all(&self.client, namespace, actions, &self.leading, teller).await;
            }
            Err(error) => teller.unseen(&error),
        }
    }

    /// Leaves for those who look which groups went without, and which Schedules are held up.
    pub(super) fn show_standing(&self, missed: Vec<Missed>, facts: &Facts) {
        let held_up = held_up(facts, &self.flags.velero_namespace);
        self.word.send_modify(|word| (word.missed, word.held_up) = (missed, held_up));
    }
}
