//! The sweep at a pod's start: thaws what a dead attempt left frozen on the pod's claims, and leaves a mark that says so.
//!
//! A container that is killed leaves its freeze on the node. A pod that is made anew there mounts the same frozen file system, and would hang
//! at its first write. So whoever may freeze needs proof that the next start of this pod will sweep: that this start did.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::keeper::boot_clock;
use crate::keeper::ending::{Reach, from_record, in_words};
use crate::keeper::outcome::replace;
use crate::keeper::place::{Place, PlaceError};
use crate::keeper::record::Record;
use crate::lines::chain;
use crate::quiesce::freeze::{FreezeError, Target, clear, guarded};
use crate::quiesce::plan::Plan;
use crate::small_file;

/// A mark lists the devices of a pod's claims, bytes.
const MARK_BYTES_MAX: u64 = 64 * 1024;

/// Why a sweep failed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Nowhere to leave the mark.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// What was written down as held cannot be let go.
    #[error("what an earlier attempt left cannot be let go: {0}")]
    Left(String),
    /// A guard says no, or the thaw fails.
    #[error("the claims to be frozen cannot be swept from this container")]
    Claim(#[from] FreezeError),
    /// The mark cannot be written.
    #[error("the mark of the sweep cannot be written")]
    Mark(#[source] io::Error),
}

/// What a sweep came to.
#[derive(Debug)]
pub struct Swept {
    /// The claims that the plan freezes, opened; one for each device.
    pub claims: Vec<Target>,
    /// What was found, for people.
    pub found: Vec<String>,
}

/// Sweeps the claims that `plan` freezes. What a living keeper holds in another container is left alone.
pub async fn sweep(plan: &Plan, state_dir: Option<&Path>, limit: Duration) -> Result<Swept, SweepError> {
    let until = Instant::now() + limit;
    let place = Place::make(state_dir)?;
    let mut found = Vec::new();
    let mut locks = Vec::new();
    let mut held = false;
    for left in Place::existing(state_dir) {
        match left.only_keeper() {
            // While these are open no keeper begins.
            Ok(Some(lock)) => {
                found.extend(let_go_of_left(&left, until).await?);
                locks.push(lock);
            }
            Ok(None) => {
                held |= matches!(Record::read(&left), Ok(Some(_)));
                found.push("a keeper is at work in another container: what it holds is left alone".to_owned());
            }
            Err(e) => return Err(SweepError::Left(e.to_string())),
        }
    }
    if plan.freezes().is_empty() {
        return Ok(Swept { claims: Vec::new(), found });
    }
    if held {
        // The mark of the sweep before that hold still counts.
        return Ok(Swept { claims: guarded(plan.freezes(), place.dir())?, found });
    }
    let cleared = clear(plan.freezes(), place.dir())?;
    found.extend(cleared.were_frozen.iter().map(|path| format!("{} was FROZEN and is thawed", path.display())));
    SweepMark::of(&cleared.targets)?.leave(&place).map_err(SweepError::Mark)?;
    Ok(Swept { claims: cleared.targets, found })
}

/// Lets go of what is written down, as far as that can be done from any container.
async fn let_go_of_left(left: &Place, until: Instant) -> Result<Option<String>, SweepError> {
    let record = Record::read(left).map_err(|e| SweepError::Left(chain(&e)))?;
    let Some(record) = record else { return Ok(None) };
    let why = ("its container had been killed", false);
    let outcome = from_record(left, record, &[], why, Reach::FileSystems, Some(until), |_| ()).await;
    let outcome = outcome.map_err(|e| SweepError::Left(format!("{e}: {}", in_words(&e.source))))?;
    Ok(Some(format!("an earlier attempt had left something held; let go of {}", outcome.words)))
}

/// Which devices were swept when the pod started, and could be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepMark {
    boot_id: String,
    devices: BTreeSet<u64>,
}

impl SweepMark {
    fn of(targets: &[Target]) -> Result<Self, FreezeError> {
        let devices = targets.iter().map(Target::device).collect::<Result<_, _>>()?;
        Ok(Self { boot_id: boot_clock::boot_id(), devices })
    }

    fn leave(&self, place: &Place) -> io::Result<()> {
        replace(&place.swept(), &serde_json::to_vec(self)?)
    }

    /// The mark of this start of the machine, if there is one.
    pub fn left(place: &Place) -> Option<Self> {
        let text = small_file::read(&place.swept(), MARK_BYTES_MAX).ok().flatten()?;
        serde_json::from_str(&text).ok().filter(|mark: &Self| mark.boot_id == boot_clock::boot_id())
    }

    /// Whether this device was swept.
    pub fn covers(&self, device: u64) -> bool {
        self.devices.contains(&device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_within_one_start_of_the_machine() {
        let dir = std::env::temp_dir().join(format!("hook-agent-sweep-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let place = Place::make(Some(&dir)).unwrap();
        assert_eq!(SweepMark::left(&place), None);
        let mark = SweepMark { boot_id: boot_clock::boot_id(), devices: [7].into() };
        mark.leave(&place).unwrap();
        assert!(SweepMark::left(&place).is_some_and(|mark| mark.covers(7) && !mark.covers(8)));
        SweepMark { boot_id: "another".to_owned(), ..mark }.leave(&place).unwrap();
        assert_eq!(SweepMark::left(&place), None);
        std::fs::write(place.swept(), "nonsense").unwrap();
        assert_eq!(SweepMark::left(&place), None);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
