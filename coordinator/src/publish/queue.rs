//! What waits to be told: at most so much, and whoever hands it in never waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use coordinator_core::report::Report;
use kube::Client;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::writer::Writer;
use crate::log::{Log, Repeats};
use crate::metrics::Metrics;

/// Reports that wait to be written. A night's start with hundreds of groups makes about two each, within minutes, and one write takes
/// ms; 1,024 of them are at most 2 MB.
const WAITING_MAX: usize = 1_024;

/// Why an Event was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Too many waited.
    QueueFull,
    /// We may not write Events in that namespace, or it is gone.
    Refused,
    /// The API server could not take it, several times.
    Failed,
}

impl Dropped {
    /// The word in the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Where reports are handed in. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    queue: Sender<Report>,
    metrics: Metrics,
    repeats: Arc<Mutex<Repeats>>,
}

impl Publisher {
    /// Starts the task that writes; it ends when nobody can hand in any more. `instance` is this process among its replicas.
    pub fn start(client: Client, instance: &str, log: Log, metrics: Metrics) -> Self {
        let (publisher, reports) = Self::new(metrics.clone());
        tokio::spawn(Writer::new(client, instance, log, metrics).run(reports));
        publisher
    }

    fn new(metrics: Metrics) -> (Self, Receiver<Report>) {
        let (queue, reports) = mpsc::channel(WAITING_MAX);
        (Self { queue, metrics, repeats: Arc::default() }, reports)
    }

    /// Hands a report in; where there is no room it is dropped and counted.
    pub fn offer(&self, report: Report) {
        if report.reason.lasts() {
            let what = format!("{:?} {:?}", report.reason, report.about);
            let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
            if !repeats.worth_saying(&what, Instant::now()) {
                return;
            }
        }
        if self.queue.try_send(report).is_err() {
            self.metrics.event_dropped(Dropped::QueueFull);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_core::objects::ObjectKey;
    use coordinator_core::reason::Reason;
    use coordinator_core::report::{Subject, SubjectKind};

    fn report(reason: Reason, n: usize) -> Report {
        let key = ObjectKey { namespace: "prod".parse().unwrap(), name: format!("db-{n}") };
        Report::new(Subject { kind: SubjectKind::StatefulSet, key, uid: None }, None, reason, "note")
    }

    #[test]
    fn a_flood_finds_no_room_is_counted_and_delays_nobody() {
        const FLOOD: usize = 10_000;
        let metrics = Metrics::new();
        let (publisher, mut reports) = Publisher::new(metrics.clone());
        // Nobody takes anything out: an API server that does not answer. A call that waited would never return.
        for n in 0..FLOOD {
            publisher.offer(report(Reason::SnapshotGroupConsistent, n));
        }
        let dropped = format!("kubernetes_events_dropped_total{{why=\"queue-full\"}} {}", FLOOD - WAITING_MAX);
        assert!(metrics.text().contains(&dropped), "{}", metrics.text());
        assert_eq!(reports.try_recv().ok(), Some(report(Reason::SnapshotGroupConsistent, 0)), "the first is kept");
    }

    #[test]
    fn what_lasts_is_told_once_in_a_while_for_each_object() {
        let (publisher, mut reports) = Publisher::new(Metrics::new());
        for n in [1, 1, 2, 1, 2] {
            publisher.offer(report(Reason::SnapshotLabelRefused, n));
            publisher.offer(report(Reason::SnapshotMemberLost, n));
        }
        let mut labels = 0;
        let mut others = 0;
        while let Ok(taken) = reports.try_recv() {
            if taken.reason == Reason::SnapshotLabelRefused { labels += 1 } else { others += 1 }
        }
        assert_eq!((labels, others), (2, 5));
    }
}
