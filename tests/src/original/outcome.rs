//! What came of the original's backup?

use std::collections::BTreeSet;

use crate::velero::backup::Phase;
use crate::velero::truth::Consistency;

use super::rule::Rule;

/// How a pod's pre hook ended, as Velero saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreEnd {
    /// It saw "proceed" and ended with 0.
    Released,
    /// Velero gave up on it.
    TimedOut,
    /// There was nothing to be started.
    NotStarted,
}

/// One pod of the group. Times in seconds of virtual time since the Backup began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberOutcome {
    /// How its pre hook ended.
    pub pre: PreEnd,
    /// How long Velero waited for it, s.
    pub wait_s: u64,
    /// When its volume was cut, s.
    pub cut_at_s: u64,
    /// Whether its post hook ran.
    pub post_ran: bool,
    /// Whether its pre hook's loop still ran in the pod when the Backup was over.
    pub still_loops: bool,
}

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// The pre hook of this member started to wait.
    PreStarted(usize),
    /// The pre hook of this member ended.
    PreEnded(usize, PreEnd),
    /// The volume of this member was cut.
    Cut(usize),
    /// The post hook of this member ran.
    PostRan(usize),
    /// No post hook for this member.
    PostSkipped(usize),
    /// The coordinator looked: this many wait and have completed in its eyes, and it did not release.
    Held {
        /// Markers "waiting" that it counts.
        waiting: usize,
        /// Markers "completed" that it counts.
        completed: usize,
    },
    /// The coordinator released the group.
    Released,
    /// The run that released took the release back and removed all "completed".
    CleanedUp,
    /// The run that released was killed in its sleep: what it would have removed stays.
    CleanUpLost,
    /// The coordinator removed this many old markers.
    OldRemoved(usize),
}

/// A step, when it happened and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Seconds since the Backup began.
    pub at_s: u64,
    /// What.
    pub kind: StepKind,
    /// The rule it follows from.
    pub rule: Rule,
}

/// What came of one group's backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The members, in the order in which Velero lists them.
    pub members: Vec<MemberOutcome>,
    /// From the Backup's begin until Velero was done with the group, s.
    pub total_s: u64,
    /// Between the first and the last cut, s.
    pub skew_s: u64,
    /// The Backup's last phase.
    pub phase: Phase,
    /// How consistent the cuts are: never better than crash-consistent, because nothing is quiesced.
    pub consistency: Consistency,
    /// What happened, in order; equal looks of the coordinator are there once.
    pub steps: Vec<Step>,
    /// All rules that made it so.
    pub rules: BTreeSet<Rule>,
}

impl Outcome {
    /// The longest wait of any member, s.
    pub fn wait_max_s(&self) -> u64 {
        self.members.iter().map(|member| member.wait_s).max().unwrap_or(0)
    }

    /// Whether any pod was quiesced while it was cut: no, whatever happens.
    pub fn is_quiesced(&self) -> bool {
        self.consistency < Consistency::CrashConsistent
    }
}
