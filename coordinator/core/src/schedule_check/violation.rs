//! What can be wrong with a plan.

use shared::identity::{GroupKey, Namespace};

use crate::schedule::minute::Minute;

/// A way in which a plan breaks a rule, or does not do what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A group that asked to be backed up has no slot.
    NoSlot {
        /// The group.
        group: GroupKey,
    },
    /// A slot for a group that did not ask, or asked to be left out.
    UnaskedSlot {
        /// The group.
        group: GroupKey,
    },
    /// The lists of skipped or gone groups, the live minutes that a slot says it left, or the load it says it was planned with, are not so.
    Misstated {
        /// The group.
        group: GroupKey,
        /// What is not so.
        what: Misstatement,
    },
    /// Not the number of runs that was asked, and no finding says so; or the same minute twice.
    Runs {
        /// The group.
        group: GroupKey,
        /// Runs asked.
        asked: usize,
        /// Runs planned.
        planned: usize,
    },
    /// Times that were fixed are not those planned.
    FixedTimes {
        /// The group.
        group: GroupKey,
    },
    /// Runs of several minutes of the hour, though their times were free: one cron line cannot say them.
    SeveralCrons {
        /// The group.
        group: GroupKey,
    },
    /// A run is in flight in a minute that is not open.
    OutsideWindow {
        /// The group.
        group: GroupKey,
        /// Its minute.
        due: Minute,
    },
    /// More snapshots of one volume are pending at once than EBS allows.
    Pending {
        /// The group.
        group: GroupKey,
    },
    /// The plan says that it fits, and has more volumes in flight than the budget.
    OverBudget {
        /// The minute.
        minute: Minute,
        /// Volumes in flight.
        volumes: u64,
    },
    /// The plan says that it fits, and has more backups at once than Velero runs.
    VeleroBusy {
        /// The minute.
        minute: Minute,
        /// Backups.
        backups: u32,
    },
    /// The plan says that it fits, and two backups of one namespace overlap.
    NamespaceBusy {
        /// The namespace.
        namespace: Namespace,
        /// The minute at which the later one is due.
        minute: Minute,
    },
    /// The plan says that it fits, and a volume is cut while a snapshot of it is pending for another group, or less than 15 s after.
    SharedVolume {
        /// One group.
        group: GroupKey,
        /// The other one.
        other: GroupKey,
    },
    /// A run's promised start is not what Velero's queue makes of it.
    Promise {
        /// The group.
        group: GroupKey,
        /// Its minute.
        due: Minute,
        /// The wait promised, s.
        promised_s: u32,
        /// The wait that the queue gives, s.
        queue_s: u32,
    },
    /// The load profile, or a figure of the feasibility, is not what the slots add up to.
    Figures(Figure),
}

/// What a plan says about a group that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misstatement {
    /// That it was skipped, or that it was not.
    Skipped,
    /// That its live slot is no longer needed, or that it is.
    Gone,
    /// The minutes that it moved from.
    MovedFrom,
    /// That it stayed, or that it did not.
    Kept,
    /// The load that it was planned with.
    Planned,
}

/// A figure that the slots do not add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Volumes starting, by minute.
    Starting,
    /// Volumes in flight, by minute.
    InFlight,
    /// Backups running, by minute.
    Running,
    /// A peak, or a bound above a peak or below what is certain.
    Peak,
    /// What is spare.
    Spare,
    /// It says that it does not fit, and nothing is missing.
    NothingShort,
    /// The budget's shortage.
    BudgetShortage,
    /// The shortage of backups at once.
    BackupsShortage,
    /// The shortage of a namespace.
    NamespaceShortage,
    /// The shortage of the window.
    WindowShortage,
}
