//! The group Lease: what the coordinator says to all members of a group at once. The coordinator alone writes it.
//!
//! Agents and coordinators of different versions meet in one cluster, and a reader refuses a word that it does not know. So what came after
//! the first version stands beside what the first version reads: in fields of its own that an older reader skips, while the older fields say
//! the nearest thing that it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::{Deserialize, Serialize};

use crate::admission::{AttemptVerdict, Mode, RoundPhase};
use crate::deadline::GROUP_MEMBERS_MAX;
use crate::identity::{AttemptId, GroupId, GroupKey, Namespace, PodName};
use crate::lease_fields::{LeaseError, Reader, api_i32, metadata};
use crate::names::{LeaseRole, group_lease};
use crate::receipt::Receipt;
use crate::time::WallTime;

const PHASE: &str = "snapshot-group.velero.io/phase";
const MODE: &str = "snapshot-group.velero.io/mode";
const DEGRADED: &str = "snapshot-group.velero.io/degraded";
const ATTEMPTS: &str = "snapshot-group.velero.io/attempts";
const WEIGHT: &str = "snapshot-group.velero.io/weight";
const WAIT: &str = "snapshot-group.velero.io/wait";
const BACKUP: &str = "snapshot-group.velero.io/backup";
/// Where the first version's readers, which refuse a receipt with words of later ones, looked; still read, no longer written.
const RECEIPT_OF_OLD: &str = "snapshot-group.velero.io/receipt";
const RECEIPT: &str = "snapshot-group.velero.io/last-receipt";
/// The mode, where [`MODE`] can only say the nearest one that older readers know.
const EXACT_MODE: &str = "snapshot-group.velero.io/exact-mode";
/// What is waited for, where [`WAIT`] can only say the nearest thing that older readers know.
const EXACT_WAIT: &str = "snapshot-group.velero.io/exact-wait";
const CALL: &str = "snapshot-group.velero.io/call";

/// A round's number: `spec.leaseTransitions`. Only grows (invariant I5); 0 is "no round yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Epoch {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Why a group that waits has not been released yet; the agent prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum WaitReason {
    /// The grant is being written.
    Grant,
    /// The budget has no room for this group's volumes.
    Budget {
        /// Volumes of this group.
        weight: u32,
        /// Volumes between release and cut now.
        in_use: u32,
        /// The most that may be.
        limit: u32,
        /// Groups that asked earlier and wait too.
        ahead: u32,
    },
    /// EC2 would refuse a snapshot of one of this group's volumes now: it was cut a moment ago, or has too many pending.
    Volume {
        /// Its claim.
        claim: String,
        /// For how long at most, s.
        for_s: u64,
    },
    /// As many members of the group are held still as its policy lets be; this one follows when one of them lets go. Older readers are told
    /// [`Self::Members`] instead.
    FrozenMax {
        /// Members that hold.
        held: u32,
        /// The most that may.
        at_most: u32,
    },
    /// Barrier: members are still to arrive.
    Members {
        /// Members that wait.
        arrived: u32,
        /// Members that are expected.
        expected: u32,
    },
}

impl WaitReason {
    /// The nearest that readers of the first version know, where they do not know this one.
    const fn of_old(&self) -> Option<Self> {
        match self {
            Self::FrozenMax { held, at_most } => Some(Self::Members { arrived: *held, expected: *at_most }),
            Self::Grant | Self::Budget { .. } | Self::Volume { .. } | Self::Members { .. } => None,
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant => f.write_str("its grant is being written"),
            Self::Budget { weight, in_use, limit, ahead } => {
                write!(f, "budget: {in_use} of {limit} volumes in use, this group needs {weight}, {ahead} groups ahead")
            }
            Self::Volume { claim, for_s } => {
                write!(f, "claim {claim}: EC2 takes no snapshot of its volume yet, for {for_s}s at most")
            }
            Self::FrozenMax { held, at_most } => {
                write!(f, "{held} members are held still, and at most {at_most} may be at once")
            }
            Self::Members { arrived, expected } => {
                write!(f, "barrier: {arrived} of {expected} members arrived")
            }
        }
    }
}

/// What is said about one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEntry {
    /// The pod that the attempt runs in: a later reader can name it although the pod may be gone.
    pub pod: PodName,
    /// The word about it.
    pub verdict: AttemptVerdict,
    /// All that it was held still for is cut: whoever holds it lets go now. Never taken back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
    /// It goes on without holding still: the group's policy lets only so many members be held at once. Older agents hold still all the same.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unheld: bool,
}

impl AttemptEntry {
    /// A word, and nothing beside it.
    pub const fn new(pod: PodName, verdict: AttemptVerdict) -> Self {
        Self { pod, verdict, cut: false, unheld: false }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Lead mode's call: these pods' residents hold still at once, under the round's number.
///
/// A resident obeys a call that names its pod, once for each number and never for a number that is not greater than the last that it obeyed: under
/// the attempt that it registered, if it did, else under a new one. It then writes `quiesced` with that number (or, if it cannot, what its policy
/// says: `failed`, or `quiesced` without a time), and holds until the entry of its attempt says `cut`, until its post hook, or until its own limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The pods that are called; at most [`GROUP_MEMBERS_MAX`].
    pub pods: BTreeSet<PodName>,
    /// Who is not still so long after it heard the call, ms, gives up: by then the round goes on without it.
    pub within_ms: u64,
}

/// What the coordinator says to a group's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLease {
    /// Which group.
    pub key: GroupKey,
    /// Which round; 0 while none was granted yet.
    pub epoch: Epoch,
    /// Where the round stands.
    pub phase: RoundPhase,
    /// How it is released.
    pub mode: Mode,
    /// Whether a barrier stalled, so that `mode` is no longer what was chosen first.
    pub degraded: bool,
    /// Who is to hold still now; only while `phase` is [`RoundPhase::Calling`].
    pub call: Option<Call>,
    /// What is said about each attempt of this round; at most [`GROUP_MEMBERS_MAX`] entries.
    pub attempts: BTreeMap<AttemptId, AttemptEntry>,
    /// Volumes that the group's grant counts.
    pub weight: u32,
    /// Why it waits, while it waits.
    pub wait: Option<WaitReason>,
    /// The Backup that this round belongs to, where it is known (DESIGN V5).
    pub backup: Option<String>,
    /// The coordinator that wrote this: `spec.holderIdentity`.
    pub writer: String,
    /// When the round's first member arrived, by the coordinator's clock: `spec.acquireTime`. Orders the queue after a restart.
    pub opened_at: WallTime,
    /// When this was written: `spec.renewTime`.
    pub renewed_at: WallTime,
    /// The round ends after this, s, whatever else happens: `spec.leaseDurationSeconds`.
    pub round_duration_s: u32,
    /// The receipt of the last round that closed.
    pub receipt: Option<Receipt>,
}

impl GroupLease {
    /// What is said about one attempt, if anything.
    pub fn verdict(&self, attempt: &AttemptId) -> Option<AttemptVerdict> {
        self.attempts.get(attempt).map(|entry| entry.verdict)
    }

    /// Whether whoever holds `attempt` lets go now: all that it was held still for is cut. An attempt's name is drawn at random by its own run of
    /// the hook, so that a word about an earlier one never means it (invariant I5).
    pub fn is_cut(&self, attempt: &AttemptId) -> bool {
        self.attempts.get(attempt).is_some_and(|entry| entry.cut)
    }

    /// The call to this pod's resident, if there is one now.
    pub fn call_to(&self, pod: &PodName) -> Option<&Call> {
        self.call.as_ref().filter(|call| self.phase == RoundPhase::Calling && call.pods.contains(pod))
    }

    /// The whole Lease as the coordinator writes it (without a resourceVersion: the writer adds the one it read).
    pub fn encode(&self) -> Lease {
        let Self {
            key,
            epoch,
            phase,
            mode,
            degraded,
            call,
            attempts,
            weight,
            wait,
            backup,
            writer,
            opened_at,
            renewed_at,
            round_duration_s,
            receipt,
        } = self;
        let calling = *phase == RoundPhase::Calling;
        let old_phase = if calling { RoundPhase::Waiting } else { *phase };
        let old_mode = if *mode == Mode::Lead { Mode::ArriveAndGo } else { *mode };
        let call = call.clone().or_else(|| calling.then(Call::default)).filter(|_| calling);
        let json = |value: serde_json::Result<String>| {
            value.unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"))
        };
        let annotations = BTreeMap::from([
            (PHASE.to_owned(), old_phase.to_string()),
            (MODE.to_owned(), old_mode.to_string()),
            (EXACT_MODE.to_owned(), if old_mode == *mode { String::new() } else { mode.to_string() }),
            (CALL.to_owned(), call.map(|call| json(serde_json::to_string(&call))).unwrap_or_default()),
            (DEGRADED.to_owned(), degraded.to_string()),
            (ATTEMPTS.to_owned(), json(serde_json::to_string(attempts))),
            (WEIGHT.to_owned(), weight.to_string()),
            (
                WAIT.to_owned(),
                wait.as_ref()
                    .map(|w| json(serde_json::to_string(w.of_old().as_ref().unwrap_or(w))))
                    .unwrap_or_default(),
            ),
            (
                EXACT_WAIT.to_owned(),
                wait.as_ref()
                    .filter(|w| w.of_old().is_some())
                    .map(|w| json(serde_json::to_string(w)))
                    .unwrap_or_default(),
            ),
            (BACKUP.to_owned(), backup.clone().unwrap_or_default()),
            (RECEIPT.to_owned(), receipt.as_ref().map(Receipt::to_bounded_json).unwrap_or_default()),
        ]);
        let GroupKey { namespace, group } = key;
        Lease {
            metadata: metadata(namespace, group_lease(group).as_str(), LeaseRole::Group, Some(group), annotations),
            spec: Some(LeaseSpec {
                holder_identity: Some(writer.clone()),
                acquire_time: Some(MicroTime(opened_at.timestamp())),
                renew_time: Some(MicroTime(renewed_at.timestamp())),
                lease_duration_seconds: Some(api_i32(*round_duration_s)),
                lease_transitions: Some(api_i32(epoch.0)),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Reads a Lease that claims to be a group's.
    ///
    /// # Errors
    /// When it is foreign, of another version, names another group than its own name says, or says something impossible.
    pub fn decode(lease: &Lease) -> Result<Self, LeaseError> {
        let read = Reader::new(lease, LeaseRole::Group)?;
        let spec = read.spec()?;
        let (namespace, group): (Namespace, GroupId) = (read.namespace()?, read.group()?);
        if group_lease(&group).as_str() != read.lease_name() {
            return Err(read.invalid("metadata.name", read.lease_name(), format!("is not the Lease of group {group}")));
        }
        let attempts: BTreeMap<AttemptId, AttemptEntry> = read.json(ATTEMPTS, ATTEMPTS)?.unwrap_or_default();
        if attempts.len() > GROUP_MEMBERS_MAX {
            return Err(read.invalid(
                ATTEMPTS,
                &attempts.len().to_string(),
                format!("entries are more than {GROUP_MEMBERS_MAX}"),
            ));
        }
        let call: Option<Call> = read.json(CALL, CALL)?;
        if let Some(call) = call.as_ref().filter(|call| call.pods.len() > GROUP_MEMBERS_MAX) {
            let pods = call.pods.len().to_string();
            return Err(read.invalid(CALL, &pods, format!("pods are more than {GROUP_MEMBERS_MAX}")));
        }
        let written = read.word(PHASE, PHASE, RoundPhase::parse)?.ok_or_else(|| read.missing(PHASE))?;
        let calling = written == RoundPhase::Calling || (written == RoundPhase::Waiting && call.is_some());
        let nearest = read.word(MODE, MODE, Mode::parse)?.ok_or_else(|| read.missing(MODE))?;
        // A receipt is for people, and for the coordinator to pass on: one that this version cannot read keeps no member waiting.
        let receipt = [RECEIPT, RECEIPT_OF_OLD].into_iter().find_map(|key| read.json(key, key).ok().flatten());
        Ok(Self {
            key: GroupKey { namespace, group },
            epoch: Epoch(read.count("spec.leaseTransitions", spec.lease_transitions)?),
            phase: if calling { RoundPhase::Calling } else { written },
            mode: read.word(EXACT_MODE, EXACT_MODE, Mode::parse)?.unwrap_or(nearest),
            degraded: read.parse_annotation(DEGRADED, DEGRADED)?.unwrap_or(false),
            call: calling.then(|| call.unwrap_or_default()),
            attempts,
            weight: read.parse_annotation(WEIGHT, WEIGHT)?.ok_or_else(|| read.missing(WEIGHT))?,
            wait: match read.json(EXACT_WAIT, EXACT_WAIT)? {
                Some(exact) => Some(exact),
                None => read.json(WAIT, WAIT)?,
            },
            backup: read.annotation(BACKUP).map(str::to_owned),
            writer: spec.holder_identity.clone().ok_or_else(|| read.missing("spec.holderIdentity"))?,
            opened_at: read.time("spec.acquireTime", spec.acquire_time.as_ref())?,
            renewed_at: read.time("spec.renewTime", spec.renew_time.as_ref())?,
            round_duration_s: read.seconds("spec.leaseDurationSeconds", spec.lease_duration_seconds)?,
            receipt,
        })
    }
}
