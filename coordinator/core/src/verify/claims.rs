//! A receipt's verdict and reason against what its facts prove.

use shared::receipt::Receipt;
use shared::verdict::{Verdict, VerdictReason};

use super::finding::{Finding, Missing, rank};
use super::proof::Proof;

/// The verdict against the proof.
pub fn verdict(receipt: &Receipt, proof: Proof) -> Vec<Finding> {
    let says = receipt.verdict;
    // The facts of earlier rounds are gone. What they proved can only lower what this one's facts prove.
    let earlier = receipt.earlier_rounds.as_ref().map(|earlier| earlier.worst);
    let with_earlier = |verdict| earlier.filter(|worst| rank(*worst) < rank(verdict)).unwrap_or(verdict);
    let (weakest, strongest) = (with_earlier(proof.weakest), with_earlier(proof.strongest));
    if rank(says) > rank(strongest) {
        return vec![Finding::VerdictTooStrong { says, proven: strongest }];
    }
    if rank(says) < rank(weakest) {
        return vec![Finding::VerdictTooWeak { says, proven: weakest }];
    }
    if weakest == strongest {
        return Vec::new();
    }
    let clock = receipt.clock_error_ms.is_none().then_some(Missing::ClockError);
    let members = Some(receipt.members_omitted).filter(|omitted| *omitted > 0).map(Missing::Members);
    clock.into_iter().chain(members).map(Finding::CannotTell).collect()
}

/// The reason against the verdict.
pub fn reason(receipt: &Receipt) -> Option<Finding> {
    let says = receipt.verdict;
    let reason_of = match receipt.why {
        VerdictReason::QuiescesCoverAllCuts => Verdict::GroupConsistent,
        VerdictReason::QuiescesDoNotOverlap { .. } => Verdict::MemberConsistent,
        VerdictReason::CutOutsideQuiesce { .. }
        | VerdictReason::NeverQuiesced { .. }
        | VerdictReason::LeftUnheld { .. } => Verdict::CrashConsistent,
        VerdictReason::CutNotObserved { .. }
        | VerdictReason::ThawNotObserved { .. }
        | VerdictReason::CutTimeTooCoarse { .. }
        | VerdictReason::ClockJumped { .. } => Verdict::Unknown,
        VerdictReason::NothingHappened => Verdict::Failed,
    };
    (says != reason_of).then_some(Finding::ReasonOfAnother { says, reason_of })
}
