//! What a source has to show for its word: enums first, text last.

use std::fmt;

use shared::duration::format_ms;
use shared::time::WallTime;

use super::snapshot_error::SnapshotError;
use crate::objects::ObjectKey;

/// Where a signal comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// VolumeSnapshotContents: errors, and the age of one without a handle. Needs no AWS permission.
    Contents,
    /// The EBS CSI driver's counters, scraped.
    Driver,
    /// A CloudWatch metric.
    CloudWatch,
    /// How Backups ended.
    Backups,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Contents, Self::Driver, Self::CloudWatch, Self::Backups];

    /// Its word in logs, metrics and Leases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contents => "snapshot-contents",
            Self::Driver => "driver-metrics",
            Self::CloudWatch => "cloudwatch",
            Self::Backups => "backups",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be seen, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Snapshots were asked for, and nothing held them up.
    Calm,
    /// EC2 refuses calls of this account, or makes them wait.
    Throttled,
    /// Nothing tells. Never the same as calm.
    Unknown,
}

impl Level {
    /// Its word in logs, metrics and Leases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Throttled => "throttled",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a source has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Throttled: contents without a handle carry an error that is the account's.
    ContentErrors {
        /// The error of the first.
        error: SnapshotError,
        /// How many carry one of the kind.
        count: usize,
        /// One of them.
        snapshot: ObjectKey,
    },
    /// Throttled: contents that the driver works on have had no handle for too long.
    ContentsWithoutHandle {
        /// How many.
        count: usize,
        /// For how long the longest, ms.
        longest_ms: u64,
        /// That one.
        snapshot: ObjectKey,
    },
    /// Throttled: a handle came, but late.
    HandleLate {
        /// After how long, ms.
        after_ms: u64,
        /// Of which snapshot.
        snapshot: ObjectKey,
    },
    /// Calm: contents got their handles in time.
    HandlesInTime {
        /// How many.
        count: usize,
        /// The slowest, ms.
        slowest_ms: u64,
    },
    /// Unknown: the driver's sidecar does not take contents up; it is not running, or it is drowned.
    ContentsNotTakenUp {
        /// How many.
        count: usize,
        /// For how long the longest, ms.
        longest_ms: u64,
    },
    /// Unknown: contents have been without a handle for so long that throttling alone does not explain it.
    ContentsStuck {
        /// How many.
        count: usize,
    },
    /// Throttled: the driver counted throttled calls.
    DriverThrottles {
        /// How many.
        count: u64,
    },
    /// Throttled: the driver counted errors that are the account's.
    DriverErrors {
        /// Which.
        error: SnapshotError,
        /// How many.
        count: u64,
    },
    /// Calm: the driver counted calls and no throttle.
    DriverCalls {
        /// How many.
        count: u64,
    },
    /// Throttled: CloudWatch counted.
    CloudWatchCount {
        /// The metric's name.
        metric: String,
        /// Its sum over the period, rounded up.
        count: u64,
        /// When the period ended.
        until: WallTime,
    },
    /// Calm: CloudWatch counted nothing, and said so.
    CloudWatchZero {
        /// The metric's name.
        metric: String,
        /// When the newest period ended.
        until: WallTime,
    },
    /// Throttled: several native snapshots of one Backup failed.
    BackupFailures {
        /// The Backup.
        backup: ObjectKey,
        /// Snapshots that it asked for.
        attempted: u32,
        /// Of these were made.
        completed: u32,
    },
    /// Calm: all of a Backup's snapshots were made.
    BackupWhole {
        /// The Backup.
        backup: ObjectKey,
        /// Snapshots.
        count: u32,
    },
    /// Unknown, and why.
    Nothing(Silence),
}

/// Why a source says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It is not set up.
    Off,
    /// It was not heard yet.
    NotHeardYet,
    /// It cannot be read; the text says why and what to do.
    Unreadable(String),
    /// It can be read, and what it said last is too old.
    Old,
    /// It can be read, and nothing has happened that it could tell about.
    Idle,
    /// The metric exists nowhere: no data, and not zero.
    NoSuchMetric(String),
    /// The numbers are none (NaN, negative, absurd).
    Nonsense(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::NotHeardYet => f.write_str("not heard yet"),
            Self::Unreadable(why) => f.write_str(why),
            Self::Old => f.write_str("nothing new for too long"),
            Self::Idle => f.write_str("no snapshot was made lately"),
            Self::NoSuchMetric(what) => write!(f, "no data: {what}"),
            Self::Nonsense(what) => write!(f, "not a count: {what}"),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentErrors { error, count, snapshot } => {
                write!(f, "{count} snapshots without a handle and with error {error}, {snapshot} for one")
            }
            Self::ContentsWithoutHandle { count, longest_ms, snapshot } => {
                write!(f, "{count} snapshots without a handle, {snapshot} for {}", format_ms(*longest_ms))
            }
            Self::HandleLate { after_ms, snapshot } => {
                write!(f, "snapshot {snapshot} got its handle only after {}", format_ms(*after_ms))
            }
            Self::HandlesInTime { count, slowest_ms } => {
                write!(f, "{count} snapshots got their handles within {}", format_ms(*slowest_ms))
            }
            Self::ContentsNotTakenUp { count, longest_ms } => write!(
                f,
                "{count} snapshots that nobody works on, one for {}: does csi-snapshotter run beside the EBS CSI driver?",
                format_ms(*longest_ms)
            ),
            Self::ContentsStuck { count } => {
                write!(
                    f,
                    "{count} snapshots have been without a handle for too long to be throttled only: see their errors"
                )
            }
            Self::DriverThrottles { count } => {
                write!(f, "the EBS CSI driver had {count} throttled CreateSnapshot calls")
            }
            Self::DriverErrors { error, count } => write!(f, "the EBS CSI driver got {error} {count} times"),
            Self::DriverCalls { count } => {
                write!(f, "{count} CreateSnapshot calls of the EBS CSI driver, none throttled")
            }
            Self::CloudWatchCount { metric, count, until } => {
                write!(f, "CloudWatch {metric} was {count} in the period to {}", minute(*until))
            }
            Self::CloudWatchZero { metric, until } => write!(f, "CloudWatch {metric} was 0 up to {}", minute(*until)),
            Self::BackupFailures { backup, attempted, completed } => {
                let failed = attempted.saturating_sub(*completed);
                write!(f, "{failed} of {attempted} native snapshots of Backup {backup} failed")
            }
            Self::BackupWhole { backup, count } => write!(f, "all {count} snapshots of Backup {backup} were made"),
            Self::Nothing(silence) => silence.fmt(f),
        }
    }
}

fn minute(at: WallTime) -> String {
    at.timestamp().strftime("%H:%M UTC").to_string()
}
