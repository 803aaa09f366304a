//! This attempt's registration: the member Lease as this process last wrote it, and what it means when somebody else did.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use shared::admission::{Admission, MemberPhase};
use shared::boot_time::{BootTime, SteadySpan};
use shared::deadline::{MEMBER_LEASE_S, STANDBY_LEASE_S};
use shared::group_lease::Epoch;
use shared::identity::{AttemptId, GroupId, IdentityError, LeaseName, Namespace, Nonce, PodName, PodUid};
use shared::member_lease::{MemberLease, Resident, annotations};
use shared::names::member_lease;
use shared::quiesce::QuiesceKinds;

use crate::call::CallError;
use crate::clock::{Clock, Moment};
use crate::identity::Who;
use crate::leases::Leases;

/// How often one write is tried against edits by others before it counts as failed: more in a row is a fight, not a race.
const CONFLICTS_MAX: u32 = 3;

/// One attempt's registration.
pub struct Member {
    leases: Leases,
    name: LeaseName,
    record: MemberLease,
    registered: Option<BootTime>,
    stored: Option<Stored>,
    asked: bool,
}

/// The Lease as the API server last confirmed it. Both are preconditions of the next write: the uid notices a Lease that was
/// deleted and made anew.
struct Stored {
    uid: Option<String>,
    resource_version: String,
}

/// What a write changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// A sign of life, or the first registration.
    Beat,
    /// Everything is still.
    Quiesced {
        /// Since when, by the pod's clock; absent when it could not be held still and goes on all the same.
        at: Option<Moment>,
        /// Why it could not.
        failure: Option<String>,
        /// How it got past the gate.
        admission: Admission,
        /// The round that admitted it.
        epoch: Option<Epoch>,
        /// How long this counts without a post hook, s.
        hold_s: u32,
    },
    /// It gave up.
    Failed {
        /// Why.
        why: String,
        /// The round that called it, if one did: its coordinator waits for an answer.
        epoch: Option<Epoch>,
    },
    /// It was told to stop.
    Withdrawn,
    /// Nothing goes on in the pod, and its resident is there.
    StandBy,
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// The Lease is no longer this attempt's.
    TakenOver(TakenOver),
}

/// How a Lease stopped to be this attempt's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenOver {
    /// A later run of the hook registered.
    By(AttemptId),
    /// Somebody ended this attempt (its post hook, by `done`).
    Ended(MemberPhase),
    /// Somebody deleted it.
    Deleted,
}

/// Who registers.
pub struct Registrant {
    /// The pod.
    pub who: Who,
    /// Its uid.
    pub uid: PodUid,
    /// Its group.
    pub group: GroupId,
    /// When the agent stops waiting, ms from now.
    pub left_ms: u64,
    /// In which ways it will hold still.
    pub quiesce: QuiesceKinds,
    /// What the pod's resident says about itself, where one runs.
    pub resident: Option<Resident>,
}

impl Member {
    /// A registration that is not written yet. Errs for pod names that are too long for a Lease.
    pub fn new(leases: Leases, of: Registrant, nonce: Nonce) -> Result<Self, IdentityError> {
        let Registrant { who: Who { namespace, pod }, uid, group, left_ms, quiesce, resident } = of;
        let Moment { wall: now, boot: registered } = Moment::now();
        Ok(Self {
            leases,
            name: member_lease(&pod)?,
            registered,
            record: MemberLease {
                namespace,
                pod,
                group,
                attempt: AttemptId { pod_uid: uid, nonce },
                phase: MemberPhase::Waiting,
                registered_at: now,
                renewed_at: now,
                lease_duration_s: MEMBER_LEASE_S,
                deadline: now.plus_ms(i64::try_from(left_ms).unwrap_or(i64::MAX)),
                admission: None,
                epoch: None,
                quiesced_at: None,
                thawed_at: None,
                steady: SteadySpan::default(),
                quiesce,
                let_go: None,
                resident,
                failure: None,
                agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            stored: None,
            asked: false,
        })
    }

    /// Becomes another attempt of the same hook, to be registered anew.
    pub fn start_over(&mut self, nonce: Nonce) {
        let Moment { wall: now, boot: registered } = Moment::now();
        self.registered = registered;
        self.record.attempt.nonce = nonce;
        self.record.phase = MemberPhase::Waiting;
        self.record.registered_at = now;
        self.record.lease_duration_s = MEMBER_LEASE_S;
        self.record.admission = None;
        self.record.epoch = None;
        self.record.quiesced_at = None;
        self.record.steady = SteadySpan::default();
        self.record.failure = None;
        self.stored = None;
    }

    /// The attempt.
    pub fn attempt(&self) -> &AttemptId {
        &self.record.attempt
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.record.namespace
    }

    /// The pod.
    pub fn pod(&self) -> &PodName {
        &self.record.pod
    }

    /// The group.
    pub fn group(&self) -> &GroupId {
        &self.record.group
    }

    /// Where Leases are.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The Lease's name.
    pub fn lease_name(&self) -> &LeaseName {
        &self.name
    }

    /// Whether the API server confirmed a write of this attempt.
    pub fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Whether any write was sent: then there may be a registration, whether an answer came or not.
    pub fn may_be_stored(&self) -> bool {
        self.asked
    }

    /// Writes the whole Lease. The first write of an attempt takes it from whoever had it; each later one only if nobody else
    /// wrote in between, so that two runs of the hook cannot overwrite each other unseen.
    pub async fn write(&mut self, change: &Change, limit: Duration) -> Result<Written, CallError> {
        let record = self.changed(change);
        let mut last = None;
        for _ in 0..CONFLICTS_MAX {
            match self.put(&record, limit).await {
                Ok(()) => {
                    self.record = record;
                    return Ok(Written::Stored);
                }
                // A Lease that was made anew has another uid: kube-apiserver answers 422 to that (immutable), not 409.
                Err(e @ (CallError::Conflict { .. } | CallError::Refused { status: 422, .. }))
                    if self.stored.is_some() =>
                {
                    last = Some(e);
                }
                Err(e) => return Err(e),
            }
            if let Some(taken) = self.look(limit).await? {
                return Ok(Written::TakenOver(taken));
            }
        }
        Err(last.unwrap_or_else(|| CallError::Conflict { message: "others keep writing the Lease".to_owned() }))
    }

    async fn put(&mut self, record: &MemberLease, limit: Duration) -> Result<(), CallError> {
        let mut lease = record.encode().map_err(|e| CallError::Unusable { source: Box::new(e) })?;
        let registered = self.registered.as_ref().map(ToString::to_string).unwrap_or_default();
        lease.metadata.annotations.get_or_insert_default().insert(annotations::REGISTERED_BOOT.to_owned(), registered);
        if let Some(Stored { uid, resource_version }) = &self.stored {
            lease.metadata.uid.clone_from(uid);
            lease.metadata.resource_version = Some(resource_version.clone());
        }
        self.asked = true;
        let answer = self.leases.apply(&self.name, &lease, limit).await?;
        self.stored = Some(Stored::of(answer)?);
        Ok(())
    }

    /// Reads the Lease after a conflict. `None`: it is still this attempt's, somebody only edited it.
    async fn look(&mut self, limit: Duration) -> Result<Option<TakenOver>, CallError> {
        let lease = match self.leases.get(&self.name, limit).await {
            Ok(lease) => lease,
            Err(CallError::NotFound { .. }) => return Ok(Some(TakenOver::Deleted)),
            Err(e) => return Err(e),
        };
        let taken = owner_of(&lease, &self.record.attempt);
        if taken.is_none() {
            self.stored = Some(Stored::of(lease)?);
        }
        Ok(taken)
    }

    fn changed(&self, change: &Change) -> MemberLease {
        let now = Clock::wall();
        let mut record = self.record.clone();
        record.renewed_at = now;
        match change {
            Change::Beat => {}
            Change::Quiesced { at, failure, admission, epoch, hold_s } => {
                record.phase = MemberPhase::Quiesced;
                record.quiesced_at = at.as_ref().map(|at| at.wall);
                record.steady = SteadySpan { from: at.as_ref().and_then(|at| at.boot.clone()), to: None };
                record.failure.clone_from(failure);
                record.admission = Some(*admission);
                record.epoch = *epoch;
                record.lease_duration_s = *hold_s;
            }
            Change::Failed { why, epoch } => {
                record.phase = MemberPhase::Failed;
                record.failure = Some(why.clone());
                record.epoch = epoch.or(record.epoch);
            }
            Change::Withdrawn => record.phase = MemberPhase::Withdrawn,
            Change::StandBy => {
                record.phase = MemberPhase::Done;
                record.lease_duration_s = STANDBY_LEASE_S;
            }
        }
        record
    }
}

impl Stored {
    fn of(lease: Lease) -> Result<Self, CallError> {
        let resource_version = lease
            .metadata
            .resource_version
            .ok_or_else(|| CallError::Garbage { why: "it has no metadata.resourceVersion".to_owned() })?;
        Ok(Self { uid: lease.metadata.uid, resource_version })
    }
}

/// Who has the Lease, as far as that can be read. Nonsense in it is somebody's edit of this attempt's Lease, and is written
/// over; the name of another attempt is not.
fn owner_of(lease: &Lease, own: &AttemptId) -> Option<TakenOver> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
    match holder.parse::<AttemptId>() {
        Ok(other) if other != *own => Some(TakenOver::By(other)),
        Err(_) => None,
        Ok(_) => MemberLease::decode(lease).ok().filter(|l| l.phase.is_terminal()).map(|l| TakenOver::Ended(l.phase)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::coordination::v1::LeaseSpec;

    fn attempt(bits: u64) -> AttemptId {
        AttemptId { pod_uid: PodUid::new("u-1").unwrap(), nonce: Nonce::from_bits(bits) }
    }

    fn held_by(holder: Option<&str>) -> Lease {
        Lease {
            spec: Some(LeaseSpec { holder_identity: holder.map(str::to_owned), ..LeaseSpec::default() }),
            ..Lease::default()
        }
    }

    #[test]
    fn only_another_attempt_takes_a_lease_away() {
        let own = attempt(1);
        assert_eq!(owner_of(&held_by(Some(&attempt(2).to_string())), &own), Some(TakenOver::By(attempt(2))));
        assert_eq!(owner_of(&held_by(Some(&own.to_string())), &own), None);
        for nonsense in [None, Some("kubectl-edit"), Some("")] {
            assert_eq!(owner_of(&held_by(nonsense), &own), None);
        }
        assert_eq!(owner_of(&Lease::default(), &own), None);
    }
}
