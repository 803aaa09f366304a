//! What is held still before the cut: what the user's plan says, by a keeper that outlives the hook; with no plan, nothing.

pub mod choose;
pub mod command;
pub mod freeze;
pub mod mounts;
pub mod plan;
pub mod session;

use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Moment;
use crate::keeper::ask::{self, Held};
use crate::keeper::place::Place;
use crate::keeper::spawn::StandsBy;
use crate::keeper::wire::{Hold, ReportTo};
use crate::lines::chain;
use crate::quiesce::choose::in_short;
use crate::quiesce::plan::{Plan, Step};
use crate::settings::QuiesceSettings;

/// How the pod stands after the attempt to hold it still.
pub struct Still {
    /// Since when, by the pod's clock; absent when it could not be held still.
    pub at: Option<Moment>,
    /// Why it could not.
    pub failure: Option<String>,
    /// What holds, for people.
    pub words: String,
    held: Option<Held>,
}

impl Still {
    fn since_now(words: impl Into<String>) -> Self {
        Self { at: Some(Moment::now()), failure: None, words: words.into(), held: None }
    }

    fn failed(plan: &Plan, why: String) -> Self {
        Self { at: None, failure: Some(why), words: in_short(plan), held: None }
    }

    /// Goes on as it is, because the group's policy lets only so many members be held still at once.
    pub fn unheld(plan: &Plan) -> Self {
        Self::failed(plan, "the group's policy lets only so many members be held still at once".to_owned())
    }

    /// Goes on as it is: this hook has no steps, and its pod's resident, which has them, did not hold.
    pub fn left_to_resident(why: &str) -> Self {
        Self::failed(&Plan::default(), why.to_owned())
    }

    /// How the pod stands, for people.
    pub fn in_words(&self) -> String {
        match &self.failure {
            Some(why) => not_held(why),
            None => format!("held still ({})", self.words),
        }
    }

    /// The hook is through: the keeper goes on without it. Gives what went wrong with that.
    pub async fn keep(self) -> Option<String> {
        let held = self.held?;
        held.keep().await.err().map(|e| chain(&e))
    }
}

/// Why a pod whose user says nothing counts as not held: applications write until somebody stops them, and a receipt that took
/// silence for stillness would call a torn group consistent.
fn nothing_said() -> String {
    format!(
        "nothing says how: set --quiesce or the pod's annotation {}, `none` where it is still without",
        choose::ANNOTATION
    )
}

/// What is said of a pod that could not be held, and goes on all the same.
pub fn not_held(why: &str) -> String {
    format!("NOT HELD STILL, its snapshot is crash-consistent ({why})")
}

/// Holds the pod still by `plan`, within `limit`; by the keeper that stands by, where one does. Nothing is held afterwards when that fails, or is
/// being let go.
pub async fn begin(
    plan: &Plan,
    settings: &QuiesceSettings,
    attempt: String,
    report_to: Option<ReportTo>,
    stands_by: Option<StandsBy>,
    limit: Duration,
) -> Still {
    if plan.is_empty() {
        return if plan.is_said { Still::since_now("nothing to freeze") } else { Still::failed(plan, nothing_said()) };
    }
    if !plan.kinds().hold() {
        return synced(plan, limit).await;
    }
    let place = match Place::make(settings.state_dir.as_deref()) {
        Ok(place) => place,
        Err(e) => return Still::failed(plan, chain(&e)),
    };
    let wanted = Hold {
        attempt,
        steps: plan.steps.clone(),
        limit_ms: settings.max_ms,
        freeze_accepted: settings.freeze_accepted,
        alarm_file: settings.alarm_file.clone(),
        report_to,
    };
    match ask::hold(&place, wanted, stands_by, limit).await {
        Ok(held) => {
            let words = [in_short(plan)].into_iter().chain(held.notes.clone()).collect::<Vec<_>>().join("; ");
            Still { at: Some(held.at.clone()), failure: None, words, held: Some(held) }
        }
        Err(e) => Still::failed(plan, chain(&e)),
    }
}

/// Writes out what is dirty. Nobody needs to stay for that.
async fn synced(plan: &Plan, limit: Duration) -> Still {
    for step in &plan.steps {
        let Step::Sync(paths) = step else { continue };
        let (paths, limit) = (paths.clone(), limit.min(Duration::from_millis(step.timeout_ms())));
        let done = timeout(limit, tokio::task::spawn_blocking(move || freeze::sync(&paths))).await;
        match done {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(e))) => return Still::failed(plan, format!("{step}: {}", chain(&e))),
            Ok(Err(e)) => return Still::failed(plan, format!("{step}: {e}")),
            Err(_) => return Still::failed(plan, format!("{step}: not done within {} ms", limit.as_millis())),
        }
    }
    Still::since_now(in_short(plan))
}
