//! How consistent was the cut of a group really?
//!
//! Judged from the bed's own log alone, so that the product's receipts can be held against it. A pod counts as quiesced
//! from the real end of its last pre hook (all of them with exit 0) until its next post hook is about to start, at most for
//! `quiesce_limit`, after which whatever it holds has let go by itself. What the hook did inside is not looked at: a hook
//! that exits 0 without quiescing deceives this judge as it deceives Velero.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::fact::Moment;
use super::timeline::{CutSeen, Quiesce, Timeline};
use crate::velero::object_name::ObjectName;

/// How well the cuts of a group fit together, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// Every member was quiesced over the whole span from the first to the last cut.
    GroupConsistent,
    /// Every cut lies in the quiesce of all members that mount the claim, but the quiesces do not all cover the span.
    MemberConsistent,
    /// Some cut was taken while a member that mounts the claim was not quiesced.
    CrashConsistent,
    /// Some claim of a member was not cut, or there was nothing to cut.
    NotCut,
}

impl Consistency {
    /// In the words of the product's receipts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GroupConsistent => "group-consistent",
            Self::MemberConsistent => "member-consistent",
            Self::CrashConsistent => "crash-consistent",
            Self::NotCut => "not-cut",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What keeps the verdict from being better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TruthReason {
    /// No hook of the member proves a quiesce.
    NeverQuiesced(ObjectName),
    /// The claim was cut outside the member's quiesce.
    CutOutsideQuiesce {
        /// The claim.
        claim: ObjectName,
        /// The member.
        pod: ObjectName,
    },
    /// The member was not quiesced over the whole span of the group's cuts.
    DoesNotCoverAllCuts(ObjectName),
    /// A block held the claim, and no cut of it happened.
    ClaimNotCut(ObjectName),
    /// No member has a claim in any block.
    NothingToCut,
}

/// The judgement and its grounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthVerdict {
    /// How consistent.
    pub consistency: Consistency,
    /// Why not better; empty for the best.
    pub reasons: Vec<TruthReason>,
}

/// Judges one Backup's cuts of the claims that `members` mount. `backup` must hold one Backup only
/// ([`Timeline::of_backup`]).
pub fn truth_verdict(
    backup: &Timeline,
    members: &BTreeSet<ObjectName>,
    quiesce_limit: Option<Duration>,
) -> TruthVerdict {
    let spans: Vec<(&ObjectName, Option<Span>)> =
        members.iter().map(|pod| (pod, backup.quiesce(pod).map(|quiesce| Span::of(quiesce, quiesce_limit)))).collect();
    let claims = backup.claims();
    let of_members = |claim: &ObjectName| claims.get(claim).is_some_and(|pods| !pods.is_disjoint(members));
    let cuts: Vec<CutSeen> = backup.cuts().into_iter().filter(|cut| of_members(&cut.claim)).collect();

    let uncut = claims.keys().filter(|claim| of_members(claim) && !cuts.iter().any(|cut| cut.claim == **claim));
    let mut missing: Vec<TruthReason> = uncut.cloned().map(TruthReason::ClaimNotCut).collect();
    let (Some(first), Some(last)) = (cuts.first(), cuts.last()) else {
        if missing.is_empty() {
            missing.push(TruthReason::NothingToCut);
        }
        return TruthVerdict { consistency: Consistency::NotCut, reasons: missing };
    };
    if !missing.is_empty() {
        return TruthVerdict { consistency: Consistency::NotCut, reasons: missing };
    }

    let mut torn = Vec::new();
    let mut apart = Vec::new();
    for (pod, span) in spans {
        let own: Vec<&CutSeen> = cuts.iter().filter(|cut| claims[&cut.claim].contains(pod)).collect();
        match span {
            // A member without a claim tears nothing by itself, but the group was not quiesced as a whole.
            None if own.is_empty() => apart.push(TruthReason::NeverQuiesced(pod.clone())),
            None => torn.push(TruthReason::NeverQuiesced(pod.clone())),
            Some(span) => {
                let outside = own.iter().filter(|cut| !span.holds(cut.at));
                torn.extend(
                    outside.map(|cut| TruthReason::CutOutsideQuiesce { claim: cut.claim.clone(), pod: pod.clone() }),
                );
                if !(span.holds(first.at) && span.holds(last.at)) {
                    apart.push(TruthReason::DoesNotCoverAllCuts(pod.clone()));
                }
            }
        }
    }
    if !torn.is_empty() {
        TruthVerdict { consistency: Consistency::CrashConsistent, reasons: torn }
    } else if !apart.is_empty() {
        TruthVerdict { consistency: Consistency::MemberConsistent, reasons: apart }
    } else {
        TruthVerdict { consistency: Consistency::GroupConsistent, reasons: vec![] }
    }
}

/// Monotonic times, ms resolution is the log's own.
struct Span {
    from: Duration,
    until: Option<Duration>,
}

impl Span {
    fn of(Quiesce { from, until }: Quiesce, limit: Option<Duration>) -> Self {
        let from = from.since_start;
        let ends = [until.map(|moment| moment.since_start), limit.map(|limit| from + limit)];
        Self { from, until: ends.into_iter().flatten().min() }
    }

    fn holds(&self, at: Moment) -> bool {
        self.from <= at.since_start && self.until.is_none_or(|until| at.since_start <= until)
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
