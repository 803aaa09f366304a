//! The pod's member Lease in its resident's hands: stands by in it, writes the ends that nobody else will, takes its word back at the end.

use std::time::Duration;

use serde_json::{Value, json};
use shared::deadline::{CALL_TIMEOUT_MS, STANDBY_LEASE_S};
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::{GroupId, IdentityError, LeaseName, Nonce, PodUid};
use shared::member_lease::{MemberLease, Resident, annotations, let_go_annotations};
use shared::names::member_lease;
use shared::quiesce::{LetGo, QuiesceKinds};
use tokio::time::Instant;

use crate::call::CallError;
use crate::clock::{Clock, Moment};
use crate::decide::is_over;
use crate::identity::Who;
use crate::leases::Leases;
use crate::member::{Change, Member, Registrant};
use crate::resident::standby::{Known, Standby, standby};

/// One call may take this long.
const CALL: Duration = Duration::from_millis(CALL_TIMEOUT_MS);

/// Who the pod is, and what stands in its Lease.
pub struct Registration {
    /// Where Leases are.
    pub leases: Leases,
    /// The pod.
    pub who: Who,
    /// Its uid.
    pub uid: PodUid,
    /// Its group.
    pub group: GroupId,
    /// Its Lease's name.
    pub name: LeaseName,
    seen: Option<Seen>,
    first_look: bool,
}

/// The Lease as it was last seen to change.
struct Seen {
    version: Option<String>,
    lease: MemberLease,
    since: Instant,
}

/// What the resident knows when it stands by.
pub struct Here<'a> {
    /// What it says about itself.
    pub resident: &'a Resident,
    /// In which ways it would hold still.
    pub quiesce: QuiesceKinds,
    /// Something is held in this pod now.
    pub held: bool,
    /// The group's Lease as it was last heard.
    pub group: Option<&'a GroupLease>,
}

impl Registration {
    /// Nothing was read or written yet. Errs for pod names that are too long for a Lease.
    pub fn new(leases: Leases, who: Who, uid: PodUid, group: GroupId) -> Result<Self, IdentityError> {
        let name = member_lease(&who.pod)?;
        Ok(Self { leases, who, uid, group, name, seen: None, first_look: true })
    }

    /// The last round that this pod obeyed or was admitted in, as far as its Lease still says so.
    pub async fn obeyed(&mut self) -> Result<Epoch, CallError> {
        let own = self.look().await?.filter(|own| own.attempt.pod_uid == self.uid);
        Ok(own.and_then(|own| own.epoch).unwrap_or_default())
    }

    /// Another attempt of this pod, not written yet.
    pub fn attempt(
        &self,
        nonce: Nonce,
        left_ms: u64,
        resident: &Resident,
        quiesce: QuiesceKinds,
    ) -> Result<Member, IdentityError> {
        let (who, uid, group) = (self.who.clone(), self.uid.clone(), self.group.clone());
        let registrant = Registrant { who, uid, group, left_ms, quiesce, resident: Some(resident.clone()) };
        Member::new(self.leases.clone(), registrant, nonce)
    }

    /// Stands by, unless an attempt is under way. One request, as long as nobody else writes the Lease.
    pub async fn stand_by(&mut self, here: &Here<'_>, nonce: Nonce) -> Result<(), StandByError> {
        if let Some(Seen { version, lease, .. }) = self.seen.as_ref().filter(|seen| seen.lease.phase.is_terminal())
            && lease.group == self.group
        {
            let patch = renewal(here.resident, version.as_deref());
            match self.write(&patch).await {
                Err(CallError::Conflict { .. } | CallError::NotFound { .. }) => {}
                written => return Ok(written?),
            }
        }
        let own = self.look().await?;
        let unchanged = self.seen.as_ref().map_or(Duration::ZERO, |seen| seen.since.elapsed());
        let over =
            |group: &GroupLease| own.as_ref().and_then(|own| own.epoch).is_some_and(|epoch| is_over(group, epoch));
        let known = Known {
            unchanged_ms: u64::try_from(unchanged.as_millis()).unwrap_or(u64::MAX),
            held: here.held,
            round_over: here.group.is_some_and(over),
            first_look: std::mem::replace(&mut self.first_look, false),
        };
        let version = self.seen.as_ref().and_then(|seen| seen.version.clone());
        match standby(own.as_ref(), &self.uid, &self.group, known) {
            Standby::Leave => {}
            Standby::Begin => {
                let mut member = self.attempt(nonce, 0, here.resident, here.quiesce.clone())?;
                member.write(&Change::StandBy, CALL).await?;
                self.seen = None;
            }
            Standby::Renew => self.write(&renewal(here.resident, version.as_deref())).await?,
            Standby::End { phase, unproven } => {
                let mut patch = renewal(here.resident, version.as_deref());
                let said = &mut patch["metadata"]["annotations"];
                said[annotations::PHASE] = json!(phase.as_str());
                if unproven {
                    let [nearest, exact] = let_go_annotations(Some(LetGo::Unproven));
                    said[nearest.0] = json!(nearest.1);
                    said[exact.0] = json!(exact.1);
                }
                if own.is_some_and(|own| own.quiesced_at.is_some() && own.thawed_at.is_none()) {
                    let now = Moment::now();
                    said[annotations::THAWED_AT] = json!(now.wall.to_string());
                    said[annotations::THAWED_BOOT] = json!(now.boot.map(|boot| boot.to_string()).unwrap_or_default());
                }
                self.write(&patch).await?;
            }
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<Option<MemberLease>, CallError> {
        let lease = match self.leases.get(&self.name, CALL).await {
            Ok(lease) => lease,
            Err(CallError::NotFound { .. }) => {
                self.seen = None;
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        // What cannot be read is somebody's edit, and is written over.
        let own = MemberLease::decode(&lease).ok();
        self.note(lease.metadata.resource_version, own.clone());
        Ok(own)
    }

    async fn write(&mut self, patch: &Value) -> Result<(), CallError> {
        let lease = self.leases.merge(&self.name, patch, CALL).await?;
        let own = MemberLease::decode(&lease).ok();
        self.note(lease.metadata.resource_version, own);
        Ok(())
    }

    fn note(&mut self, version: Option<String>, own: Option<MemberLease>) {
        let same = self.seen.as_ref().is_some_and(|seen| seen.version == version);
        if !same {
            self.seen = own.map(|lease| Seen { version, lease, since: Instant::now() });
        }
    }
}

/// The resident ends: nobody is to count on it.
pub async fn leave(leases: &Leases, name: &LeaseName, limit: Duration) -> Result<(), CallError> {
    let patch = json!({"metadata": {"annotations": {annotations::RESIDENT: ""}}});
    leases.merge(name, &patch, limit).await.map(drop)
}

/// Why it does not stand by.
#[derive(Debug, thiserror::Error)]
pub enum StandByError {
    /// The API server does not take it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The pod's name is too long.
    #[error("the pod's name is wrong")]
    Name(#[from] IdentityError),
}

fn renewal(resident: &Resident, version: Option<&str>) -> Value {
    let said = serde_json::to_string(resident).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"));
    let mut patch = json!({
        "metadata": {"annotations": {annotations::RESIDENT: said}},
        "spec": {"renewTime": Clock::wall().to_string(), "leaseDurationSeconds": STANDBY_LEASE_S},
    });
    if let Some(version) = version {
        patch["metadata"]["resourceVersion"] = json!(version);
    }
    patch
}
