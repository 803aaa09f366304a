//! Takes part in the election of a leader: reads and writes the leader Lease as the core's election decides.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use coordinator_core::election::{Decision, Election, RETRY_PERIOD_MS, Record};
use coordinator_core::event::{Event, Version};
use coordinator_core::neighbours::Serving;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use serde_json::Value;
use shared::deadline::CALL_TIMEOUT_MS;
use shared::identity::Namespace;
use shared::names::{FIELD_MANAGER_COORDINATOR, LEADER_LEASE};
use shared::time::WallTime;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::api::{Trouble, TroubleKind};
use crate::clock::Clock;
use crate::input::{Inbox, Input};
use crate::kind::Kind;
use crate::log::{EventType, Fields, Log};
use crate::metrics::Metrics;
use crate::other_installs::Lookout;
use crate::page::LeaderSeen;
use crate::signals::{Stop, stopped};
use crate::watch::Troubles;

/// Giving the Lease up takes no longer than this, ms: the process must end within 5 s.
const RELEASE_TIMEOUT_MS: u64 = 1_500;

/// Replicas that start together try at different moments: up to this much later, ms (client-go's jitter of 20 %).
const JITTER_MS: u64 = RETRY_PERIOD_MS / 5;

/// A candidate.
pub struct Candidate {
    api: Api<Lease>,
    namespace: Namespace,
    identity: String,
    election: Election,
    clock: Clock,
    inbox: Inbox,
    log: Log,
    metrics: Metrics,
    troubles: Arc<Troubles>,
    leader: watch::Sender<LeaderSeen>,
    led: bool,
    waits_for: Option<String>,
    lookout: Lookout,
    stands_back: Option<Serving>,
}

/// What a candidate tells of itself.
pub struct Voice {
    /// Where leadership is told.
    pub inbox: Inbox,
    /// Lines.
    pub log: Log,
    /// The leader gauge.
    pub metrics: Metrics,
    /// What does not work.
    pub troubles: Arc<Troubles>,
    /// Who leads, for those who look.
    pub leader: watch::Sender<LeaderSeen>,
}

impl Candidate {
    /// A candidate that has not looked yet.
    pub fn new(
        client: Client,
        namespace: Namespace,
        identity: String,
        clock: Clock,
        lookout: Lookout,
        voice: Voice,
    ) -> Self {
        let Voice { inbox, log, metrics, troubles, leader } = voice;
        Self {
            api: Api::namespaced(client, namespace.as_str()),
            namespace,
            election: Election::new(identity.clone()),
            identity,
            clock,
            inbox,
            log,
            metrics,
            troubles,
            leader,
            led: false,
            waits_for: None,
            lookout,
            stands_back: None,
        }
    }

    /// Takes part until the process is asked to stop.
    pub async fn run(&mut self, stop: Stop) {
        tokio::select! {
            () = self.take_part() => {}
            () = stopped(stop) => {}
        }
    }

    /// Gives the Lease up, if it is ours. Not given up in time is no harm: it runs out by itself.
    pub async fn release(&mut self) {
        let _in_time = timeout(Duration::from_millis(RELEASE_TIMEOUT_MS), self.try_release()).await.is_ok();
    }

    async fn try_release(&mut self) {
        // The stop may have cut a renewal short that the API server took all the same: then the Lease is read once more.
        for _try in 0..2 {
            let Some((record, version)) = self.election.release(self.clock.now()) else { return };
            let lease = self.encode(&record, Some(version));
            if let Ok(written) = self.api.replace(LEADER_LEASE, &params(), &lease).await {
                self.election.observe(Some((record, version_of(&written))), self.clock.mono());
                return;
            }
            let Ok(found) = self.api.get_opt(LEADER_LEASE).await else { return };
            self.election.observe(found.as_ref().map(decode), self.clock.mono());
        }
    }

    async fn take_part(&mut self) {
        let jitter = RandomState::new().hash_one(&self.identity) % JITTER_MS;
        loop {
            self.attempt().await;
            self.show();
            self.tell().await;
            let renew = Duration::from_millis(RETRY_PERIOD_MS + jitter);
            let lead_ends = Duration::from_millis(self.election.leads_for_ms(self.clock.mono()));
            // A leader whose renewals fail must not lead a moment longer than it may.
            if self.led && lead_ends < renew {
                sleep(lead_ends).await;
                self.tell().await;
            } else {
                sleep(renew).await;
            }
        }
    }

    async fn attempt(&mut self) {
        if self.stands_back().await {
            return;
        }
        if self.election.must_read(self.clock.mono()) {
            match self.bounded(self.api.get_opt(LEADER_LEASE)).await {
                Ok(found) => self.election.observe(found.as_ref().map(decode), self.clock.mono()),
                Err(trouble) => return self.troubles.broke(Kind::LeaderLease, &trouble),
            }
        }
        let decision = self.election.decide(self.clock.now());
        let (record, version) = match decision {
            Decision::Create(record) => (record, None),
            Decision::Write(record, version) => (record, Some(version)),
            Decision::Wait { holder, twin } => {
                self.troubles.over(Kind::LeaderLease);
                return self.waits(holder, twin);
            }
        };
        self.write(record, version).await;
    }

    /// Whether an older install serves this cluster. Whoever led then gives the lead up.
    async fn stands_back(&mut self) -> bool {
        let serving = self.lookout.serving(self.clock.mono(), self.call_limit_ms()).await;
        // It may have taken all the time that was left to lead.
        self.tell().await;
        if serving.is_some() && self.election.leads(self.clock.mono()) {
            self.election.conflicted();
            self.tell().await;
            self.release().await;
        }
        self.metrics.stands_back(serving.is_some());
        if serving != self.stands_back {
            if let Some(Serving { namespace, holder }) = &serving {
                let mut fields = self.fields();
                fields.extend([
                    ("other".to_owned(), Value::from(namespace.as_str())),
                    ("holder".to_owned(), Value::from(holder.as_str())),
                ]);
                let message = format!(
                    "{holder} in the namespace {namespace} serves this cluster, and its install is the older one: this one stands back; \
                     keep one install a cluster (docs/operations.md), or let each select pods of its own and set --other-installs ignore"
                );
                self.log.say(EventType::StandsBack, &message, &fields);
            }
            self.waits_for = None;
            self.stands_back = serving;
        }
        self.stands_back.is_some()
    }

    async fn write(&mut self, record: Record, version: Option<Version>) {
        let lease = self.encode(&record, version.clone());
        self.election.claim(&record);
        let sent = self.clock.mono();
        let result = match version {
            None => self.bounded(self.api.create(&params(), &lease)).await,
            Some(_) => self.bounded(self.api.replace(LEADER_LEASE, &params(), &lease)).await,
        };
        match result {
            Ok(written) => {
                self.troubles.over(Kind::LeaderLease);
                self.waits_for = None;
                self.election.written(record, version_of(&written), sent);
            }
            Err(trouble) if matches!(trouble.kind, TroubleKind::Conflict | TroubleKind::NotFound) => {
                self.election.conflicted();
                // No such namespace is no race that somebody won.
                if version_is_missing(&lease) && trouble.kind == TroubleKind::NotFound {
                    self.troubles.broke(Kind::LeaderLease, &trouble);
                }
            }
            Err(trouble) => self.troubles.broke(Kind::LeaderLease, &trouble),
        }
    }

    /// A call ends before leadership would, so that its end is noticed in time.
    async fn bounded<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
        let left = self.call_limit_ms();
        match timeout(Duration::from_millis(left), call).await {
            Ok(result) => result.map_err(|error| Trouble::of(&error)),
            Err(_elapsed) => Err(Trouble::timeout(left)),
        }
    }

    /// How long a call may take, ms.
    fn call_limit_ms(&self) -> u64 {
        match self.election.leads_for_ms(self.clock.mono()) {
            0 => CALL_TIMEOUT_MS,
            left => left.min(CALL_TIMEOUT_MS),
        }
    }

    async fn tell(&mut self) {
        let leads = self.election.leads(self.clock.mono());
        if leads == self.led {
            return;
        }
        self.led = leads;
        self.metrics.leading(leads);
        if leads {
            self.log.say(EventType::Leading, &format!("{} leads", self.identity), &self.fields());
        } else {
            let message = format!("{} leads no more: its Lease could not be renewed, or was taken", self.identity);
            self.log.say(EventType::Following, &message, &self.fields());
        }
        // The loop is gone only when the process ends.
        let _ending = self.inbox.send(Input::from(Event::Leading(leads))).await.is_err();
    }

    fn show(&self) {
        let seen = self.election.seen(self.clock.mono());
        if seen.is_none() && self.stands_back.is_none() {
            return;
        }
        let record = seen.map(|(record, _)| record);
        self.leader.send_replace(LeaderSeen {
            holder: record.and_then(|record| record.holder.clone()),
            renewed_at: record.map(|record| record.renewed_at),
            unchanged_ms: seen.map_or(0, |(_, unchanged_ms)| unchanged_ms),
            known: true,
            stands_back: self.stands_back.clone(),
        });
    }

    fn waits(&mut self, holder: String, twin: bool) {
        if self.waits_for.as_ref() == Some(&holder) {
            return;
        }
        let mut fields = self.fields();
        fields.insert("holder".to_owned(), Value::from(holder.as_str()));
        if twin {
            let message =
                format!("another process leads as {holder} too: give each replica its own --identity (POD_NAME)");
            self.log.say(EventType::IdentityConflict, &message, &fields);
        } else {
            self.log.say(EventType::Following, &format!("{holder} leads"), &fields);
        }
        self.waits_for = Some(holder);
    }

    fn fields(&self) -> Fields {
        Fields::from_iter([
            ("identity".to_owned(), Value::from(self.identity.as_str())),
            ("lease".to_owned(), Value::from(format!("{}/{LEADER_LEASE}", self.namespace))),
        ])
    }

    fn encode(&self, record: &Record, version: Option<Version>) -> Lease {
        let Record { holder, duration_s, acquired_at, renewed_at, transitions } = record;
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let (resource, uid) = version.map(|Version { resource, uid }| (resource, uid)).unzip();
        Lease {
            metadata: ObjectMeta {
                namespace: Some(self.namespace.to_string()),
                name: Some(LEADER_LEASE.to_owned()),
                labels: Some([("app.kubernetes.io/part-of".to_owned(), "velero-snapshot-groups".to_owned())].into()),
                resource_version: resource,
                uid,
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: holder.clone(),
                lease_duration_seconds: Some(number(*duration_s)),
                acquire_time: Some(MicroTime(acquired_at.timestamp())),
                renew_time: Some(MicroTime(renewed_at.timestamp())),
                lease_transitions: Some(number(*transitions)),
                ..LeaseSpec::default()
            }),
        }
    }
}

fn version_is_missing(lease: &Lease) -> bool {
    lease.metadata.resource_version.is_none()
}

/// Reads a leader Lease, whoever wrote it: what is missing or nonsense counts as nothing, so that nothing blocks the election.
pub fn decode(lease: &Lease) -> (Record, Version) {
    let spec = lease.spec.clone().unwrap_or_default();
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
    let time = |time: Option<MicroTime>| time.map_or(WallTime::EPOCH, |MicroTime(at)| WallTime::from(at));
    let record = Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration_s: number(spec.lease_duration_seconds),
        acquired_at: time(spec.acquire_time),
        renewed_at: time(spec.renew_time),
        transitions: number(spec.lease_transitions),
    };
    (record, version_of(lease))
}

fn version_of(lease: &Lease) -> Version {
    Version {
        resource: lease.metadata.resource_version.clone().unwrap_or_default(),
        uid: lease.metadata.uid.clone().unwrap_or_default(),
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER_COORDINATOR.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
