//! Writes Events, one at a time: a flood of them is never more than one more request under way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coordinator_core::report::Report;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use serde_json::Value;
use shared::identity::Namespace;
use shared::names::FIELD_MANAGER_COORDINATOR;
use tokio::sync::mpsc::Receiver;

use super::event::event_of;
use super::queue::Dropped;
use crate::api::{Trouble, TroubleKind};
use crate::execute::{Refusals, bounded};
use crate::log::{EventType, Fields, Log};
use crate::metrics::Metrics;

/// An Event that the API server could not take is tried so often in all …
const TRIES_MAX: u32 = 3;
/// … with this pause after the first try, ms, and twice as long after the next: a leader change of etcd takes a second or two.
const PAUSE_FIRST_MS: u64 = 1_000;

/// The recorder remembers each Event for six minutes, to fold repeats into a series, and looks through all of them each time; after so
/// many it is replaced, which bounds its memory (about 1 KB each) and its work. A repeat is then a new Event.
const REMEMBERED_MAX: u32 = 256;

/// `reportingInstance` has at most this many characters (kubernetes `pkg/apis/core/validation/events.go`).
const INSTANCE_CHARS_MAX: usize = 128;

/// The resource, as in RBAC rules.
const RESOURCE: &str = "events.events.k8s.io";

/// The task's state.
pub struct Writer {
    client: Client,
    reporter: Reporter,
    recorder: Recorder,
    remembered: u32,
    refusals: Refusals,
    /// Namespaces of which it was said that no Events can be written there.
    said: BTreeSet<Namespace>,
    log: Log,
    metrics: Metrics,
}

impl Writer {
    /// Reports as `instance`.
    pub fn new(client: Client, instance: &str, log: Log, metrics: Metrics) -> Self {
        let instance = instance.chars().take(INSTANCE_CHARS_MAX).collect();
        let reporter = Reporter { controller: FIELD_MANAGER_COORDINATOR.to_owned(), instance: Some(instance) };
        let recorder = Recorder::new(client.clone(), reporter.clone());
        let (refusals, said) = (Refusals::default(), BTreeSet::new());
        Self { client, reporter, recorder, remembered: 0, refusals, said, log, metrics }
    }

    /// Writes until nobody hands in any more.
    pub async fn run(mut self, mut reports: Receiver<Report>) {
        while let Some(report) = reports.recv().await {
            self.write(report).await;
        }
    }

    async fn write(&mut self, report: Report) {
        let namespace = report.about.key.namespace.clone();
        if !self.refusals.may_try(&namespace, Instant::now()) {
            self.metrics.event_dropped(Dropped::Refused);
            return;
        }
        if report.reason.stands_alone() {
            self.forget(); // the recorder would fold it into the one before, and its note would be lost
        }
        let (event, about) = event_of(report);
        match self.publish(&event, &about).await {
            Ok(()) => {
                self.refusals.allowed(&namespace);
                self.said.remove(&namespace);
                self.metrics.event_written();
            }
            Err(trouble) => {
                let refused = matches!(trouble.kind, TroubleKind::Forbidden | TroubleKind::NotFound);
                self.metrics.event_dropped(if refused { Dropped::Refused } else { Dropped::Failed });
                self.say_once(&namespace, &trouble);
                if refused {
                    self.refusals.refused(namespace, Instant::now());
                }
            }
        }
    }

    async fn publish(&mut self, event: &Event, about: &ObjectReference) -> Result<(), Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            if self.remembered >= REMEMBERED_MAX {
                self.forget();
            }
            let Err(trouble) = bounded(self.recorder.publish(event, about)).await else {
                self.remembered += 1;
                return Ok(());
            };
            match trouble.kind {
                // The series' first Event is gone: a new one begins. (Or the namespace is, which the next try says.)
                TroubleKind::NotFound if self.remembered > 0 && tries < TRIES_MAX => self.forget(),
                TroubleKind::Overloaded | TroubleKind::Unreachable | TroubleKind::Silent | TroubleKind::Garbage
                    if tries < TRIES_MAX =>
                {
                    tokio::time::sleep(Duration::from_millis(PAUSE_FIRST_MS << (tries - 1))).await;
                }
                _ => return Err(trouble),
            }
        }
    }

    fn forget(&mut self) {
        self.recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        self.remembered = 0;
    }

    fn say_once(&mut self, namespace: &Namespace, trouble: &Trouble) {
        if !self.said.insert(namespace.clone()) {
            return;
        }
        let mut fields = Fields::from_iter([("namespace".to_owned(), Value::from(namespace.as_str()))]);
        if let Some(code) = trouble.code {
            fields.insert("code".to_owned(), Value::from(code));
        }
        let advice = trouble.advice("create", RESOURCE);
        let message = format!("no Kubernetes Events in namespace {namespace}: {trouble}: {advice}; all else goes on");
        self.log.say(EventType::EventsRefused, &message, &fields);
    }
}
