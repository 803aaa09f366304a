//! The receipt: what a closed round can prove about itself.

use serde::{Deserialize, Serialize};

use std::fmt;

use crate::admission::{Admission, Mode, words};
use crate::group_lease::Epoch;
use crate::identity::{GroupId, Namespace, PodName};
use crate::quiesce::LetGo;
use crate::time::WallTime;
use crate::verdict::{Verdict, VerdictReason};

/// A receipt's JSON is at most this long, bytes: it shares an object's 256 KiB of annotations with others.
pub const RECEIPT_BYTES_MAX: usize = 32 * 1024;

/// The most characters of an agent's own words that a receipt keeps of each member.
pub const FAILURE_CHARS_KEPT: usize = 120;

/// One volume's cut as it was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CutReceipt {
    /// The claim.
    pub claim: String,
    /// When the volume was cut, by EC2's clock: the point lies from here to `resolution_ms` later.
    pub at: WallTime,
    /// How coarse `at` is, ms.
    pub resolution_ms: u64,
}

words! {
    /// How the volumes of a round were cut, which decides how long its members were held.
    CutWay {
        /// CSI snapshots, the group's pods in one item block (`orderedResources`).
        CsiOneBlock = "csi-one-block",
        /// CSI snapshots, each pod in a block of its own.
        CsiOwnBlocks = "csi-own-blocks",
        /// No CSI snapshot was asked for: Velero or a plugin of its cut by itself, or nobody did. Nothing in the cluster shows when.
        Unseen = "unseen",
    }
}

/// How a member's part in the round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberEnd {
    /// Its post hook reported.
    Done,
    /// Its agent could not quiesce or gave up.
    Failed,
    /// Its agent was told to stop while it waited.
    Withdrawn,
    /// Its pod is gone (deleted, evicted, rescheduled under another uid).
    PodGone,
    /// Its Lease stopped changing.
    Expired,
    /// It was expected and its hook never registered.
    NeverArrived,
    /// The round ended (the Backup ended, or the round's time was over) before it reported.
    Open,
}

/// One member's part in the round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberReceipt {
    /// The pod.
    pub pod: PodName,
    /// Its EBS volumes.
    pub volumes: u32,
    /// How its part ended.
    pub end: MemberEnd,
    /// How it got past the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
    /// From registration to quiesce, ms, by the pod's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// When it was still, by the pod's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiesced_at: Option<WallTime>,
    /// When it let go, by the pod's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thawed_at: Option<WallTime>,
    /// How long it was still, ms, by its machine's clock that no setting moves; absent where an agent of an earlier version wrote down an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_ms: Option<u64>,
    /// How it was let go, as far as whoever held it can prove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_go: Option<LetGo>,
    /// It was told not to hold still: the policy lets only so many members be held at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheld: bool,
    /// Why it was not held still, in its agent's words; at most [`FAILURE_CHARS_KEPT`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Its volumes' cuts, as far as they were observed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<CutReceipt>,
}

impl MemberReceipt {
    /// How long the member was held still, ms, by the best of its own clocks, rounded up: both ends are known to the µs.
    pub fn held_ms(&self) -> Option<u64> {
        if let (Some(_), Some(_), Some(steady_ms)) = (self.quiesced_at, self.thawed_at, self.steady_ms) {
            return Some(steady_ms);
        }
        let held_us = self.thawed_at?.as_micros() - self.quiesced_at?.as_micros();
        u64::try_from(held_us).ok().map(|us| us.div_ceil(1_000))
    }
}

/// Rounds of the same group in the same Backup that ended before this one. Their facts are gone; what they proved is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierRounds {
    /// How many.
    pub count: u32,
    /// The weakest of their verdicts.
    pub worst: Verdict,
    /// Why that one was no better.
    pub why: VerdictReason,
}

/// What a closed round can prove about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The group's namespace.
    pub namespace: Namespace,
    /// The group.
    pub group: GroupId,
    /// The round; absent where no grant was ever given (every member went over budget by itself).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The Backup it belongs to, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// How it was released.
    pub mode: Mode,
    /// How its volumes were cut, where that could be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<CutWay>,
    /// True when a barrier stalled, or called residents did not answer, and the round went on without them.
    pub degraded: bool,
    /// Volumes that its grant counted.
    pub weight: u32,
    /// When its first member arrived, by the coordinator's clock.
    pub opened_at: WallTime,
    /// When it ended, by the coordinator's clock.
    pub closed_at: WallTime,
    /// The members, by name. Cut off to keep [`RECEIPT_BYTES_MAX`]; `members_omitted` says how many.
    pub members: Vec<MemberReceipt>,
    /// Members that did not fit.
    #[serde(default)]
    pub members_omitted: u32,
    /// The policy that let at most so many members be held at once, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_max: Option<u32>,
    /// From the first to the last member's quiesce, ms, widened by the clock error on both sides; absent unless every member was held still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiesce_skew_ms: Option<u64>,
    /// How far the clocks of pods and EC2 may be apart, ms, as this receipt took it; absent in receipts from before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_error_ms: Option<u64>,
    /// From the first to the last cut, ms, rounded up by their resolution; absent unless every cut was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<u64>,
    /// Earlier rounds of the group in the same Backup, if there were any. On a Backup the verdict is then no better than the weakest of all
    /// rounds; in the group's Lease, where each round replaces the one before, it is this round's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_rounds: Option<Box<EarlierRounds>>,
    /// What is proven.
    pub verdict: Verdict,
    /// Why it is no better, or what it rests on.
    pub why: VerdictReason,
}

impl Receipt {
    /// JSON of at most [`RECEIPT_BYTES_MAX`] bytes: members are left out from the end of the list until it fits.
    pub fn to_bounded_json(&self) -> String {
        self.to_json_within(RECEIPT_BYTES_MAX)
    }

    /// The same for another length. What is left when no member fits may be longer: it is the verdict and its reason, and some hundred bytes.
    pub fn to_json_within(&self, bytes_max: usize) -> String {
        let mut kept = self.clone();
        loop {
            let json = serde_json::to_string(&kept).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"));
            if json.len() <= bytes_max || kept.members.is_empty() {
                return json;
            }
            // Halving takes a handful of tries even for the largest group.
            let keep = kept.members.len() / 2;
            let omitted = u32::try_from(kept.members.len() - keep).unwrap_or(u32::MAX);
            kept.members.truncate(keep);
            kept.members_omitted = kept.members_omitted.saturating_add(omitted);
        }
    }
}
