//! Lets go of a whole hold that nobody looks after any more, by its record: what post, the next pre and the guard do.

use std::fs::File;
use std::time::Duration;

use shared::quiesce::LetGo;
use tokio::time::Instant;

use crate::clock::Moment;
use crate::keeper::boot_clock;
use crate::keeper::outcome::Outcome;
use crate::keeper::place::Place;
use crate::keeper::record::{Record, StepState};
use crate::keeper::undo::{UndoError, undo};
use crate::lines::chain;
use crate::quiesce::freeze::Target;
use crate::quiesce::plan::Step;
use crate::retry::Pauses;

/// How often to ask whether a keeper that was killed is gone, ms.
const GONE_POLL_MS: u64 = 10;

/// Which steps can be let go of from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All: this is the container in which they began.
    All,
    /// Another container: only what belongs to the whole machine. The workload's own programs are not here.
    FileSystems,
}

impl Reach {
    fn covers(self, step: &Step) -> bool {
        match (self, step) {
            (Self::All, _) | (_, Step::Fsfreeze(_) | Step::Sync(_)) => true,
            (Self::FileSystems, Step::Exec(_) | Step::Session(_)) => false,
        }
    }
}

/// Why letting go was given up for now.
#[derive(Debug, thiserror::Error)]
#[error("{step} may STILL BE HELD")]
pub struct StillHeld {
    /// Which step.
    pub step: String,
    /// What failed last.
    #[source]
    pub source: UndoError,
}

/// Waits until no keeper is there, and keeps others from starting. `None`: it takes too long, so go on without (a process
/// that is being killed may hang in the kernel; what it holds is to be let go all the same).
pub async fn take_over(place: &Place, until: Instant) -> Option<File> {
    loop {
        match place.only_keeper() {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(GONE_POLL_MS)).await,
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Lets go of everything in the record that is within reach, trying again until `until` (or for ever); what is not stays written down. `why` is said about it; `asked` tells
/// whether a hook wanted it. `on_failure` hears of every failed try.
pub async fn from_record(
    place: &Place,
    mut record: Record,
    opened: &[Target],
    (why, asked): (&str, bool),
    reach: Reach,
    until: Option<Instant>,
    mut on_failure: impl FnMut(&UndoError),
) -> Result<Outcome, StillHeld> {
    let same_start = record.boot_id == boot_clock::boot_id();
    // What a keeper had begun to let go of when it was killed may have been let go at once.
    let known = !record.letting_go || record.letting_go_from.is_some();
    let mut proven = same_start && record.is_whole() && known;
    let Moment { wall: thawed_at, boot: thawed_boot } = record.letting_go_from.clone().unwrap_or_else(Moment::now);
    let end_ms = thawed_boot.as_ref().map_or_else(boot_clock::now_ms, |boot| boot.ms);
    let held_ms = end_ms.saturating_sub(record.began_boot_ms);
    let mut said = Vec::new();
    // Nothing outlives the machine.
    let (open, left): (Vec<_>, Vec<_>) =
        record.open_steps().filter(|_| same_start).partition(|i| reach.covers(&record.hold.steps[*i]));
    for i in open {
        let (step, child) = (record.hold.steps[i].clone(), record.steps[i].1);
        let mut pauses = Pauses::new();
        loop {
            match undo(&step, child, opened).await {
                Ok(unbroken) => {
                    proven &= unbroken;
                    break;
                }
                Err(source) => {
                    on_failure(&source);
                    let pause = Duration::from_millis(pauses.next_ms(None));
                    if until.is_some_and(|until| Instant::now() + pause >= until) {
                        return Err(StillHeld { step: step.to_string(), source });
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
        said.push(step.to_string());
        record.steps[i].0 = StepState::LetGo;
        // If this cannot be written, it may be let go twice, which does no harm.
        let _ = record.write(place);
    }
    let let_go = match (proven, asked) {
        (false, _) => LetGo::Unproven,
        (true, true) => LetGo::Asked,
        (true, false) => LetGo::ByItself,
    };
    let what = if said.is_empty() { "nothing that still held".to_owned() } else { said.join(", ") };
    let mut outcome = Outcome {
        attempt: record.hold.attempt.clone(),
        thawed_at,
        thawed_boot,
        let_go,
        words: format!("{what}: {why}"),
        held_ms: same_start.then_some(held_ms),
    };
    if left.is_empty() {
        let _ = outcome.leave(place);
        Record::forget(place);
        return Ok(outcome);
    }
    let left: Vec<String> = left.iter().map(|i| record.hold.steps[*i].to_string()).collect();
    outcome.let_go = LetGo::Unproven;
    outcome.words = format!("{}; left to post or the next pre: {}", outcome.words, left.join(", "));
    Ok(outcome)
}

/// A failure in one line.
pub fn in_words(error: &UndoError) -> String {
    chain(error)
}
