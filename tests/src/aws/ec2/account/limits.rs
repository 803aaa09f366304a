//! What does EC2 allow an account, and how is a request bucket counted?

use std::time::Duration;

use jiff::Timestamp;

use super::volume::VolumeType;

/// A token bucket: a request takes one token, and is refused when there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestBucket {
    /// Tokens of a full bucket.
    pub burst: u32,
    /// Tokens that come back in a second.
    pub refill_per_s: f64,
}

impl Eq for RequestBucket {}

/// What a `CreateSnapshot` has to pass; `None`: no such limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of the account, refused ones included: `RequestLimitExceeded`.
    pub requests: Option<RequestBucket>,
    /// Least time between two snapshots of one volume: `SnapshotCreationPerVolumeRateExceeded`.
    pub per_volume_gap: Option<Duration>,
    /// Pending snapshots of one volume, by its type: `ConcurrentSnapshotLimitExceeded`.
    pub pending_per_volume: Option<PendingPerVolume>,
    /// Pending snapshots of the account: `PendingSnapshotLimitExceeded`.
    pub pending_per_account: Option<u32>,
    /// Snapshots of the account: `SnapshotLimitExceeded`.
    pub snapshots: Option<u32>,
}

/// Pending snapshots that one volume may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingPerVolume {
    /// Types on SSDs, and `standard`.
    pub usual: u32,
    /// `st1` and `sc1`.
    pub cold: u32,
}

impl PendingPerVolume {
    /// The same for all types.
    pub fn all(count: u32) -> Self {
        Self { usual: count, cold: count }
    }

    /// For a type.
    pub(super) fn of(self, volume_type: VolumeType) -> u32 {
        if matches!(volume_type, VolumeType::St1 | VolumeType::Sc1) { self.cold } else { self.usual }
    }
}

impl Limits {
    /// None at all.
    pub const fn none() -> Self {
        Self {
            requests: None,
            per_volume_gap: None,
            pending_per_volume: None,
            pending_per_account: None,
            snapshots: None,
        }
    }

    /// Those that AWS documents: "Request throttling for the Amazon EC2 API" (100 requests, 5 a second), the error code's own text (15 s),
    /// and the quotas of EBS (pending snapshots a volume, and an account; snapshots a Region).
    pub const fn documented() -> Self {
        Self {
            requests: Some(RequestBucket { burst: 100, refill_per_s: 5.0 }),
            per_volume_gap: Some(Duration::from_secs(15)),
            pending_per_volume: Some(PendingPerVolume { usual: 5, cold: 1 }),
            pending_per_account: Some(100),
            snapshots: Some(100_000),
        }
    }
}

/// How many tokens are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    left: f64,
    counted: Timestamp,
}

impl Tokens {
    /// A full bucket.
    pub(super) fn full(bucket: RequestBucket, now: Timestamp) -> Self {
        Self { left: f64::from(bucket.burst), counted: now }
    }

    /// Takes a token; `false`: there is none.
    pub(super) fn take(&mut self, bucket: RequestBucket, now: Timestamp) -> bool {
        let passed_s = now.duration_since(self.counted).as_secs_f64().max(0.0);
        // A clock that was set back gives no tokens, and takes none.
        self.left = passed_s.mul_add(bucket.refill_per_s, self.left).min(f64::from(bucket.burst));
        self.counted = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}
