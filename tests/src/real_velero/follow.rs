//! How do the lines of both logs get into the truth log?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::attribution::Attribution;
use super::tail::Tail;
use super::{kubelet_log, server_log};
use crate::velero::object_name::ObjectName;
use crate::velero::truth::TruthLog;

/// Between two looks into the logs: short beside an exec's round trip, long beside a look.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Which claims each pod mounts; told by whoever makes pods.
#[derive(Debug, Default)]
pub struct Mounts(Mutex<BTreeMap<ObjectName, Vec<ObjectName>>>);

impl Mounts {
    /// A pod with these claims was made.
    pub fn add(&self, pod: &ObjectName, claims: &[ObjectName]) {
        self.lock().insert(pod.clone(), claims.to_vec());
    }

    /// The claims that any of the pods mounts, each with those of the pods that do.
    pub(super) fn claims_of(&self, pods: &[ObjectName]) -> Vec<(ObjectName, Vec<ObjectName>)> {
        let mounts = self.lock();
        let mut claims: BTreeMap<ObjectName, Vec<ObjectName>> = BTreeMap::new();
        for pod in pods {
            for claim in mounts.get(pod).into_iter().flatten() {
                claims.entry(claim.clone()).or_default().push(pod.clone());
            }
        }
        claims.into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectName, Vec<ObjectName>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads both logs into the truth log.
#[derive(Debug)]
pub(super) struct Follower {
    truth: TruthLog,
    reading: Mutex<(Tail, Tail, Attribution)>,
}

impl Follower {
    pub(super) fn new(truth: TruthLog, kubelet: PathBuf, server: PathBuf, mounts: Arc<Mounts>) -> Self {
        let reading = (Tail::new(kubelet), Tail::new(server), Attribution::new(mounts));
        Self { truth, reading: Mutex::new(reading) }
    }

    /// Until it is dropped.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            self.look();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes in what is new.
    pub(super) fn look(&self) {
        let (kubelet, server, attribution) = &mut *self.lock();
        // Velero writes its line before it asks for the exec. So: the kubelet's lines are read first and used last.
        let execs = kubelet.lines();
        let said = server.lines();
        let now = Timestamp::now();
        let of_server = said.iter().filter_map(|line| server_log::read(line));
        for (backup, said) in
            of_server.flat_map(|(backup, said)| said.into_iter().map(move |one| (backup.clone(), one)))
        {
            self.record(attribution.said(now, &backup, said));
        }
        for exec in execs.iter().filter_map(|line| kubelet_log::read(line)) {
            self.record(attribution.exec(exec));
        }
    }

    /// The server has ended; what it wrote before is taken in first.
    pub(super) fn server_ended(&self) {
        self.look();
        self.lock().2.server_ended();
    }

    fn record(&self, facts: Vec<(Timestamp, crate::velero::truth::Fact)>) {
        for (at, fact) in facts {
            self.truth.record_at(at, fact);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Tail, Tail, Attribution)> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
