//! What is a snapshot?

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::volume::VolumeId;

/// `snap-` and 17 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId(String);

impl SnapshotId {
    /// The id of the n-th snapshot.
    pub(super) fn numbered(n: u64) -> Self {
        Self(format!("snap-0{n:016x}"))
    }

    /// Whatever a client named; it need not be there.
    pub fn named(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A snapshot that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Of which volume; it may be gone.
    pub volume: VolumeId,
    /// When it was cut.
    pub cut: Timestamp,
    /// When it is complete.
    pub complete: Timestamp,
    /// Of how large a volume, in GiB.
    pub size_gib: u32,
    /// Whether the volume was encrypted.
    pub encrypted: bool,
    /// What the client says that it is.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Snapshot {
    /// Whether its data is still being copied.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        now < self.complete
    }

    /// How much is copied, in whole percent.
    pub fn progress_percent(&self, now: Timestamp) -> u32 {
        if !self.is_pending(now) {
            return 100;
        }
        let passed = elapsed(self.cut, now);
        let all = elapsed(self.cut, self.complete);
        // At most 99: 100 % is said of complete ones alone.
        let percent = passed.as_millis() * 100 / all.as_millis().max(1);
        u32::try_from(percent).unwrap_or(99).min(99)
    }
}

/// From `earlier` to `later`; nothing when the clock was set back.
pub(super) fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}
