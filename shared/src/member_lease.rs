//! The member Lease: what one pod's hook-agent says about its current attempt. The agent alone writes it.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};

use crate::admission::{Admission, MemberPhase};
use crate::boot_time::SteadySpan;
use crate::group_lease::Epoch;
use crate::identity::{AttemptId, GroupId, IdentityError, Namespace, PodName};
use crate::lease_fields::{LeaseError, Reader, api_i32, metadata};
use crate::names::{LeaseRole, member_lease, pod_of_member_lease};
use crate::quiesce::{LetGo, QuiesceKinds};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// Annotation keys, public so that the post hook can patch just these.
pub mod annotations {
    /// [`super::MemberLease::phase`].
    pub const PHASE: &str = "snapshot-group.velero.io/phase";
    /// [`super::MemberLease::deadline`].
    pub const DEADLINE: &str = "snapshot-group.velero.io/deadline";
    /// [`super::MemberLease::admission`].
    pub const ADMISSION: &str = "snapshot-group.velero.io/admission";
    /// [`super::MemberLease::epoch`].
    pub const EPOCH: &str = "snapshot-group.velero.io/epoch";
    /// When the attempt registered, by the machine's clock that no setting moves ([`crate::boot_time::BootTime`]). Only the pod's own hooks read it.
    pub const REGISTERED_BOOT: &str = "snapshot-group.velero.io/registered-boot";
    /// [`super::MemberLease::quiesced_at`].
    pub const QUIESCED_AT: &str = "snapshot-group.velero.io/quiesced-at";
    /// [`super::MemberLease::thawed_at`].
    pub const THAWED_AT: &str = "snapshot-group.velero.io/thawed-at";
    /// [`super::MemberLease::steady`]: when the pod was still.
    pub const QUIESCED_BOOT: &str = "snapshot-group.velero.io/quiesced-boot";
    /// [`super::MemberLease::steady`]: when it was let go.
    pub const THAWED_BOOT: &str = "snapshot-group.velero.io/thawed-boot";
    /// [`super::MemberLease::quiesce`].
    pub const QUIESCE: &str = "snapshot-group.velero.io/quiesce";
    /// [`super::MemberLease::let_go`].
    pub const LET_GO: &str = "snapshot-group.velero.io/let-go";
    /// What [`super::MemberLease::let_go`] says, where [`LET_GO`] can only say the nearest thing that older readers know.
    pub const EXACT_LET_GO: &str = "snapshot-group.velero.io/exact-let-go";
    /// [`super::MemberLease::resident`].
    pub const RESIDENT: &str = "snapshot-group.velero.io/resident";
    /// [`super::MemberLease::failure`].
    pub const FAILURE: &str = "snapshot-group.velero.io/failure";
    /// [`super::MemberLease::agent_version`].
    pub const AGENT_VERSION: &str = "snapshot-group.velero.io/agent-version";
}

/// The most characters of a failure's text that are kept in the Lease.
pub const FAILURE_CHARS_MAX: usize = 500;

/// What a pod's resident (`hook-agent sidecar`) says about itself, beside what it says about its latest attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resident {
    /// Whether it could hold the pod still now, as far as it can tell without doing it.
    pub ready: bool,
    /// Why not, for people, or what else is to be said; at most [`FAILURE_CHARS_MAX`] characters are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What [`annotations::LET_GO`] and [`annotations::EXACT_LET_GO`] say, for whoever patches just these: key and value.
pub fn let_go_annotations(let_go: Option<LetGo>) -> [(&'static str, String); 2] {
    let (nearest, exact) = match let_go {
        Some(LetGo::Cut) => (Some(LetGo::Asked), let_go),
        _ => (let_go, None),
    };
    let text = |word: Option<LetGo>| word.map(|word| word.to_string()).unwrap_or_default();
    [(annotations::LET_GO, text(nearest)), (annotations::EXACT_LET_GO, text(exact))]
}

/// What a pod's hook-agent says about its current attempt.
///
/// Where a resident runs in the pod, it alone writes this. Between rounds it **stands by**: the Lease still says how its latest attempt ended (before
/// the first one: an attempt of its own that is `done` and never held), with [`MemberLease::resident`] beside it, renewed every
/// [`STANDBY_HEARTBEAT_MS`](crate::deadline::STANDBY_HEARTBEAT_MS) for [`STANDBY_LEASE_S`](crate::deadline::STANDBY_LEASE_S). So going back to standby
/// takes nothing back that a receipt rests on, and a coordinator that knows no residents sees a pod whose part is over, which is no arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberLease {
    /// The pod's namespace (and the Lease's).
    pub namespace: Namespace,
    /// The pod; gives the Lease its name.
    pub pod: PodName,
    /// The group that the pod registered for.
    pub group: GroupId,
    /// Which pod (uid) and which run of the hook: `spec.holderIdentity`.
    pub attempt: AttemptId,
    /// Where the attempt stands.
    pub phase: MemberPhase,
    /// When it registered, by the pod's clock: `spec.acquireTime`.
    pub registered_at: WallTime,
    /// The last sign of life, by the pod's clock: `spec.renewTime`.
    pub renewed_at: WallTime,
    /// Without a change for this long, as its watcher sees it, the attempt is dead, s: `spec.leaseDurationSeconds`.
    pub lease_duration_s: u32,
    /// When the agent goes on by itself, by the pod's clock.
    pub deadline: WallTime,
    /// How it got past the gate, once it did.
    pub admission: Option<Admission>,
    /// The round that admitted it, once one did: `released` only.
    pub epoch: Option<Epoch>,
    /// When everything it was told to quiesce was still; absent in phase `quiesced` when that failed and it went on all the same.
    pub quiesced_at: Option<WallTime>,
    /// When it began to let go.
    pub thawed_at: Option<WallTime>,
    /// The same two moments by the machine's clock that no setting moves.
    pub steady: SteadySpan,
    /// In which ways it was told to hold still.
    pub quiesce: QuiesceKinds,
    /// How the hold ended, once it did and somebody could tell.
    pub let_go: Option<LetGo>,
    /// What the pod's resident says about itself; absent where none runs in the pod.
    pub resident: Option<Resident>,
    /// Why it failed, or could not hold still, for people; at most [`FAILURE_CHARS_MAX`] characters are kept.
    pub failure: Option<String>,
    /// The agent's version, for `coordinator status` and mixed clusters.
    pub agent_version: String,
}

impl MemberLease {
    /// The whole Lease as its agent applies it. Every field is written each time, absent ones as an empty annotation, so
    /// that nothing of an earlier attempt shines through whatever way it was written. The owner is the Pod: the Lease dies with it.
    ///
    /// # Errors
    /// When the pod's name is too long to name a Lease after it.
    pub fn encode(&self) -> Result<Lease, IdentityError> {
        let Self {
            namespace,
            pod,
            group,
            attempt,
            phase,
            registered_at,
            renewed_at,
            lease_duration_s,
            deadline,
            admission,
            epoch,
            quiesced_at,
            thawed_at,
            steady,
            quiesce,
            let_go,
            resident,
            failure,
            agent_version,
        } = self;
        let kept_resident = resident.as_ref().map(|Resident { ready, why }| Resident {
            ready: *ready,
            why: why.as_ref().map(|why| why.chars().take(FAILURE_CHARS_MAX).collect()),
        });
        let [let_go, exact_let_go] = let_go_annotations(*let_go);
        let text = |value: Option<String>| value.unwrap_or_default();
        let kept = failure.as_ref().map(|f| f.chars().take(FAILURE_CHARS_MAX).collect());
        let annotations = BTreeMap::from([
            (annotations::PHASE.to_owned(), phase.to_string()),
            (annotations::DEADLINE.to_owned(), deadline.to_string()),
            (annotations::ADMISSION.to_owned(), text(admission.map(|a| a.to_string()))),
            (annotations::EPOCH.to_owned(), text(epoch.map(|e| e.to_string()))),
            (annotations::QUIESCED_AT.to_owned(), text(quiesced_at.map(|t| t.to_string()))),
            (annotations::THAWED_AT.to_owned(), text(thawed_at.map(|t| t.to_string()))),
            (annotations::QUIESCED_BOOT.to_owned(), text(steady.from.as_ref().map(ToString::to_string))),
            (annotations::THAWED_BOOT.to_owned(), text(steady.to.as_ref().map(ToString::to_string))),
            (annotations::QUIESCE.to_owned(), quiesce.to_string()),
            (let_go.0.to_owned(), let_go.1),
            (exact_let_go.0.to_owned(), exact_let_go.1),
            (
                annotations::RESIDENT.to_owned(),
                text(kept_resident.map(|r| {
                    serde_json::to_string(&r).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"))
                })),
            ),
            (annotations::FAILURE.to_owned(), text(kept)),
            (annotations::AGENT_VERSION.to_owned(), agent_version.clone()),
        ]);
        let mut meta = metadata(namespace, member_lease(pod)?.as_str(), LeaseRole::Member, Some(group), annotations);
        meta.owner_references = Some(vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: pod.to_string(),
            uid: attempt.pod_uid.to_string(),
            controller: None,
            block_owner_deletion: None,
        }]);
        Ok(Lease {
            metadata: meta,
            spec: Some(LeaseSpec {
                holder_identity: Some(attempt.to_string()),
                acquire_time: Some(MicroTime(registered_at.timestamp())),
                renew_time: Some(MicroTime(renewed_at.timestamp())),
                lease_duration_seconds: Some(api_i32(*lease_duration_s)),
                ..LeaseSpec::default()
            }),
        })
    }

    /// Since when the member is proven to have been still. A hold that nobody can vouch for to its end proves nothing: its
    /// keeper was killed, its session was lost, the machine was started anew, or the post hook found nobody holding what was to be held.
    pub fn proven_quiesced_at(&self) -> Option<WallTime> {
        let broken = self.steady.is_broken()
            || match self.let_go {
                Some(LetGo::Unproven) => true,
                Some(LetGo::NothingFound) => self.quiesce.hold(),
                Some(LetGo::Asked | LetGo::Cut | LetGo::ByItself) | None => false,
            };
        self.quiesced_at.filter(|_| !broken)
    }

    /// Whether a resident stands by in the pod, and is ready to hold it still: nothing goes on there now.
    pub fn stands_by(&self) -> bool {
        self.phase.is_terminal() && self.resident.as_ref().is_some_and(|resident| resident.ready)
    }

    /// Reads a Lease that claims to be a member's.
    ///
    /// # Errors
    /// When it is foreign, of another version, or says something impossible; the error names the field.
    pub fn decode(lease: &Lease) -> Result<Self, LeaseError> {
        let read = Reader::new(lease, LeaseRole::Member)?;
        let spec = read.spec()?;
        let pod = pod_of_member_lease(read.lease_name()).ok_or_else(|| {
            read.invalid("metadata.name", read.lease_name(), "does not name a pod as snapshot-member-<pod>".to_owned())
        })?;
        let holder = spec.holder_identity.as_deref().ok_or_else(|| read.missing("spec.holderIdentity"))?;
        Ok(Self {
            namespace: read.namespace()?,
            pod,
            group: read.group()?,
            attempt: read.parse("spec.holderIdentity", holder)?,
            phase: read
                .word(annotations::PHASE, annotations::PHASE, MemberPhase::parse)?
                .ok_or_else(|| read.missing(annotations::PHASE))?,
            registered_at: read.time("spec.acquireTime", spec.acquire_time.as_ref())?,
            renewed_at: read.time("spec.renewTime", spec.renew_time.as_ref())?,
            lease_duration_s: read.seconds("spec.leaseDurationSeconds", spec.lease_duration_seconds)?,
            deadline: read
                .parse_annotation(annotations::DEADLINE, annotations::DEADLINE)?
                .ok_or_else(|| read.missing(annotations::DEADLINE))?,
            admission: read.word(annotations::ADMISSION, annotations::ADMISSION, Admission::parse)?,
            epoch: read.parse_annotation(annotations::EPOCH, annotations::EPOCH)?,
            quiesced_at: read.parse_annotation(annotations::QUIESCED_AT, annotations::QUIESCED_AT)?,
            thawed_at: read.parse_annotation(annotations::THAWED_AT, annotations::THAWED_AT)?,
            steady: SteadySpan {
                from: read.parse_annotation(annotations::QUIESCED_BOOT, annotations::QUIESCED_BOOT)?,
                to: read.parse_annotation(annotations::THAWED_BOOT, annotations::THAWED_BOOT)?,
            },
            quiesce: read.parse_annotation(annotations::QUIESCE, annotations::QUIESCE)?.unwrap_or_default(),
            let_go: match read.word(annotations::EXACT_LET_GO, annotations::EXACT_LET_GO, LetGo::parse)? {
                Some(exact) => Some(exact),
                None => read.word(annotations::LET_GO, annotations::LET_GO, LetGo::parse)?,
            },
            resident: read.json(annotations::RESIDENT, annotations::RESIDENT)?,
            failure: read.annotation(annotations::FAILURE).map(|f| f.chars().take(FAILURE_CHARS_MAX).collect()),
            agent_version: read.annotation(annotations::AGENT_VERSION).unwrap_or("unknown").chars().take(64).collect(),
        })
    }
}
