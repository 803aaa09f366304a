//! How is the simulated Velero, and the cloud behind it, set up?

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::backup::VELERO_NAMESPACE;
use super::kubelet::TokenSource;
use super::object_name::ObjectName;
use super::truth::TruthLog;
use super::version::VeleroVersion;

/// How volumes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum VolumeMode {
    /// `--features=EnableCSI`: a `VolumeSnapshot` per claim; Velero polls for its handle.
    #[default]
    Csi,
    /// The cloud plugin's own call: synchronous, no object in the cluster.
    Native,
}

/// How a snapshot's `creationTime` relates to the cut. EC2 answers with whole seconds at times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CreationTimes {
    /// The very nanosecond.
    #[default]
    Exact,
    /// The whole second before it.
    WholeSeconds,
}

/// How often the queue of 1.18 misses that a Backup has left `InProgress` and idles until its next periodic look. Seen with
/// one Backup at a time: 3 of 9 (a race between the patch that wakes the queue and the tracker that frees the slot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LostHandovers {
    /// Never.
    #[default]
    Never,
    /// Each n-th hand-over of the server's life; 1 is every one.
    Every(NonZeroU32),
}

/// Cuts a claim's volume for real, where a test has one: `(backup, claim)`. It returns when the cut is made.
#[derive(Clone)]
pub struct CutVolume(pub Arc<Cut>);

/// What a [`CutVolume`] does.
type Cut = dyn Fn(&str, &ObjectName) -> std::io::Result<()> + Send + Sync;

impl std::fmt::Debug for CutVolume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CutVolume")
    }
}

/// Flags, times and surroundings. The default has the real program's defaults; [`VeleroSettings::quick`] has times for tests.
#[derive(Clone, Debug)]
pub struct VeleroSettings {
    /// The namespace in which it looks for Backups: another one lets two servers share a cluster.
    pub namespace: String,
    /// Whose behaviour.
    pub version: VeleroVersion,
    /// `--item-block-worker-count`: blocks of one Backup that run at once.
    pub item_block_workers: usize,
    /// `--concurrent-backups`: Backups that run at once (1.18).
    pub concurrent_backups: usize,
    /// How volumes are cut.
    pub volume_mode: VolumeMode,
    /// How often Velero looks for a snapshot's handle (`volume_snapshot.go`: 5 s; 1 s at first with
    /// `CSI_SNAPSHOT_EARLY_FREQUENT_POLLING`, whose other effects are not simulated).
    pub csi_poll: Duration,
    /// From the request of a CSI snapshot to the cut, which is when its handle appears.
    pub cut_delay: Duration,
    /// From the cut to `readyToUse`.
    pub ready_delay: Duration,
    /// How long the native snapshot call takes; the cut is at its end. About 70 ms were seen.
    pub native_cut: Duration,
    /// What is done at a CSI snapshot's cut; `None`: nothing is stored.
    pub cut_volume: Option<CutVolume>,
    /// What `creationTime` says.
    pub creation_times: CreationTimes,
    /// For Backups that set none (`--csi-snapshot-timeout`: 10 min).
    pub csi_snapshot_timeout: Duration,
    /// `--item-operation-sync-frequency`: how often it looks whether snapshots are ready (10 s).
    pub item_operation_poll: Duration,
    /// How often the queue looks by itself (`defaultQueuedBackupRecheckFrequency`: 60 s).
    pub queue_recheck: Duration,
    /// How often the queue idles.
    pub lost_handovers: LostHandovers,
    /// Variables that every hook gets beside its container's own.
    pub pass_env: Vec<(String, String)>,
    /// Where pods and claims have their folders; `None` takes a fresh one and removes it at the end.
    pub pods_root: Option<PathBuf>,
    /// Where the pods' tokens come from.
    pub tokens: TokenSource,
    /// Where the truth is written. Give a second server the first one's to continue it.
    pub truth: TruthLog,
}

impl Default for VeleroSettings {
    fn default() -> Self {
        Self {
            namespace: VELERO_NAMESPACE.to_owned(),
            version: VeleroVersion::default(),
            item_block_workers: 1,
            concurrent_backups: 1,
            volume_mode: VolumeMode::default(),
            csi_poll: Duration::from_secs(5),
            cut_delay: Duration::from_millis(200),
            ready_delay: Duration::from_secs(1),
            native_cut: Duration::from_millis(70),
            cut_volume: None,
            creation_times: CreationTimes::default(),
            csi_snapshot_timeout: Duration::from_mins(10),
            item_operation_poll: Duration::from_secs(10),
            queue_recheck: Duration::from_mins(1),
            lost_handovers: LostHandovers::default(),
            pass_env: vec![],
            pods_root: None,
            tokens: TokenSource::default(),
            truth: TruthLog::default(),
        }
    }
}

impl VeleroSettings {
    /// The same rules with times a hundred to a thousand times shorter, in the same order: cut before poll, poll before
    /// readiness, all far before a hook's time-out.
    pub fn quick() -> Self {
        Self {
            csi_poll: Duration::from_millis(50),
            cut_delay: Duration::from_millis(5),
            ready_delay: Duration::from_millis(20),
            native_cut: Duration::from_millis(5),
            item_operation_poll: Duration::from_millis(20),
            queue_recheck: Duration::from_millis(500),
            ..Self::default()
        }
    }
}
