//! What is held now, written down before it begins: whoever outlives the keeper can let go by this alone.

use std::io;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::keeper::mark::ProcessMark;
use crate::keeper::outcome::replace;
use crate::keeper::place::Place;
use crate::keeper::wire::Hold;
use crate::small_file::{self, FileError};

/// A plan has at most 16 KiB; with quotes and marks a record stays far below this, bytes.
const RECORD_BYTES_MAX: u64 = 512 * 1024;

/// A record that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("the record of what is held is unusable")]
    File(#[source] FileError),
    /// It is not what a keeper writes.
    #[error(
        "{path} is not a record of this version; if something is still frozen, thaw it by hand and remove the file"
    )]
    Malformed {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Begun; whether it holds is not known.
    Begun,
    /// It holds.
    Held,
    /// Let go.
    LetGo,
}

/// One keeper's hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was asked for.
    pub hold: Hold,
    /// The keeper.
    pub keeper: Option<ProcessMark>,
    /// Which start of the machine its times belong to.
    pub boot_id: String,
    /// When it began, ms of the boot clock.
    pub began_boot_ms: u64,
    /// When it must end, ms of the boot clock.
    pub end_boot_ms: u64,
    /// Whether the keeper has begun to let go.
    pub letting_go: bool,
    /// When it began to: until then everything was held. Absent in records of earlier versions.
    #[serde(default)]
    pub letting_go_from: Option<Moment>,
    /// Where each step stands, with the process that runs for it.
    pub steps: Vec<(StepState, Option<ProcessMark>)>,
}

impl Record {
    /// Writes it.
    pub fn write(&self, place: &Place) -> io::Result<()> {
        replace(&place.record(), &serde_json::to_vec(self)?)
    }

    /// Reads it, if something is held.
    pub fn read(place: &Place) -> Result<Option<Self>, RecordError> {
        let path = place.record();
        match small_file::read(&path, RECORD_BYTES_MAX).map_err(RecordError::File)? {
            None => Ok(None),
            Some(text) => {
                serde_json::from_str(&text).map(Some).map_err(|source| RecordError::Malformed { path, source })
            }
        }
    }

    /// Takes it away: nothing is held any more.
    pub fn forget(place: &Place) {
        let _ = std::fs::remove_file(place.record());
    }

    /// The steps that may hold, last first: the order in which they are let go.
    pub fn open_steps(&self) -> impl Iterator<Item = usize> + use<> {
        let open: Vec<usize> = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, (state, _))| matches!(state, StepState::Begun | StepState::Held))
            .map(|(i, _)| i)
            .collect();
        open.into_iter().rev()
    }

    /// Whether every step that was asked for holds.
    pub fn is_whole(&self) -> bool {
        self.steps.iter().all(|(state, _)| *state == StepState::Held)
    }
}
