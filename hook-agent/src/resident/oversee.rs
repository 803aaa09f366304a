//! Watches over one hold of a keeper in any container of the pod, and thaws when that is killed or stuck.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::keeper::alarm;
use crate::keeper::boot_clock::{self, Bell};
use crate::keeper::ending::{Reach, from_record, in_words, take_over};
use crate::keeper::place::Place;
use crate::keeper::record::Record;
use crate::keeper::report::report;
use crate::keeper::wire::ReportTo;
use crate::lines::{Lines, chain};
use crate::quiesce::freeze::Target;
use crate::settings::AccessFlags;

/// How long after the hold's limit the resident thaws, ms, whatever keeper and guard do: the keeper acts at the limit, the guard a second later.
const AFTER_LIMIT_MS: u64 = 3_000;

/// How long to wait for a killed keeper to be gone, ms. In the kernel it may hang longer; then go on without.
const GONE_WAIT_MS: u64 = 5_000;

/// How often to look after a hold that was there before the resident was, ms.
const LOOK_MS: u64 = 500;

/// What the resident needs to thaw.
pub struct Watchman {
    /// Where keepers leave their notes.
    pub place: Place,
    /// The claims that it could thaw.
    pub claims: Vec<Target>,
    /// How it talks.
    pub lines: Lines,
    /// Where it cries for help.
    pub alarm_file: PathBuf,
    /// How the API server is reached from this container.
    pub access: AccessFlags,
}

impl Watchman {
    /// Mount path and device of every claim that it could thaw.
    pub fn reach(&self) -> Vec<(PathBuf, u64)> {
        let claims = self.claims.iter().filter_map(|claim| Some((claim.path().to_owned(), claim.device().ok()?)));
        claims.collect()
    }

    /// Watches over the hold of `attempt` until `dismissed` ends: with true when all was let go, else because the keeper is gone.
    pub async fn oversee(&self, attempt: &str, end_boot_ms: u64, dismissed: impl Future<Output = bool>) {
        let bell = Bell::at_ms(end_boot_ms.saturating_add(AFTER_LIMIT_MS));
        let late = async {
            if let Ok(bell) = &bell {
                bell.rung().await;
            } else {
                // No timer that counts a suspended machine's sleep is to be had: then the plain one.
                let left_ms = end_boot_ms.saturating_add(AFTER_LIMIT_MS).saturating_sub(boot_clock::now_ms());
                sleep(Duration::from_millis(left_ms)).await;
            }
        };
        tokio::select! {
            biased;
            all_is_well = dismissed => if !all_is_well {
                self.in_its_place(attempt).await;
            },
            () = late => self.thaw_all(attempt, "its keeper and guard were stuck past its limit"),
        }
    }

    /// Watches over a hold that was there before this process: by the keeper's lock, which lives as long as the keeper.
    pub async fn oversee_earlier(self: Rc<Self>) {
        let Ok(Some(record)) = Record::read(&self.place) else { return };
        let attempt = record.hold.attempt.clone();
        let gone = async {
            loop {
                sleep(Duration::from_millis(LOOK_MS)).await;
                match Record::read(&self.place) {
                    Ok(Some(now)) if now.hold.attempt == attempt => {}
                    _ => return true,
                }
                // Only tried: whoever takes over must find it free.
                if matches!(self.place.only_keeper(), Ok(Some(_))) {
                    return false;
                }
            }
        };
        self.oversee(&attempt, record.end_boot_ms, gone).await;
    }

    /// The keeper is gone: lets go by its record, as far as that can be done from this container.
    async fn in_its_place(&self, attempt: &str) {
        let lock = take_over(&self.place, Instant::now() + Duration::from_millis(GONE_WAIT_MS)).await;
        let record = match Record::read(&self.place) {
            Ok(Some(record)) if record.hold.attempt == attempt => record,
            // The keeper's guard, or a hook, was quicker.
            Ok(_) => return,
            Err(e) => {
                alarm::say(&self.alarm_file, format_args!("ALARM: {}; thaws all claims", chain(&e)));
                return self.thaw_all(attempt, "its record cannot be read");
            }
        };
        if lock.is_none() {
            // Somebody is at it, or hangs in the kernel. A thaw more does no harm, and the record stays theirs.
            return self.thaw_all(attempt, "its keeper was killed");
        }
        let to = record.hold.report_to.clone();
        let failed = |e: &_| alarm::say(&self.alarm_file, format_args!("ALARM: {}; tries again", in_words(e)));
        let why = ("its keeper and guard were killed", false);
        let ended = from_record(&self.place, record, &self.claims, why, Reach::FileSystems, None, failed).await;
        drop(lock);
        if let Ok(outcome) = ended {
            self.lines.say(format_args!("{attempt}: let go of {}", outcome.words));
            if let Some(to) = to {
                // The workload's way to the API server may not be this container's.
                report(&ReportTo { access: self.access.clone(), ..to }, &outcome).await;
            }
        }
    }

    /// Thaws every claim and touches nothing else. What was thawed behind its back a keeper notices, and vouches for nothing.
    fn thaw_all(&self, attempt: &str, why: &str) {
        for claim in self.claims.iter().rev() {
            match claim.thaw() {
                Ok(true) => {
                    let text = format!("ALARM: {attempt}: thawed {}: {why}", claim.path().display());
                    alarm::say(&self.alarm_file, &text);
                    self.lines.say(text);
                }
                Ok(false) => {}
                Err(e) => {
                    let text = format!("ALARM: {attempt}: {}", chain(&e));
                    alarm::say(&self.alarm_file, &text);
                    self.lines.say(text);
                }
            }
        }
    }
}
