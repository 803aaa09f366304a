//! How a hold ended: what post and the receipt need to know about it.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::boot_time::BootTime;
use shared::quiesce::LetGo;
use shared::time::WallTime;

use crate::keeper::place::Place;
use crate::small_file;

/// An outcome's text is bounded by its messages; what is longer is another file, bytes.
const OUTCOME_BYTES_MAX: u64 = 64 * 1024;

/// How a hold ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which attempt's it was.
    pub attempt: String,
    /// When letting go began, by the pod's clock.
    pub thawed_at: WallTime,
    /// The same by the clock that no setting moves.
    #[serde(default)]
    pub thawed_boot: Option<BootTime>,
    /// What is proven about it.
    pub let_go: LetGo,
    /// What was let go and why, for people.
    pub words: String,
    /// How long it was held, ms, by the clock that does not jump; absent where nobody saw both ends.
    pub held_ms: Option<u64>,
}

impl Outcome {
    /// Leaves it for post.
    pub fn leave(&self, place: &Place) -> io::Result<()> {
        replace(&place.outcome(), &serde_json::to_vec(self)?)
    }

    /// What an earlier hold left, if that can be read.
    pub fn left(place: &Place) -> Option<Self> {
        let text = small_file::read(&place.outcome(), OUTCOME_BYTES_MAX).ok().flatten()?;
        serde_json::from_str(&text).ok()
    }

    /// Takes it away: a new attempt begins.
    pub fn forget(place: &Place) {
        let _ = std::fs::remove_file(place.outcome());
    }
}

/// Writes a file whole or not at all: a process that dies in between leaves the old one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(&new, path)
}
