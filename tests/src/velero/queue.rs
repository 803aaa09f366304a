//! Which waiting Backup may start now?
//!
//! Rules: Velero 1.18 `backup_queue_controller.go`. A Backup waits while as many run as may, while it shares a namespace with
//! one that runs or waits before it, and while one before it could start instead.

use super::backup::Phase;

/// A Backup as the queue sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its name.
    pub name: String,
    /// `Queued`, `ReadyToStart` or `InProgress`; others do not belong here.
    pub phase: Phase,
    /// 1 is next; 0 for those that have left the queue.
    pub position: u64,
    /// Namespaces of the cluster that it covers.
    pub namespaces: Vec<String>,
}

/// May it start?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueVerdict {
    /// Yes.
    Start,
    /// As many run as may.
    NoSlot,
    /// It shares a namespace with this one, which runs or waits before it.
    NamespaceConflict(String),
    /// This one waits before it and could start.
    EarlierRunnable(String),
}

/// Judges one queued Backup. `running` counts those that hold a slot, which is not the same as those in `InProgress`.
pub fn judge(candidate: &QueueEntry, all: &[QueueEntry], running: usize, concurrent: usize) -> QueueVerdict {
    if running >= concurrent {
        return QueueVerdict::NoSlot;
    }
    let earlier: Vec<&QueueEntry> = all.iter().filter(|other| other.position < candidate.position).collect();
    if let Some(other) = conflict(candidate, &earlier) {
        return QueueVerdict::NamespaceConflict(other.name.clone());
    }
    let runnable = earlier.iter().find(|other| other.phase == Phase::Queued && conflict(other, &earlier).is_none());
    runnable.map_or(QueueVerdict::Start, |other| QueueVerdict::EarlierRunnable(other.name.clone()))
}

fn conflict<'a>(candidate: &QueueEntry, earlier: &[&'a QueueEntry]) -> Option<&'a QueueEntry> {
    let counts = |other: &&&QueueEntry| other.phase != Phase::Queued || other.position < candidate.position;
    let shares = |other: &&&QueueEntry| other.namespaces.iter().any(|ns| candidate.namespaces.contains(ns));
    earlier.iter().filter(counts).find(shares).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> QueueEntry {
        let [name, position, namespaces] = text.split(':').collect::<Vec<_>>()[..] else {
            panic!("name:position:namespaces")
        };
        let position: u64 = position.parse().unwrap();
        let phase = if position == 0 { Phase::InProgress } else { Phase::Queued };
        let namespaces = namespaces.split('+').map(str::to_owned).collect();
        QueueEntry { name: name.into(), phase, position, namespaces }
    }

    /// Judges the last of the entries.
    fn check(entries: &str, concurrent: usize, expected: &QueueVerdict) {
        let all: Vec<QueueEntry> = entries.split_whitespace().map(entry).collect();
        let running = all.iter().filter(|e| e.position == 0).count();
        assert_eq!(judge(all.last().unwrap(), &all, running, concurrent), *expected, "{entries}");
    }

    #[test]
    fn verdicts() {
        check("a:1:x", 1, &QueueVerdict::Start);
        check("a:0:x b:1:y", 1, &QueueVerdict::NoSlot);
        check("a:0:x b:1:y", 2, &QueueVerdict::Start);
        check("a:0:x+y b:1:y", 2, &QueueVerdict::NamespaceConflict("a".into()));
        check("a:1:x b:2:y", 2, &QueueVerdict::EarlierRunnable("a".into()));
        check("a:1:x b:2:x", 2, &QueueVerdict::NamespaceConflict("a".into()));
        // The one before it cannot start, so it may overtake.
        check("r:0:x a:1:x b:2:y", 2, &QueueVerdict::Start);
    }
}
