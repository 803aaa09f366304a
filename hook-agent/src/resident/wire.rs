//! What keepers and probes say to the pod's resident, and what it answers: one JSON text a line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::group_lease::Epoch;
use shared::identity::AttemptId;
use shared::member_lease::Resident;

use crate::decide::CallTo;
use crate::quiesce::plan::Step;

/// What the resident is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// A keeper is about to freeze: watch. The connection is its sign of life; when that ends without [`Ask::LetGone`], thaw.
    Oversee {
        /// Which attempt's hold it is.
        attempt: String,
        /// When it must end, ms of the boot clock.
        end_boot_ms: u64,
    },
    /// Everything is let go.
    LetGone,
    /// Could the pod be held still now?
    Ready,
    /// A pre hook begins. The connection is its sign of life: until that ends, calls are the hook's to obey.
    Pre,
    /// A round calls this pod, whose hook waits and has no steps of its own: hold it still by the resident's. The connection is as with [`Ask::Pre`].
    Obey(CallTo),
    /// On the line of [`Ask::Pre`]: the hook obeys this round's call itself. The resident may hear that call later than the hook has gone.
    Obeys(Epoch),
}

/// What the resident answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It watches, and could thaw these: mount path and device.
    Overseeing(Vec<(PathBuf, u64)>),
    /// Why the pod could not be held still now; `None`: it could.
    Ready(Option<String>),
    /// Heard; it may take a while.
    Working,
    /// What a pre hook needs to know.
    Pre(PreWord),
}

/// What a pre hook needs to know of the pod's resident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreWord {
    /// What the registration says about the resident; absent where the resident cannot be called, since it has no way to the API server.
    pub resident: Option<Resident>,
    /// What the resident does already because it was called: the hook waits for that one's release.
    pub called: Option<Called>,
    /// Whether it has steps to hold the pod still by.
    #[serde(default)]
    pub has_steps: bool,
    /// Why it could not obey the round that runs, where its policy calls that a failure: a hook without steps of its own fails too.
    #[serde(default)]
    pub failed: Option<String>,
}

/// What a resident does because a round called it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// Under which attempt.
    pub attempt: AttemptId,
    /// In which round.
    pub epoch: Epoch,
    /// How the pod stands, for people.
    pub words: String,
    /// What it holds the pod still by.
    pub steps: Vec<Step>,
}
