//! What a plan says: each group's slot with its reason, the load of each minute, and whether the night is long enough.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{GroupKey, Namespace};

use super::finding::Finding;
use super::live::PlannedLoad;
use super::minute::Minute;

/// When each group is backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One a group that is to be backed up.
    pub slots: BTreeMap<GroupKey, Slot>,
    /// Groups that somebody asked to leave out.
    pub skipped: BTreeSet<GroupKey>,
    /// Live slots of groups that are no longer there.
    pub gone: BTreeSet<GroupKey>,
    /// What each minute of the day carries.
    pub load: LoadProfile,
    /// Whether all of it fits.
    pub feasibility: Feasibility,
    /// What single groups' owners should know, in order of the enum.
    pub findings: Vec<Finding>,
}

/// When one group is backed up, and why then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its runs in the order of the day, at least one. Unless their times were fixed, all have the same minute of the hour: one cron line says them.
    pub runs: Vec<Run>,
    /// Why then.
    pub reason: Reason,
    /// Its live minutes, where they were others.
    pub moved_from: Option<BTreeSet<Minute>>,
    /// What it was chosen for: to be written beside the slot, see [`PlannedLoad`].
    pub planned: PlannedLoad,
}

impl Slot {
    /// The minutes at which it is due, in the order of the day.
    pub fn minutes(&self) -> impl Iterator<Item = Minute> + '_ {
        self.runs.iter().map(|run| run.due)
    }
}

/// One run of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The minute that its cron says, UTC.
    pub due: Minute,
    /// How long it is expected to stay in Velero's queue, s. 0 in a plan that fits; [`QUEUE_NEVER_S`] when it never comes to its turn.
    pub queued_s: u32,
    /// From its start to its expected end, s.
    pub in_flight_s: u32,
}

/// [`Run::queued_s`] of a run that has not begun a day after it was due: the queue grows from day to day.
pub const QUEUE_NEVER_S: u32 = u32::MAX;

impl Run {
    /// From the minute that it is due to its expected end, s; none when it never comes to its turn.
    pub fn ends_after_s(&self) -> Option<u32> {
        if self.queued_s == QUEUE_NEVER_S { None } else { Some(self.queued_s.saturating_add(self.in_flight_s)) }
    }
}

/// Why a group has its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its time was fixed by its owner.
    Fixed,
    /// It stays where it was.
    Kept,
    /// Moved with the clocks: it keeps its local time.
    ClocksChanged,
    /// New: the least loaded minute that was left to it.
    Placed,
    /// New, with a priority: the earliest (or for a negative one the latest) minute with room.
    ByPriority,
    /// Moved: its old minutes are no longer open, or not as many as it has runs.
    WindowChanged,
    /// Moved: another backup of its namespace (or of a volume that it shares) would have run at the same time.
    NamespaceBusy,
    /// Moved: more backups than Velero runs at once.
    VeleroBusy,
    /// Moved: more volumes in flight than the budget.
    OverBudget,
    /// Moved: its minute carried more than its part of the load.
    Balance,
}

/// What each of the day's 1,440 minutes carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadProfile {
    /// Volumes of the groups whose runs start in it.
    pub starting: Vec<u64>,
    /// Volumes in flight in it: from start to expected end.
    pub in_flight: Vec<u64>,
    /// Backups that hold one of Velero's places in it, the time until the next can follow included.
    pub running: Vec<u32>,
    /// The most volumes that start in one minute, and what no plan could be below.
    pub starting_peak: Peak,
    /// The most volumes in flight in one minute, and what no plan could be below.
    pub in_flight_peak: Peak,
}

/// A load's highest minute beside its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Volumes in the highest minute.
    pub volumes: u64,
    /// No plan can have less: the heaviest group, or the whole load spread evenly over the open minutes, whichever is more.
    pub lower_bound: u64,
}

/// Whether the night is long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feasibility {
    /// Every run starts when it is due and ends inside the window.
    Fits {
        /// Volumes that could still be in flight in the busiest minute.
        budget_spare: u32,
        /// Backups that Velero could still run in the busiest minute.
        concurrent_spare: u32,
    },
    /// It does not fit; the plan is the best that was found.
    Short {
        /// What is missing, at least one.
        shortages: Vec<Shortage>,
        /// What would help: each is enough, and was tried by planning with it. Where one needs several changes, all of them
        /// together. Empty where nothing was found.
        fixes: Vec<Vec<Fix>>,
    },
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shortage {
    /// In its highest minute the plan has more volumes in flight than the budget: admission will hold groups back.
    Budget {
        /// Volumes in flight in the highest minute (a group heavier than the budget that runs alone counts as the budget).
        peak: u64,
        /// The budget.
        budget: u32,
        /// Minutes of the day that are over it.
        minutes_over: u32,
    },
    /// More backups are due than Velero runs at once: they queue.
    ConcurrentBackups {
        /// Backups in the highest minute.
        peak: u32,
        /// What Velero runs at once.
        concurrent_backups: u32,
        /// The longest expected wait, s; none when the queue grows from day to day.
        longest_queue_s: Option<u32>,
    },
    /// Backups of one namespace overlap: they queue.
    Namespace {
        /// The namespace.
        namespace: Namespace,
        /// Minutes in which more than one is due to run.
        overlap_min: u32,
    },
    /// A run ends after the window.
    Window {
        /// How many runs do.
        runs: u32,
        /// By how much the worst of them, min.
        by_min: u32,
    },
}

/// What would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// A window of at least this many hours.
    WindowHours(u32),
    /// A budget of at least this many volumes.
    Budget(u32),
    /// Velero's `--concurrent-backups` of at least this.
    ConcurrentBackups(u32),
    /// A plan that forgets the live one fits, for the price of so many moves.
    PlanAnew {
        /// Groups that would get another slot.
        moves: u32,
    },
    /// Fewer or shorter backups in the namespaces that the shortages name: nothing else helps there.
    SplitNamespaces,
}
