//! What an operator may set about the release protocol, in the units that decisions use.

use shared::admission::Mode;
use shared::identity::Namespace;

use crate::objects::Selector;
use crate::policy::HoldPolicy;
use crate::throttle::settings::{LimiterSettings, ThrottleSettings};

/// The smallest and largest budget that is accepted, volumes. EBS allows 100,000 snapshots a Region; 1,000 cuts at once are past every use.
pub const MAX_CONCURRENT_SNAPSHOTS_RANGE: std::ops::RangeInclusive<u32> = 1..=1_000;

/// The budget when none is set, volumes (the original's default).
pub const MAX_CONCURRENT_SNAPSHOTS_DEFAULT: u32 = 5;

/// A barrier that sees no new arrival for this long has stalled, ms. Velero starts the hooks of parallel blocks within
/// 0.1 s of each other (seen on 1.18.3); a busy API server stretches that, and every second here is a second of all Velero.
pub const BARRIER_STALL_DEFAULT_MS: u64 = 5_000;

/// A round ends after this, s, whatever else happens: Velero's own cap for one hook and its `fsBackupTimeout` are 4 h.
pub const ROUND_DURATION_DEFAULT_S: u32 = 4 * 3_600;

/// Where no Backup is visible, a round in which nobody waits or holds ends after this, ms. Inside one Backup the pause
/// between a post hook and the next pod's pre hook is tens of ms (seen on 1.18.3).
pub const ROUND_IDLE_DEFAULT_MS: u64 = 30_000;

/// How far the clocks of pods and EC2 may be apart, ms. Nodes that follow the Amazon Time Sync Service stay well below 1 ms
/// (AWS documentation, "Set the time for your Amazon EC2 instance"); 50 ms leaves room for nodes that follow something else.
pub const CLOCK_ERROR_DEFAULT_MS: u64 = 50;

/// How groups are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeSetting {
    /// By what the cluster can do; see [`crate::mode`].
    Auto,
    /// Always this one.
    Fixed(Mode),
}

/// What an operator may set about the release protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the coordinator's own Leases live.
    pub namespace: Namespace,
    /// This process among all coordinators (its pod's name): written as holder of what it writes.
    pub identity: String,
    /// The budget: volumes that may be between release and cut at once.
    pub max_concurrent_snapshots: u32,
    /// How groups are released unless a workload says otherwise.
    pub mode: ModeSetting,
    /// Velero's `--item-block-worker-count`, where it is known: the most pre hooks that can run at once.
    pub item_block_workers: Option<u32>,
    /// How long called residents may take to hold still, ms: [`shared::deadline::CALL_WITHIN_DEFAULT_MS`].
    pub call_within_ms: u64,
    /// How groups may be held still, where their workloads do not say otherwise.
    pub policy: HoldPolicy,
    /// See [`BARRIER_STALL_DEFAULT_MS`].
    pub barrier_stall_ms: u64,
    /// See [`ROUND_DURATION_DEFAULT_S`].
    pub round_duration_s: u32,
    /// See [`ROUND_IDLE_DEFAULT_MS`].
    pub round_idle_ms: u64,
    /// See [`CLOCK_ERROR_DEFAULT_MS`].
    pub clock_error_ms: u64,
    /// How the budget follows what EC2 allows.
    pub throttle: ThrottleSettings,
    /// Pods without these labels are others' (`RESOURCE_LABEL_SELECTOR`); empty is all.
    pub pod_selector: Selector,
    /// Whether pods are put into groups by labelling them (the original's `ENSURE_BACKUP_CONSISTENCY`).
    pub label_pods: bool,
    /// Whether VolumeSnapshots can be watched: without them no cut is observed, and none is waited for.
    pub cuts_visible: bool,
    /// Whether Backups can be watched: where they cannot, one that is not seen is not one that is gone.
    pub backups_visible: bool,
}

impl Settings {
    /// What the limiter is set to.
    pub const fn limiter(&self) -> LimiterSettings {
        let ThrottleSettings { cool_down_ms, calm_period_ms, .. } = self.throttle;
        LimiterSettings { max: self.max_concurrent_snapshots, cool_down_ms, calm_period_ms }
    }
}
