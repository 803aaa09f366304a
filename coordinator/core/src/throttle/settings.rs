//! What may be set about throttle control, and why each length is what it is by default.

/// After the limit was lowered it is not lowered again for this long, ms. Whatever was on its way to EC2 then is answered or given up within
/// the sidecar's 60 s deadline (seen with csi-snapshotter 8.7), so what is seen later is of the new limit.
pub const COOL_DOWN_DEFAULT_MS: u64 = 60_000;

/// After so much calm in which the limit was used up it is raised by a step, ms: two scrapes of the driver, and as long as the driver may sleep
/// between two attempts (20 s, seen), so that a throttled call cannot hide in it.
pub const CALM_PERIOD_DEFAULT_MS: u64 = 20_000;

/// The part of the ceiling by which the limit rises at a time, so that recovery takes about this many calm periods whatever the ceiling: a
/// neighbour's burst is forgotten in less than 5 minutes. Up to a ceiling of 9 a step is one volume.
pub const RECOVERY_STEPS: u32 = 9;

/// A content that the driver works on and that has no handle after this, ms, is being made to wait. Unthrottled it takes 0.1 to 0.6 s, and 40 at
/// once some seconds (the sidecar's own request rate); with a bucket that refills by 0.5/s twenty take up to 36 s (all seen).
pub const HANDLE_LATE_MS: u64 = 15_000;

/// What was seen longer ago than this, ms, says nothing about now: a throttled call is tried again within 20 s.
pub const RECENT_MS: u64 = 30_000;

/// A content that has been without a handle for longer, ms, is not waiting for EC2's bucket any more: Velero gives up after 10 minutes
/// (`csiSnapshotTimeout`), and the rest is a dead driver or a left-over.
pub const STUCK_MS: u64 = 900_000;

/// What may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimiterSettings {
    /// The ceiling, volumes: `MAX_CONCURRENT_SNAPSHOTS`.
    pub max: u32,
    /// See [`COOL_DOWN_DEFAULT_MS`].
    pub cool_down_ms: u64,
    /// See [`CALM_PERIOD_DEFAULT_MS`].
    pub calm_period_ms: u64,
}

impl LimiterSettings {
    /// All but the ceiling at their defaults.
    pub const fn with_max(max: u32) -> Self {
        Self { max, cool_down_ms: COOL_DOWN_DEFAULT_MS, calm_period_ms: CALM_PERIOD_DEFAULT_MS }
    }

    /// By how much the limit is raised at a time, volumes; at least 1. (And it is at most doubled.)
    pub const fn step(self) -> u32 {
        let step = self.max.div_ceil(RECOVERY_STEPS);
        if step == 0 { 1 } else { step }
    }
}

/// The CloudWatch metric that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWatchSettings {
    /// Its name, for people.
    pub metric: String,
    /// From this sum on a period counts as throttled; at least 1.
    pub threshold: u64,
}

/// What may be set about throttle control as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// See [`COOL_DOWN_DEFAULT_MS`].
    pub cool_down_ms: u64,
    /// See [`CALM_PERIOD_DEFAULT_MS`].
    pub calm_period_ms: u64,
    /// Whether the EBS CSI driver's metrics are scraped.
    pub driver_metrics: bool,
    /// The CloudWatch metric, if one is asked about.
    pub cloudwatch: Option<CloudWatchSettings>,
}

impl Default for ThrottleSettings {
    /// Only what needs no set-up.
    fn default() -> Self {
        Self {
            cool_down_ms: COOL_DOWN_DEFAULT_MS,
            calm_period_ms: CALM_PERIOD_DEFAULT_MS,
            driver_metrics: false,
            cloudwatch: None,
        }
    }
}
