//! Where is the truth kept, and how does a test wait for it?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::fact::{Entry, ExecId, Fact, Moment};
use super::timeline::Timeline;

/// A log that all parts of one bed share; clones are the same log. Give it to a second server to go on writing into it.
#[derive(Clone, Debug)]
pub struct TruthLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    /// The same moment on the wall clock, for facts that come with its time.
    start_wall: Timestamp,
    entries: Mutex<Vec<Arc<Entry>>>,
    next_exec: Mutex<u64>,
    length: watch::Sender<usize>,
}

/// A condition did not come true in time. The text shows what did happen.
#[derive(Debug, thiserror::Error)]
#[error("waited {limit:?} in vain until {what}; what happened so far:\n{timeline}")]
pub struct TruthTimeout {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub limit: Duration,
    /// All that had happened by then.
    pub timeline: Timeline,
}

impl Default for TruthLog {
    fn default() -> Self {
        let inner = Inner {
            start: Instant::now(),
            start_wall: Timestamp::now(),
            entries: Mutex::default(),
            next_exec: Mutex::default(),
            length: watch::Sender::new(0),
        };
        Self(Arc::new(inner))
    }
}

impl TruthLog {
    /// Writes a fact that happens now, and says when that was.
    pub fn record(&self, fact: Fact) -> Moment {
        // The clock is read under the lock, so that the order of entries is the order of times.
        let mut entries = unpoisoned(&self.0.entries);
        let at = self.now();
        self.push(&mut entries, Entry { at, fact });
        at
    }

    /// Writes a fact of another process that happened at `wall` by this machine's clock; it goes to its place among those that
    /// are there. A time before the log's begin counts as its begin.
    pub fn record_at(&self, wall: Timestamp, fact: Fact) {
        let since_start = Duration::try_from(wall.duration_since(self.0.start_wall)).unwrap_or_default();
        let entry = Entry { at: Moment { since_start, wall }, fact };
        let mut entries = unpoisoned(&self.0.entries);
        let place = entries.partition_point(|before| before.at.since_start <= since_start);
        entries.insert(place, Arc::new(entry));
        self.0.length.send_replace(entries.len());
    }

    /// Does something and writes what it was, with the time just before it: for a start whose time must not be late. Nothing
    /// else is written meanwhile. Writes nothing when it fails. Gives that time too.
    pub fn record_doing<T, E>(&self, act: impl FnOnce() -> Result<(Fact, T), E>) -> Result<(Moment, T), E> {
        let mut entries = unpoisoned(&self.0.entries);
        let at = self.now();
        let (fact, done) = act()?;
        self.push(&mut entries, Entry { at, fact });
        Ok((at, done))
    }

    fn now(&self) -> Moment {
        Moment { since_start: self.0.start.elapsed(), wall: Timestamp::now() }
    }

    fn push(&self, entries: &mut Vec<Arc<Entry>>, entry: Entry) {
        entries.push(Arc::new(entry));
        self.0.length.send_replace(entries.len());
    }

    /// A number for a new exec.
    pub fn new_exec(&self) -> ExecId {
        let mut next = unpoisoned(&self.0.next_exec);
        *next += 1;
        ExecId(*next)
    }

    /// All that has happened so far.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(unpoisoned(&self.0.entries).clone())
    }

    /// Waits until a condition holds for what has happened, and returns that.
    ///
    /// `what` completes the sentence "waited in vain until …".
    pub async fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Timeline) -> bool,
    ) -> Result<Timeline, TruthTimeout> {
        let mut length = self.0.length.subscribe();
        let met = async {
            loop {
                length.mark_unchanged();
                let timeline = self.timeline();
                if condition(&timeline) {
                    return timeline;
                }
                // The sender lives as long as `self`, so this cannot fail while we wait.
                let _ = length.changed().await;
            }
        };
        tokio::time::timeout(limit, met).await.map_err(|_| TruthTimeout {
            what: what.to_owned(),
            limit,
            timeline: self.timeline(),
        })
    }
}

/// A panicking test must not hide what happened: the data is a plain list and always whole.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_sees_what_is_recorded_later() {
        let log = TruthLog::default();
        let writer = log.clone();
        let waiting = log.wait_until("a server starts", Duration::from_secs(5), |t| !t.entries().is_empty());
        let (timeline, _) = tokio::join!(waiting, async move { writer.record(Fact::ServerStarted) });
        assert_eq!(timeline.unwrap().entries()[0].fact, Fact::ServerStarted);
    }

    #[tokio::test]
    async fn a_condition_that_never_comes_true_says_what_happened() {
        let log = TruthLog::default();
        log.record(Fact::ServerKilled);
        let error = log.wait_until("pigs fly", Duration::from_millis(1), |_| false).await.unwrap_err().to_string();
        assert!(error.contains("until pigs fly") && error.contains("server killed"), "{error}");
    }

    #[test]
    fn what_comes_late_goes_to_its_place() {
        let log = TruthLog::default();
        let begin = log.record(Fact::ServerStarted).wall;
        std::thread::sleep(Duration::from_millis(2));
        log.record(Fact::ServerKilled);
        let phase = Fact::Phase { backup: "b".into(), phase: crate::velero::backup::Phase::Failed };
        log.record_at(begin + Duration::from_millis(1), phase.clone());
        log.record_at(begin - Duration::from_secs(9), phase);
        let facts: Vec<_> = log.timeline().entries().iter().map(|e| std::mem::discriminant(&e.fact)).collect();
        let [first, started, second, killed] = facts[..] else { panic!("{facts:?}") };
        assert!(first == second && started != killed && first != started);
        assert!(log.timeline().entries().is_sorted_by_key(|entry| entry.at.since_start));
    }

    #[test]
    fn numbers_are_unique() {
        let log = TruthLog::default();
        assert_ne!(log.new_exec(), log.clone().new_exec());
    }
}
