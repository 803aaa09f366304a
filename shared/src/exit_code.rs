//! The hook-agent's exit codes: Velero shows users only "command terminated with exit code N".

/// One way in which the hook-agent ends. The numbers are part of the product's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// Went on as intended (released, no group, or by policy although not released).
    Ok,
    /// Flags or environment are wrong; nothing was done.
    Usage,
    /// Waited to the deadline without being released, and `--on-deadline fail` was asked for.
    Deadline,
    /// API server or coordinator did not answer in time, and `--on-unreachable fail` was asked for.
    Unreachable,
    /// The API server refused (401, 403, 422): rights or tokens are missing. Only with `--on-unreachable fail`.
    Refused,
    /// Cannot tell which pod this is.
    Identity,
    /// The pod's group label cannot be read or is not valid.
    Group,
    /// The attempt was ended from outside while it waited (its post hook ran, or its Lease was taken away).
    Ended,
    /// What was to be held still could not be, and `--on-quiesce-failure fail` was asked for.
    Quiesce,
    /// Something could not be let go, and may still be held.
    LetGo,
    /// A claim of the pod could not be swept when the pod started.
    Sweep,
    /// The program could not be copied to where the workload finds it.
    Install,
    /// A signal came; the registration was withdrawn.
    Withdrawn,
    /// There is no resident, or it could not hold the pod still now.
    NotReady,
    /// Manifests cannot be edited.
    Manifest,
    /// A defect of the agent itself.
    Internal,
}

impl ExitCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Ok,
        Self::Usage,
        Self::Deadline,
        Self::Unreachable,
        Self::Refused,
        Self::Identity,
        Self::Group,
        Self::Ended,
        Self::Quiesce,
        Self::LetGo,
        Self::Sweep,
        Self::Install,
        Self::Withdrawn,
        Self::NotReady,
        Self::Manifest,
        Self::Internal,
    ];

    /// The process's exit status. 1 and 126 to 165 stay free: shells, runtimes and signals use them.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 2,
            Self::Deadline => 10,
            Self::Unreachable => 11,
            Self::Refused => 12,
            Self::Identity => 13,
            Self::Group => 14,
            Self::Ended => 15,
            Self::Quiesce => 16,
            Self::LetGo => 17,
            Self::Sweep => 18,
            Self::Install => 19,
            Self::Withdrawn => 20,
            Self::NotReady => 21,
            Self::Manifest => 22,
            Self::Internal => 70,
        }
    }

    /// What it means and what to do, in one line for `--help` and the README.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "went on as intended",
            Self::Usage => "flags or environment are wrong; the message names which",
            Self::Deadline => {
                "not released before the deadline (--on-deadline fail): raise the budget or spread the schedules"
            }
            Self::Unreachable => {
                "API server or coordinator did not answer (--on-unreachable fail): is the coordinator running?"
            }
            Self::Refused => {
                "the API server refused (--on-unreachable fail): check the pod's ServiceAccount and its Role"
            }
            Self::Identity => {
                "cannot tell which pod this is: mount a token, or set POD_NAME, POD_NAMESPACE and POD_UID"
            }
            Self::Group => "the snapshot group cannot be read or is not a label's value",
            Self::Ended => "the attempt was ended while it waited: its post hook ran, or its Lease was changed by hand",
            Self::Quiesce => {
                "the pod could not be held still (--on-quiesce-failure fail): the message says which step and why"
            }
            Self::LetGo => "something could NOT be let go and may still be held: act now, the message says what",
            Self::Sweep => "a listed claim could not be swept when the pod started; the message says which and why",
            Self::Install => "the program could not be copied; the message says where and why",
            Self::NotReady => "no resident is there, or it could not hold the pod still now; the message says why",
            Self::Manifest => "inject: the manifests cannot be edited; the message says where, why and what to do",
            Self::Withdrawn => "a signal came while it waited; the registration was withdrawn",
            Self::Internal => "a defect of the agent: please report its output",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_leave_shells_and_signals_alone() {
        let codes: BTreeSet<u8> = ExitCode::ALL.iter().map(|c| c.code()).collect();
        assert_eq!(codes.len(), ExitCode::ALL.len());
        assert!(codes.iter().all(|c| *c != 1 && *c < 126));
    }
}
