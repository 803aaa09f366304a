//! How the coordinator ends: its exit codes, part of its interface.

use std::process;

/// One way in which the coordinator ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Did what it was asked; for `run`: was told to stop, and did.
    Ok,
    /// Flags or environment are wrong; nothing was done.
    Usage,
    /// There is no usable kubeconfig and this is no pod with a service account.
    Kubeconfig,
    /// `status`: the API server does not answer, or refuses. (`run` never ends for that: it tries again.)
    Api,
    /// `run`: the HTTP address cannot be listened on.
    Listen,
    /// A defect of the coordinator itself.
    Internal,
}

impl Exit {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::Ok, Self::Usage, Self::Kubeconfig, Self::Api, Self::Listen, Self::Internal];

    /// The process's exit status. 1 and 126 to 165 stay free: shells, runtimes and signals use them.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 2,
            Self::Kubeconfig => 3,
            Self::Api => 4,
            Self::Listen => 5,
            Self::Internal => 70,
        }
    }

    /// What it means and what to do, in one line for `--help` and the README.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "did what it was asked (run: stopped by SIGTERM or SIGINT)",
            Self::Usage => "flags or environment are wrong; the message names which",
            Self::Kubeconfig => "no usable kubeconfig, and not in a pod with a service account",
            Self::Api => "status: the API server does not answer, or refuses (run tries again instead)",
            Self::Listen => "run: the HTTP address cannot be listened on",
            Self::Internal => "a defect of the coordinator: please report its output",
        }
    }
}

impl From<Exit> for process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// How `coordinator plan` ends: as `terraform plan -detailed-exitcode` does, so that a pipeline can ask whether anything is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanExit {
    /// The Schedules are as planned.
    Same,
    /// There is no plan: flags, files or the API server are at fault; standard error says which.
    Failed,
    /// Applying the plan would change something.
    Changes,
}

impl PlanExit {
    /// For `--help`.
    pub const HELP: &str = "Exit codes:\n    0  the Schedules are as planned, nothing to change\n    1  no plan: flags, files or the API server are at fault\n    2  applying the plan would change something";
}

impl From<PlanExit> for process::ExitCode {
    fn from(exit: PlanExit) -> Self {
        Self::from(match exit {
            PlanExit::Same => 0,
            PlanExit::Failed => 1,
            PlanExit::Changes => 2,
        })
    }
}

/// How `coordinator doctor` ends: by the gravest finding, so that a pipeline can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoctorExit {
    /// Nothing has to be done; there may be notes.
    Healthy,
    /// There are warnings, and no errors.
    Warnings,
    /// There are errors.
    Errors,
    /// Nothing could be looked at.
    Failed(Exit),
}

impl DoctorExit {
    /// For `--help`.
    pub const HELP: &str = "Exit codes:\n    0  nothing has to be done (there may be notes)\n   10  there are warnings, no errors\n   11  there are errors\n    2  flags or files are at fault; nothing was looked at\n    3  no usable kubeconfig\n    4  the API server answers nothing at all";
}

impl From<DoctorExit> for process::ExitCode {
    fn from(exit: DoctorExit) -> Self {
        match exit {
            DoctorExit::Healthy => Self::from(0),
            DoctorExit::Warnings => Self::from(10),
            DoctorExit::Errors => Self::from(11),
            DoctorExit::Failed(exit) => exit.into(),
        }
    }
}

/// How `coordinator receipts` ends, so that a restore can be made to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptsExit {
    /// All were read, and none was asked to prove more than it does.
    Ok,
    /// `--fail-below`: one proves less, or there is none.
    Below,
    /// One cannot be read.
    Unreadable,
    /// None could be looked at.
    Failed(Exit),
}

impl ReceiptsExit {
    /// For `--help`.
    pub const HELP: &str = "Exit codes:\n    0  every receipt was read\n   10  --fail-below: some receipt proves less, or there is none\n   11  some receipt cannot be read (also with --fail-below)\n    2  flags or files are at fault, or the Backup that --backup names is not there\n    3  no usable kubeconfig\n    4  the API server does not answer, or refuses";
}

impl From<ReceiptsExit> for process::ExitCode {
    fn from(exit: ReceiptsExit) -> Self {
        match exit {
            ReceiptsExit::Ok => Self::from(0),
            ReceiptsExit::Below => Self::from(10),
            ReceiptsExit::Unreadable => Self::from(11),
            ReceiptsExit::Failed(exit) => exit.into(),
        }
    }
}

/// How `coordinator verify` ends: by the gravest that came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyExit {
    /// Every receipt claims what its facts prove.
    Agrees,
    /// One claims less.
    ClaimsLess,
    /// One cannot be checked or read, or the Backup that was named has none.
    Unchecked,
    /// One claims more.
    ClaimsMore,
    /// None could be looked at.
    Failed(Exit),
}

impl VerifyExit {
    /// For `--help`.
    pub const HELP: &str = "Exit codes:\n    0  every receipt claims what its facts prove\n   10  some receipt claims less than its facts prove\n   11  some receipt cannot be checked or read, or the Backup that --backup names has none\n   12  some receipt claims MORE than its facts prove: trust none of it\n    2  flags or files are at fault, or the Backup that --backup names is not there\n    3  no usable kubeconfig\n    4  the API server does not answer, or refuses";
}

impl From<VerifyExit> for process::ExitCode {
    fn from(exit: VerifyExit) -> Self {
        match exit {
            VerifyExit::Agrees => Self::from(0),
            VerifyExit::ClaimsLess => Self::from(10),
            VerifyExit::Unchecked => Self::from(11),
            VerifyExit::ClaimsMore => Self::from(12),
            VerifyExit::Failed(exit) => exit.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_leave_shells_and_signals_alone() {
        let codes: BTreeSet<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
        assert!(codes.iter().all(|code| *code != 1 && *code < 126));
    }
}
