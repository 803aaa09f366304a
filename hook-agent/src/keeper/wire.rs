//! What hooks and keeper say to each other over the socket: one JSON text a line.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::boot_time::BootTime;
use shared::identity::{GroupId, LeaseName, Namespace};
use shared::time::WallTime;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::keeper::outcome::Outcome;
use crate::quiesce::plan::Step;
use crate::settings::AccessFlags;

/// The longest line, bytes: a plan has at most 16 KiB, quoted twice at worst.
pub const LINE_BYTES_MAX: u64 = 256 * 1024;

/// What a hook asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Hold this still. The connection is pre's sign of life: when it ends without [`Ask::Keep`], the keeper lets go.
    Hold(Box<Hold>),
    /// Pre is through: go on holding without it.
    Keep,
    /// Let go.
    LetGo,
    /// Let go, although no hook asks: the pod is told to stop.
    Stop {
        /// What came.
        why: String,
    },
}

/// What is to be held, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The attempt: `<pod uid>/<nonce>` as in its Lease.
    pub attempt: String,
    /// In order.
    pub steps: Vec<Step>,
    /// How long it is held at most, ms from the beginning.
    pub limit_ms: u64,
    /// Whether the user accepts in writing that a frozen file system outlives a container that is killed.
    pub freeze_accepted: bool,
    /// Where cries for help go.
    pub alarm_file: PathBuf,
    /// Whom to tell when it is let go without a hook.
    pub report_to: Option<ReportTo>,
}

/// The member Lease, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTo {
    /// How the API server is reached.
    pub access: AccessFlags,
    /// The Lease's namespace.
    pub namespace: Namespace,
    /// Its name.
    pub lease: LeaseName,
    /// The group, whose Lease says when all is cut; absent in records of earlier versions.
    #[serde(default)]
    pub group: Option<GroupId>,
}

/// What the keeper answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Everything is still.
    Held {
        /// Since when, by the pod's clock.
        at: WallTime,
        /// The same by the clock that no setting moves.
        #[serde(default)]
        boot: Option<BootTime>,
        /// What else is to be said.
        notes: Vec<String>,
    },
    /// It could not be held still, and nothing is held.
    NotHeld {
        /// Which step and why.
        why: String,
    },
    /// It is somebody else's, or letting go just now: ask again.
    Busy,
    /// It goes on without pre.
    Kept,
    /// Heard; it may take a while.
    Working,
    /// It does not work yet; it is tried again.
    Failing {
        /// What fails.
        why: String,
    },
    /// Everything is let go.
    Gone(Outcome),
}

/// The next message on a line; `None` when the line ended, or something else was said on it.
pub async fn next<T: DeserializeOwned>(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<T> {
    let mut bytes = Vec::new();
    reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A line for the wire.
pub fn line(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(message).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"));
    bytes.push(b'\n');
    bytes
}
