//! Does a receipt claim more than what really happened?
//!
//! The truth log dates a pod's quiesce from the end of its hook's process; the receipt from the moment that the hook reported, some
//! milliseconds earlier. Where blocks run side by side, a cut between the two would look like a claim too many: scenarios with
//! several workers keep cuts further away than that.

use shared::verdict::Verdict;

use crate::velero::truth::{Consistency, TruthVerdict};

/// A receipt that claims more than is true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receipt says {claimed}, and in truth the cut was {truth}: {reasons}")]
pub struct Overclaim {
    /// What the receipt says.
    pub claimed: Verdict,
    /// What the truth log says.
    pub truth: Consistency,
    /// Why, by the truth log.
    pub reasons: String,
}

/// Holds a receipt's verdict against the truth's. `Ok(true)`: they say the same; `Ok(false)`: the receipt claims less, which it may.
///
/// # Errors
/// When it claims more.
pub fn compare(claimed: Verdict, truth: &TruthVerdict) -> Result<bool, Overclaim> {
    let (claim, fact) = (rank_of_claim(claimed), rank_of_truth(truth.consistency));
    if claim > fact {
        let reasons = format!("{:?}", truth.reasons);
        return Err(Overclaim { claimed, truth: truth.consistency, reasons });
    }
    Ok(claim == fact)
}

fn rank_of_claim(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::GroupConsistent => 3,
        Verdict::MemberConsistent => 2,
        Verdict::CrashConsistent => 1,
        Verdict::Unknown | Verdict::Failed => 0,
    }
}

fn rank_of_truth(consistency: Consistency) -> u8 {
    match consistency {
        Consistency::GroupConsistent => 3,
        Consistency::MemberConsistent => 2,
        Consistency::CrashConsistent => 1,
        Consistency::NotCut => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(consistency: Consistency) -> TruthVerdict {
        TruthVerdict { consistency, reasons: vec![] }
    }

    #[test]
    fn less_may_be_claimed_and_more_may_not() {
        assert_eq!(compare(Verdict::GroupConsistent, &truth(Consistency::GroupConsistent)), Ok(true));
        assert_eq!(compare(Verdict::MemberConsistent, &truth(Consistency::GroupConsistent)), Ok(false));
        assert_eq!(compare(Verdict::Unknown, &truth(Consistency::CrashConsistent)), Ok(false));
        for (claim, fact) in [
            (Verdict::GroupConsistent, Consistency::MemberConsistent),
            (Verdict::MemberConsistent, Consistency::CrashConsistent),
            (Verdict::CrashConsistent, Consistency::NotCut),
        ] {
            assert!(compare(claim, &truth(fact)).is_err(), "{claim} {fact}");
        }
    }
}
