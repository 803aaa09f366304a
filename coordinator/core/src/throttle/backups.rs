//! What do finished Backups tell? Little, but for native snapshots there is nothing else in the cluster.
//!
//! Native snapshots leave no object of their own; the plugin tries each call three times and a Backup's status counts what was made. One
//! that failed may have any reason. Of CSI snapshots their contents tell more and sooner, so these are not counted here.

use std::collections::BTreeSet;

use super::evidence::{Evidence, Level, Silence, Source};
use super::settings::RECENT_MS;
use super::signals::Reading;
use crate::objects::ObjectKey;
use crate::time::Mono;

/// From so many failed snapshots in one Backup on, throttling is the likely reason; a single one may be a volume that is gone.
const FAILED_MIN: u32 = 2;

/// Backups that are followed at once; more than Velero ever has queued.
const FOLLOWED_MAX: usize = 1_000;

/// A Backup as it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSeen {
    /// The Backup.
    pub backup: ObjectKey,
    /// Whether its cuts are over: only then its counts mean anything.
    pub over: bool,
    /// `status.volumeSnapshotsAttempted`: native snapshots that it asked for.
    pub attempted: u32,
    /// `status.volumeSnapshotsCompleted`: of these were made.
    pub completed: u32,
}

/// The last Backup that cut natively.
#[derive(Clone, Debug, Default)]
pub struct Backups {
    /// Those that were seen before their cuts were over: what is over when it is first seen says nothing about now.
    running: BTreeSet<ObjectKey>,
    last: Option<(Mono, BackupSeen)>,
}

impl Backups {
    /// Takes a Backup as it is now.
    pub fn seen(&mut self, seen: BackupSeen, now: Mono) {
        if !seen.over {
            if self.running.len() < FOLLOWED_MAX {
                self.running.insert(seen.backup);
            }
        } else if self.running.remove(&seen.backup) && seen.attempted > 0 {
            self.last = Some((now, seen));
        }
    }

    /// A Backup is gone.
    pub fn gone(&mut self, backup: &ObjectKey) {
        self.running.remove(backup);
    }

    /// What they say now.
    pub fn reading(&self, now: Mono) -> Reading {
        let (level, evidence, at) = self.judge(now);
        Reading { source: Source::Backups, level, evidence, at, heard_at: self.last.as_ref().map(|(at, _)| *at) }
    }

    fn judge(&self, now: Mono) -> (Level, Evidence, Option<Mono>) {
        let recent = self.last.as_ref().filter(|(at, _)| now.ms_since(*at) <= RECENT_MS);
        let Some((at, BackupSeen { backup, over: _, attempted, completed })) = recent else {
            return (Level::Unknown, Evidence::Nothing(Silence::Idle), None);
        };
        let (attempted, completed) = (*attempted, *completed);
        let failures = Evidence::BackupFailures { backup: backup.clone(), attempted, completed };
        match attempted.saturating_sub(completed) {
            0 => (Level::Calm, Evidence::BackupWhole { backup: backup.clone(), count: completed }, Some(*at)),
            failed if failed >= FAILED_MIN => (Level::Throttled, failures, Some(*at)),
            _ => (Level::Unknown, failures, Some(*at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_native_snapshots_and_whole_backups() {
        let backup = ObjectKey { namespace: "velero".parse().unwrap(), name: "nightly".to_owned() };
        for (attempted, completed, level) in [
            (0, 0, Level::Unknown),
            (5, 5, Level::Calm),
            (5, 4, Level::Unknown),
            (5, 3, Level::Throttled),
            (3, 9, Level::Calm),
        ] {
            let mut backups = Backups::default();
            let seen = |over| BackupSeen { backup: backup.clone(), over, attempted, completed };
            backups.seen(seen(true), Mono(0));
            assert_eq!(backups.reading(Mono(1)).level, Level::Unknown, "it was over long ago, for all that is known");
            backups.seen(seen(false), Mono(0));
            backups.seen(seen(true), Mono(0));
            assert_eq!(backups.reading(Mono(1)).level, level, "{completed} of {attempted}");
            assert_eq!(backups.reading(Mono(RECENT_MS + 1)).level, Level::Unknown);
        }
    }
}
