//! What a night is simulated from: groups with their due times, Velero's settings, the account.

use coordinator_core::schedule::demand::Demand;
use coordinator_core::schedule::plan::Plan;
use coordinator_core::schedule::settings::PlanSettings;

use crate::dice::Dice;
use crate::ec2::{Limits, Load};

/// A snapshot takes at least this long, ms, however little changed. AWS promises nothing; small increments take tens of seconds.
const SNAPSHOT_BASE_MS: u64 = 20_000;
/// How fast changed data is copied, MiB/s. An assumption that only translates lengths of time into MiB: lengths are what is learned from past Backups.
const COPY_MIB_PER_S: u64 = 50;
/// From night to night the changed data of one volume varies by this much (the spread of its logarithm).
const CHANGE_SPREAD: f64 = 0.4;
/// Volumes of one group that are simulated at most.
const VOLUMES_MAX: u32 = 100_000;

/// How volumes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the EBS CSI driver: Velero polls each handle every 5 s, one volume after another; the driver retries throttled calls.
    Csi,
    /// By Velero's AWS plugin: fast, and a call that is throttled three times fails its volume.
    Native,
}

/// A group on its night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A number for its namespace: Velero runs one Backup of it at a time.
    pub namespace: u32,
    /// When its Schedule is due, ms after the window's start; several for several runs.
    pub due_ms: Vec<u64>,
    /// What has changed on each of its volumes, MiB.
    pub changed_mib: Vec<u64>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The groups.
    pub groups: Vec<Group>,
    /// Velero's `--concurrent-backups`.
    pub concurrent_backups: u32,
    /// How volumes are cut.
    pub way: Way,
    /// Velero's `csiSnapshotTimeout`, ms: a handle that is not there by then fails its volume.
    pub csi_snapshot_timeout_ms: u64,
    /// A hook that is not released after this, ms, goes over budget.
    pub hook_deadline_ms: u64,
    /// The window's length, ms.
    pub window_ms: u64,
    /// What EC2 allows.
    pub limits: Limits,
    /// What others in the account call.
    pub neighbours: Vec<Load>,
    /// Decides everything that is left to chance.
    pub seed: u64,
}

/// When groups are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As planned.
    Planned,
    /// All at the window's start, as without a plan.
    Together,
}

impl Scenario {
    /// The night that a plan makes; limits and time-outs are the documented defaults, and nobody else is in the account.
    pub fn of_plan(demands: &[Demand], plan: &Plan, settings: &PlanSettings, start: Start, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut namespaces: Vec<&str> = demands.iter().map(|demand| demand.key.namespace.as_str()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let number = |name: &str| u32::try_from(namespaces.partition_point(|other| *other < name)).unwrap_or(u32::MAX);
        let groups = demands.iter().filter_map(|demand| {
            let slot = plan.slots.get(&demand.key)?;
            let after_start = |minute| u64::from(settings.window_start().minutes_until(minute)) * 60_000;
            let due_ms = match start {
                Start::Planned => slot.minutes().map(after_start).collect(),
                Start::Together => vec![0],
            };
            let copied_ms = u64::from(demand.run.in_flight_s.saturating_sub(demand.run.occupies_s)) * 1_000;
            let typical_mib = copied_ms.saturating_sub(SNAPSHOT_BASE_MS) * COPY_MIB_PER_S / 1_000;
            let volumes = 0..demand.volumes.min(VOLUMES_MAX);
            let changed_mib = volumes.map(|_| dice.around(typical_mib, CHANGE_SPREAD)).collect();
            Some(Group { namespace: number(demand.key.namespace.as_str()), due_ms, changed_mib })
        });
        Self {
            groups: groups.collect(),
            concurrent_backups: settings.concurrent_backups(),
            window_ms: u64::from(settings.window_min()) * 60_000,
            ..Self::empty(seed)
        }
    }

    /// One without groups.
    pub fn empty(seed: u64) -> Self {
        Self {
            groups: Vec::new(),
            concurrent_backups: 1,
            way: Way::Csi,
            csi_snapshot_timeout_ms: 600_000,
            hook_deadline_ms: 585_000,
            window_ms: 86_400_000,
            limits: Limits::default(),
            neighbours: Vec::new(),
            seed,
        }
    }

    /// A made-up herd: `count` groups that are all due at once, most of a few volumes, some of dozens; copied in about a minute.
    pub fn herd(count: u32, concurrent_backups: u32, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x6865_7264);
        let namespaces = u64::from(count / 2).max(1);
        let groups = (0..count).map(|_| {
            let volumes = dice.around(3, 0.8).clamp(1, 40);
            let typical = dice.around(2_000, 0.6);
            Group {
                namespace: u32::try_from(dice.below(namespaces)).unwrap_or(0),
                due_ms: vec![0],
                changed_mib: (0..volumes).map(|_| dice.around(typical, CHANGE_SPREAD)).collect(),
            }
        });
        Self { groups: groups.collect(), concurrent_backups, window_ms: 28_800_000, ..Self::empty(seed) }
    }

    /// Volumes of all groups.
    pub fn volumes(&self) -> usize {
        self.groups.iter().map(|group| group.changed_mib.len()).sum()
    }
}

/// How long a snapshot is pending, ms.
pub(crate) const fn pending_ms(changed_mib: u64) -> u64 {
    SNAPSHOT_BASE_MS.saturating_add(changed_mib.saturating_mul(1_000) / COPY_MIB_PER_S)
}
