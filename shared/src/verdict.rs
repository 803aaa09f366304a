//! What a round's receipt may claim about its cuts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::admission::words;

words! {
    /// The strongest statement about a round that its evidence proves.
    Verdict {
        /// Every member was quiesced over the whole span from the first to the last cut.
        GroupConsistent = "group-consistent",
        /// Each cut fell into its own member's quiesce, but they did not all overlap.
        MemberConsistent = "member-consistent",
        /// Some cut was not quiesced.
        CrashConsistent = "crash-consistent",
        /// A cut could not be observed or bounded.
        Unknown = "unknown",
        /// The round ended without a cut that could be used.
        Failed = "failed",
    }
}

/// Why the verdict is no better (or, for the best one, what it rests on). Pods are named where one pod is the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum VerdictReason {
    /// Every quiesce covers the span of all cuts.
    QuiescesCoverAllCuts,
    /// Every cut lies in its own member's quiesce; the named pod was let go before the last cut or quiesced after the first.
    QuiescesDoNotOverlap {
        /// A pod whose quiesce does not cover all cuts.
        pod: String,
    },
    /// The pod's volumes were cut while it was not quiesced.
    CutOutsideQuiesce {
        /// The pod.
        pod: String,
    },
    /// The pod was expected and never quiesced; Velero cuts its volumes all the same.
    NeverQuiesced {
        /// The pod.
        pod: String,
    },
    /// The policy lets only so many members be held still at once, and this one was cut as it was.
    LeftUnheld {
        /// The pod.
        pod: String,
        /// How many may be held at once.
        at_most: u32,
    },
    /// No cut of the pod's volumes was observed.
    CutNotObserved {
        /// The pod.
        pod: String,
    },
    /// When the pod was let go is not known (its post hook never reported), so the end of its quiesce is unproven.
    ThawNotObserved {
        /// The pod.
        pod: String,
    },
    /// A cut's time is known only so roughly that it may lie outside the pod's quiesce.
    CutTimeTooCoarse {
        /// The pod.
        pod: String,
        /// How far the cut's time may be off, ms.
        resolution_ms: u64,
    },
    /// The pod's wall clock was set while it was held, so the times of its hold prove nothing.
    ClockJumped {
        /// The pod.
        pod: String,
        /// By how much, ms.
        by_ms: u64,
    },
    /// No member quiesced and no cut was seen.
    NothingHappened,
}

impl fmt::Display for VerdictReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuiescesCoverAllCuts => {
                f.write_str("every member was quiesced from before the first to after the last cut")
            }
            Self::QuiescesDoNotOverlap { pod } => {
                write!(f, "each cut lies in its own member's quiesce, but {pod} was not quiesced over all cuts")
            }
            Self::CutOutsideQuiesce { pod } => {
                write!(f, "a volume of {pod} was cut while {pod} was not quiesced")
            }
            Self::NeverQuiesced { pod } => write!(f, "{pod} was expected and never quiesced"),
            Self::LeftUnheld { pod, at_most } => {
                write!(f, "{pod} was cut as it was: the policy lets at most {at_most} members be held still at once")
            }
            Self::CutNotObserved { pod } => write!(f, "no cut of {pod}'s volumes was observed"),
            Self::ThawNotObserved { pod } => write!(f, "when {pod} was let go was not reported"),
            Self::CutTimeTooCoarse { pod, resolution_ms } => {
                write!(f, "the cut of {pod} is known to ±{resolution_ms} ms only, which may lie outside its quiesce")
            }
            Self::ClockJumped { pod, by_ms } => {
                write!(
                    f,
                    "the wall clock of {pod} was set by {by_ms} ms while it was held, so the times of its hold prove nothing"
                )
            }
            Self::NothingHappened => f.write_str("no member quiesced and no cut was seen"),
        }
    }
}
