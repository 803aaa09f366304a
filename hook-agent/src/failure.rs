//! How the agent ends when it does not end well, and with which exit code.

use shared::exit_code::ExitCode;

use crate::access::AccessError;
use crate::decide::Unreleased;
use crate::group::GroupFailure;
use crate::identity::IdentityFailure;
use crate::install::InstallError;
use crate::lines;
use crate::quiesce::choose::ChooseError;
use crate::settings::SettingError;
use crate::sweep::SweepError;

/// Any error, for where the cause has many types.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the agent ends with an exit code other than 0.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A flag or variable cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The kubeconfig cannot be used.
    #[error(transparent)]
    Kubeconfig(AccessError),
    /// It cannot be told which pod this is.
    #[error(transparent)]
    Identity(#[from] IdentityFailure),
    /// It cannot be told which group the pod is in.
    #[error(transparent)]
    Group(#[from] GroupFailure),
    /// The wait ended without a release, and the policy is to fail.
    #[error("fails: {}", said(*why))]
    Unreleased {
        /// How the wait ended.
        why: Unreleased,
        /// What was seen last, where there is something to see.
        #[source]
        cause: Option<Cause>,
    },
    /// Somebody else ended the attempt.
    #[error("this attempt was ended while it waited: {0}")]
    Ended(String),
    /// The plan for holding still cannot be used.
    #[error(transparent)]
    Plan(#[from] ChooseError),
    /// The pod could not be held still, and the policy is to fail.
    #[error("could not hold still: {0}")]
    Quiesce(String),
    /// Something is still held after the cut.
    #[error("COULD NOT LET GO: {0}")]
    StillHeld(String),
    /// The pod's claims could not be swept at its start.
    #[error("the sweep failed, so nothing may be frozen in this pod")]
    Sweep(#[from] SweepError),
    /// The program could not be copied.
    #[error("could not install")]
    Install(#[from] InstallError),
    /// There is no resident, or it cannot do its work.
    #[error("not ready: {0}")]
    NotReady(String),
    /// A signal came.
    #[error("{signal} came: {done}")]
    Withdrawn {
        /// Which one.
        signal: &'static str,
        /// What became of the registration.
        done: &'static str,
    },
    /// The system refused something that always works.
    #[error("a defect of the agent, or of this system: {what}")]
    Internal {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        #[source]
        cause: Cause,
    },
}

impl Failure {
    /// The exit code that Velero shows.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Setting(_) | Self::Kubeconfig(_) | Self::Plan(_) => ExitCode::Usage,
            Self::Quiesce(_) => ExitCode::Quiesce,
            Self::StillHeld(_) => ExitCode::LetGo,
            Self::Sweep(_) => ExitCode::Sweep,
            Self::Install(_) => ExitCode::Install,
            Self::NotReady(_) => ExitCode::NotReady,
            Self::Identity(_) => ExitCode::Identity,
            Self::Group(_) => ExitCode::Group,
            Self::Unreleased { why: Unreleased::Deadline, .. } => ExitCode::Deadline,
            Self::Unreleased { why: Unreleased::Unreachable, .. } => ExitCode::Unreachable,
            Self::Unreleased { why: Unreleased::Refused, .. } => ExitCode::Refused,
            Self::Ended(_) => ExitCode::Ended,
            Self::Withdrawn { .. } => ExitCode::Withdrawn,
            Self::Internal { .. } => ExitCode::Internal,
        }
    }

    /// The whole story in one line, with the exit code and what to do about it.
    pub fn line(&self) -> String {
        let code = self.exit_code();
        format!("{} [exit code {}: {}]", lines::chain(self), code.code(), code.meaning())
    }
}

/// How a wait without a release ended, in words.
pub fn said(why: Unreleased) -> &'static str {
    match why {
        Unreleased::Deadline => "not released before the deadline",
        Unreleased::Unreachable => "nobody answered",
        Unreleased::Refused => "the API server refused",
    }
}
