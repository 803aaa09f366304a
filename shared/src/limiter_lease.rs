//! The limiter Lease: how many volumes may be cut at once now, why, and what each signal says. The leading coordinator alone writes it.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::{Deserialize, Serialize};

use crate::identity::Namespace;
use crate::lease_fields::{LeaseError, Reader, api_i32, metadata};
use crate::names::{LIMITER_LEASE, LeaseRole};
use crate::time::WallTime;

const LIMIT: &str = "snapshot-group.velero.io/limit";
const CEILING: &str = "snapshot-group.velero.io/ceiling";
const WHY: &str = "snapshot-group.velero.io/why";
const CHANGED_AT: &str = "snapshot-group.velero.io/changed-at";
const LEVEL: &str = "snapshot-group.velero.io/level";
const SIGNALS: &str = "snapshot-group.velero.io/signals";
const DAYS: &str = "snapshot-group.velero.io/days";
const PLAN_BUDGET: &str = "snapshot-group.velero.io/plan-budget";
const PLAN_BUDGET_SINCE: &str = "snapshot-group.velero.io/plan-budget-since";

/// `spec.leaseDurationSeconds` of a Lease that never expires by itself (the field must be positive), s.
const UNUSED_DURATION_S: u32 = 3_600;

/// The largest limit that a Lease may say: the most that any setting allows.
pub const LIMIT_MAX: u32 = 1_000;
/// The most signals; there are four.
const SIGNALS_MAX: usize = 16;
/// The most days that are remembered.
pub const DAYS_MAX: usize = 14;
/// A signal's evidence has at most this many characters.
pub const EVIDENCE_CHARS_MAX: usize = 400;

/// What one signal said, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalNote {
    /// Which: `snapshot-contents`, `driver-metrics`, `cloudwatch`, `backups`.
    pub source: String,
    /// `off`, `working` or `failing`.
    pub health: String,
    /// `calm`, `throttled` or `unknown`.
    pub level: String,
    /// What it had to show.
    pub evidence: String,
    /// The moment of that evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<WallTime>,
    /// When it was last heard at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<WallTime>,
}

/// How much of the limit a day had, for the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayNote {
    /// Days since 1970-01-01, UTC.
    pub day: u32,
    /// How long the limit was in use, s.
    pub used_s: u32,
    /// The sum of the limit over these seconds.
    pub limit_s: u64,
}

/// The limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimiterLease {
    /// The coordinator's namespace.
    pub namespace: Namespace,
    /// Volumes that may be between release and cut, and pending, at once.
    pub limit: u32,
    /// The ceiling under which it was written: `MAX_CONCURRENT_SNAPSHOTS`.
    pub ceiling: u32,
    /// Why it is what it is, for people.
    pub why: String,
    /// When it last changed, by the writer's clock.
    pub changed_at: Option<WallTime>,
    /// What all signals say together: `calm`, `throttled` or `unknown`.
    pub level: String,
    /// What each says.
    pub signals: Vec<SignalNote>,
    /// The last days in which it was used, oldest first; at most [`DAYS_MAX`].
    pub days: Vec<DayNote>,
    /// What the next plan should reckon with, volumes.
    pub plan_budget: u32,
    /// The day since which that has been lower than the ceiling; 0 where it is not.
    pub plan_budget_since: u32,
    /// The coordinator that wrote this.
    pub writer: String,
    /// When it was written.
    pub renewed_at: WallTime,
}

impl LimiterLease {
    /// The whole Lease as a coordinator writes it (without a resourceVersion: the writer adds the one it read).
    pub fn encode(&self) -> Lease {
        let Self {
            namespace,
            limit,
            ceiling,
            why,
            changed_at,
            level,
            signals,
            days,
            plan_budget,
            plan_budget_since,
            writer,
            renewed_at,
        } = self;
        let unreachable = |e: serde_json::Error| -> String { unreachable!("plain data has a JSON form: {e}") };
        let signals = serde_json::to_string(signals).unwrap_or_else(unreachable);
        let days = serde_json::to_string(days).unwrap_or_else(unreachable);
        let annotations = BTreeMap::from([
            (LIMIT.to_owned(), limit.to_string()),
            (CEILING.to_owned(), ceiling.to_string()),
            (WHY.to_owned(), why.clone()),
            (CHANGED_AT.to_owned(), changed_at.map(|at| at.to_string()).unwrap_or_default()),
            (LEVEL.to_owned(), level.clone()),
            (SIGNALS.to_owned(), signals),
            (DAYS.to_owned(), days),
            (PLAN_BUDGET.to_owned(), plan_budget.to_string()),
            (PLAN_BUDGET_SINCE.to_owned(), plan_budget_since.to_string()),
        ]);
        Lease {
            metadata: metadata(namespace, LIMITER_LEASE, LeaseRole::Limiter, None, annotations),
            spec: Some(LeaseSpec {
                holder_identity: Some(writer.clone()),
                renew_time: Some(MicroTime(renewed_at.timestamp())),
                lease_duration_seconds: Some(api_i32(UNUSED_DURATION_S)),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Reads a Lease that claims to be the limiter's. What only tells people may be missing; limit and ceiling may not.
    ///
    /// # Errors
    /// When it is foreign, of another version, or says something impossible.
    pub fn decode(lease: &Lease) -> Result<Self, LeaseError> {
        let read = Reader::new(lease, LeaseRole::Limiter)?;
        let spec = read.spec()?;
        let volumes = |field: &'static str| -> Result<u32, LeaseError> {
            let volumes: u32 = read.parse_annotation(field, field)?.ok_or_else(|| read.missing(field))?;
            if (1..=LIMIT_MAX).contains(&volumes) {
                Ok(volumes)
            } else {
                Err(read.invalid(field, &volumes.to_string(), format!("must be from 1 to {LIMIT_MAX}")))
            }
        };
        let text = |key: &str| read.annotation(key).unwrap_or_default().to_owned();
        let mut signals: Vec<SignalNote> = read.json(SIGNALS, SIGNALS)?.unwrap_or_default();
        signals.truncate(SIGNALS_MAX);
        let mut days: Vec<DayNote> = read.json(DAYS, DAYS)?.unwrap_or_default();
        days.sort_by_key(|note| note.day);
        days.dedup_by_key(|note| note.day);
        let surplus = days.len().saturating_sub(DAYS_MAX);
        days.drain(..surplus);
        let ceiling = volumes(CEILING)?;
        Ok(Self {
            namespace: read.namespace()?,
            limit: volumes(LIMIT)?,
            ceiling,
            why: text(WHY),
            changed_at: read.parse_annotation(CHANGED_AT, CHANGED_AT)?,
            level: text(LEVEL),
            signals,
            days,
            plan_budget: read.parse_annotation(PLAN_BUDGET, PLAN_BUDGET)?.unwrap_or(ceiling),
            plan_budget_since: read.parse_annotation(PLAN_BUDGET_SINCE, PLAN_BUDGET_SINCE)?.unwrap_or(0),
            writer: spec.holder_identity.clone().ok_or_else(|| read.missing("spec.holderIdentity"))?,
            renewed_at: read.time("spec.renewTime", spec.renew_time.as_ref())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> LimiterLease {
        let at = WallTime::from_micros(1_700_000_000_000_000);
        LimiterLease {
            namespace: Namespace::new("velero").unwrap(),
            limit: 3,
            ceiling: 5,
            why: "throttled (driver-metrics): the EBS CSI driver had 4 throttled CreateSnapshot calls".to_owned(),
            changed_at: Some(at),
            level: "throttled".to_owned(),
            signals: vec![SignalNote {
                source: "driver-metrics".to_owned(),
                health: "working".to_owned(),
                level: "throttled".to_owned(),
                evidence: "4".to_owned(),
                at: Some(at),
                heard_at: None,
            }],
            days: vec![DayNote { day: 19_675, used_s: 60, limit_s: 300 }],
            plan_budget: 4,
            plan_budget_since: 19_670,
            writer: "coordinator-0".to_owned(),
            renewed_at: at,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(LimiterLease::decode(&lease().encode()), Ok(lease()));
        let plain = LimiterLease { changed_at: None, signals: vec![], days: vec![], ..lease() };
        assert_eq!(LimiterLease::decode(&plain.encode()), Ok(plain));
    }

    #[test]
    fn what_was_edited_by_hand_is_named() {
        for (key, value, part) in [
            (LIMIT, "lots", "lots"),
            (LIMIT, "0", "must be from 1 to 1000"),
            (LIMIT, "-3", "-3"),
            (LIMIT, "4294967296", "4294967296"),
            (CEILING, "1001", "must be from 1 to 1000"),
            (CEILING, "", "has no snapshot-group.velero.io/ceiling"),
            (SIGNALS, "{", "is not the expected JSON"),
            (DAYS, "[{\"day\":-1}]", "is not the expected JSON"),
            (CHANGED_AT, "yesterday", "yesterday"),
            (PLAN_BUDGET, "many", "many"),
        ] {
            let mut edited = lease().encode();
            edited.metadata.annotations.as_mut().unwrap().insert(key.to_owned(), value.to_owned());
            let error = LimiterLease::decode(&edited).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("velero/snapshot-limiter"), "{key}={value}: {error}");
        }
    }

    #[test]
    fn days_are_bounded_and_in_order() {
        let days = (0..40).rev().map(|day| DayNote { day, used_s: 1, limit_s: 1 }).collect();
        let read = LimiterLease::decode(&LimiterLease { days, ..lease() }.encode()).unwrap();
        assert_eq!(read.days.iter().map(|note| note.day).collect::<Vec<_>>(), (26..40).collect::<Vec<_>>());
    }
}
