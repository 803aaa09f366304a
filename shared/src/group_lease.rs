//! The group Lease: what the coordinator says to all members of a group at once. The coordinator alone writes it.

use std::collections::BTreeMap;
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
const RECEIPT: &str = "snapshot-group.velero.io/receipt";

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
    /// Barrier: members are still to arrive.
    Members {
        /// Members that wait.
        arrived: u32,
        /// Members that are expected.
        expected: u32,
    },
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant => f.write_str("its grant is being written"),
            Self::Budget { weight, in_use, limit, ahead } => {
                write!(f, "budget: {in_use} of {limit} volumes in use, this group needs {weight}, {ahead} groups ahead")
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

    /// The whole Lease as the coordinator writes it (without a resourceVersion: the writer adds the one it read).
    pub fn encode(&self) -> Lease {
        let Self {
            key,
            epoch,
            phase,
            mode,
            degraded,
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
        let json = |value: serde_json::Result<String>| {
            value.unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"))
        };
        let annotations = BTreeMap::from([
            (PHASE.to_owned(), phase.to_string()),
            (MODE.to_owned(), mode.to_string()),
            (DEGRADED.to_owned(), degraded.to_string()),
            (ATTEMPTS.to_owned(), json(serde_json::to_string(attempts))),
            (WEIGHT.to_owned(), weight.to_string()),
            (WAIT.to_owned(), wait.as_ref().map(|w| json(serde_json::to_string(w))).unwrap_or_default()),
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
        Ok(Self {
            key: GroupKey { namespace, group },
            epoch: Epoch(read.count("spec.leaseTransitions", spec.lease_transitions)?),
            phase: read.word(PHASE, PHASE, RoundPhase::parse)?.ok_or_else(|| read.missing(PHASE))?,
            mode: read.word(MODE, MODE, Mode::parse)?.ok_or_else(|| read.missing(MODE))?,
            degraded: read.parse_annotation(DEGRADED, DEGRADED)?.unwrap_or(false),
            attempts,
            weight: read.parse_annotation(WEIGHT, WEIGHT)?.ok_or_else(|| read.missing(WEIGHT))?,
            wait: read.json(WAIT, WAIT)?,
            backup: read.annotation(BACKUP).map(str::to_owned),
            writer: spec.holder_identity.clone().ok_or_else(|| read.missing("spec.holderIdentity"))?,
            opened_at: read.time("spec.acquireTime", spec.acquire_time.as_ref())?,
            renewed_at: read.time("spec.renewTime", spec.renew_time.as_ref())?,
            round_duration_s: read.seconds("spec.leaseDurationSeconds", spec.lease_duration_seconds)?,
            receipt: read.json(RECEIPT, RECEIPT)?,
        })
    }
}
