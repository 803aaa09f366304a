//! The budget Lease: all grants in one object, so that one compare-and-swap decides between any number of coordinators.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::{Deserialize, Serialize};

use crate::group_lease::Epoch;
use crate::identity::{GroupKey, Namespace};
use crate::lease_fields::{LeaseError, Reader, api_i32, metadata};
use crate::names::{BUDGET_LEASE, LeaseRole};
use crate::time::WallTime;

const GRANTS: &str = "snapshot-group.velero.io/grants";
const LIMIT: &str = "snapshot-group.velero.io/limit";

/// The most grants at once. Each weighs at least one volume, so this bounds the useful limit too; 1,000 fit an object's annotations.
pub const GRANTS_MAX: usize = 1_000;

/// `spec.leaseDurationSeconds` of a Lease that never expires by itself (the field must be positive), s.
const UNUSED_DURATION_S: u32 = 3_600;

/// A round's share of the budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The round that holds it.
    pub epoch: Epoch,
    /// Volumes that may be between release and cut under it.
    pub weight: u32,
    /// When it was granted, by the granting coordinator's clock; for people.
    pub granted_at: WallTime,
}

/// All grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetLease {
    /// The coordinator's namespace.
    pub namespace: Namespace,
    /// The number of the last round that was granted in this cluster: `spec.leaseTransitions`. The next grant takes the next
    /// number in the same write, so numbers grow and are never given twice, whoever writes and whatever Lease was deleted.
    pub last_epoch: Epoch,
    /// Volumes that may be between release and cut at once.
    pub limit: u32,
    /// Who holds what; at most [`GRANTS_MAX`].
    pub grants: BTreeMap<GroupKey, Grant>,
    /// The coordinator that wrote this.
    pub writer: String,
    /// When it was written.
    pub renewed_at: WallTime,
}

impl BudgetLease {
    /// The sum of all grants' weights, in volumes.
    pub fn granted(&self) -> u32 {
        self.grants.values().fold(0, |sum, grant| sum.saturating_add(grant.weight))
    }

    /// The whole Lease as a coordinator writes it (without a resourceVersion: the writer adds the one it read).
    pub fn encode(&self) -> Lease {
        let Self { namespace, last_epoch, limit, grants, writer, renewed_at } = self;
        let by_name: BTreeMap<String, &Grant> = grants.iter().map(|(key, grant)| (key.to_string(), grant)).collect();
        let json = serde_json::to_string(&by_name).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"));
        let annotations = BTreeMap::from([(GRANTS.to_owned(), json), (LIMIT.to_owned(), limit.to_string())]);
        Lease {
            metadata: metadata(namespace, BUDGET_LEASE, LeaseRole::Budget, None, annotations),
            spec: Some(LeaseSpec {
                holder_identity: Some(writer.clone()),
                renew_time: Some(MicroTime(renewed_at.timestamp())),
                lease_duration_seconds: Some(api_i32(UNUSED_DURATION_S)),
                lease_transitions: Some(api_i32(last_epoch.0)),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Reads a Lease that claims to be the budget.
    ///
    /// # Errors
    /// When it is foreign, of another version, or says something impossible.
    pub fn decode(lease: &Lease) -> Result<Self, LeaseError> {
        let read = Reader::new(lease, LeaseRole::Budget)?;
        let spec = read.spec()?;
        let by_name: BTreeMap<String, Grant> = read.json(GRANTS, GRANTS)?.unwrap_or_default();
        if by_name.len() > GRANTS_MAX {
            return Err(read.invalid(GRANTS, &by_name.len().to_string(), format!("grants are more than {GRANTS_MAX}")));
        }
        let mut grants = BTreeMap::new();
        for (key, grant) in by_name {
            grants.insert(read.parse::<GroupKey>(GRANTS, &key)?, grant);
        }
        Ok(Self {
            namespace: read.namespace()?,
            last_epoch: Epoch(read.count("spec.leaseTransitions", spec.lease_transitions)?),
            limit: read.parse_annotation(LIMIT, LIMIT)?.ok_or_else(|| read.missing(LIMIT))?,
            grants,
            writer: spec.holder_identity.clone().ok_or_else(|| read.missing("spec.holderIdentity"))?,
            renewed_at: read.time("spec.renewTime", spec.renew_time.as_ref())?,
        })
    }
}
