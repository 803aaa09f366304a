//! What may be wrong with a receipt, as an enum; the words come last.

use std::fmt;

use shared::verdict::Verdict;

use super::Outcome;

/// A fact that a receipt does not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// How far the clocks may be apart.
    ClockError,
    /// So many members did not fit into it.
    Members(u32),
}

/// What is wrong with a receipt, or cannot be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its verdict is stronger than all that its facts allow.
    VerdictTooStrong {
        /// What it says.
        says: Verdict,
        /// The strongest that its facts allow.
        proven: Verdict,
    },
    /// Its verdict is weaker than what its facts prove.
    VerdictTooWeak {
        /// What it says.
        says: Verdict,
        /// The weakest that its facts allow.
        proven: Verdict,
    },
    /// Its verdict depends on what it does not carry.
    CannotTell(Missing),
    /// The reason that it gives is one of another verdict.
    ReasonOfAnother {
        /// What it says.
        says: Verdict,
        /// Whose reason it gives.
        reason_of: Verdict,
    },
    /// Its span of cuts is shorter than its cuts can prove.
    CutSkewTooShort {
        /// What it says, ms.
        says_ms: u64,
        /// How far its cuts may be apart, ms.
        proven_ms: u64,
    },
    /// It gives a span of cuts, and some cut was not observed.
    CutSkewUnfounded,
    /// Its span of quiesces is shorter than its members' clocks can prove.
    QuiesceSkewTooShort {
        /// What it says, ms.
        says_ms: u64,
        /// How far the quiesces may be apart, ms.
        proven_ms: u64,
    },
    /// It gives a span of quiesces, and some member was not proven to be still.
    QuiesceSkewUnfounded,
}

impl Finding {
    /// How grave it is.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::VerdictTooWeak { .. } => Outcome::ClaimsLess,
            Self::CannotTell(_) => Outcome::Unchecked,
            Self::ReasonOfAnother { says, reason_of } if rank(*says) < rank(*reason_of) => Outcome::ClaimsLess,
            Self::VerdictTooStrong { .. }
            | Self::ReasonOfAnother { .. }
            | Self::CutSkewTooShort { .. }
            | Self::CutSkewUnfounded
            | Self::QuiesceSkewTooShort { .. }
            | Self::QuiesceSkewUnfounded => Outcome::ClaimsMore,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VerdictTooStrong { says, proven } => {
                write!(f, "it says {says}, and its facts prove {proven} at most")
            }
            Self::VerdictTooWeak { says, proven } => write!(f, "it says {says}, and its facts prove {proven}"),
            Self::CannotTell(Missing::ClockError) => f.write_str(
                "it does not say how far the clocks may be apart (clockErrorMs), and its verdict depends on it",
            ),
            Self::CannotTell(Missing::Members(count)) => {
                write!(
                    f,
                    "{count} of its members did not fit into it, and its verdict depends on them; the coordinator's log has them"
                )
            }
            Self::ReasonOfAnother { says, reason_of } => {
                write!(f, "it says {says} and gives a reason for {reason_of}")
            }
            Self::CutSkewTooShort { says_ms, proven_ms } => {
                write!(f, "it says that the cuts lie within {says_ms} ms, and they may be {proven_ms} ms apart")
            }
            Self::CutSkewUnfounded => {
                f.write_str("it says how far the cuts lie apart, and not every volume's cut was observed")
            }
            Self::QuiesceSkewTooShort { says_ms, proven_ms } => {
                write!(
                    f,
                    "it says that the members were still within {says_ms} ms, and it may have been {proven_ms} ms"
                )
            }
            Self::QuiesceSkewUnfounded => {
                f.write_str("it says within which time the members were still, and not every member was")
            }
        }
    }
}

/// How strong a verdict is, the strongest the greatest.
pub(super) const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::GroupConsistent => 4,
        Verdict::MemberConsistent => 3,
        Verdict::CrashConsistent => 2,
        Verdict::Unknown => 1,
        Verdict::Failed => 0,
    }
}
