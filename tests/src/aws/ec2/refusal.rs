//! Why does EC2 refuse, and how does it say so?
//!
//! Codes and statuses: EC2 API reference, "Error codes for the Amazon EC2 API"; the messages of the limits are those that users' logs show.

use super::account::volume::VolumeId;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account's request bucket for this action is empty.
    RequestLimitExceeded,
    /// This volume was cut less than 15 s ago.
    SnapshotCreationPerVolumeRateExceeded,
    /// This volume has as many pending snapshots as it may have.
    ConcurrentSnapshotLimitExceeded,
    /// The account has as many pending snapshots as it may have.
    PendingSnapshotLimitExceeded,
    /// The account has as many snapshots as it may have.
    SnapshotLimitExceeded,
    /// More tags than a resource can have.
    TagLimitExceeded,
    /// No such volume.
    NoSuchVolume(VolumeId),
    /// No such snapshot.
    NoSuchSnapshot(String),
    /// To tag what is not there.
    NoSuchResource(String),
    /// A volume from a snapshot that is still pending.
    SnapshotPending,
    /// An action that is not known here, or not in this version of the API.
    InvalidAction(String),
    /// The request has no signature.
    MissingAuthenticationToken,
    /// A parameter that must be there is not.
    MissingParameter(&'static str),
    /// A parameter that is not known here.
    UnknownParameter(String),
    /// A parameter's value is none.
    InvalidParameterValue(String),
    /// A token that stands for another request.
    IdempotentParameterMismatch,
    /// Two parameters that exclude each other.
    InvalidParameterCombination(&'static str),
    /// What a parameter asks for is not done here.
    UnsupportedOperation(String),
    /// Nothing is wrong, and nothing was done, as `DryRun` asks.
    DryRun,
}

impl Refusal {
    /// EC2's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RequestLimitExceeded => "RequestLimitExceeded",
            Self::SnapshotCreationPerVolumeRateExceeded => "SnapshotCreationPerVolumeRateExceeded",
            Self::ConcurrentSnapshotLimitExceeded => "ConcurrentSnapshotLimitExceeded",
            Self::PendingSnapshotLimitExceeded => "PendingSnapshotLimitExceeded",
            Self::SnapshotLimitExceeded => "SnapshotLimitExceeded",
            Self::TagLimitExceeded => "TagLimitExceeded",
            Self::NoSuchVolume(_) => "InvalidVolume.NotFound",
            Self::NoSuchSnapshot(_) => "InvalidSnapshot.NotFound",
            Self::NoSuchResource(_) => "InvalidID",
            Self::SnapshotPending => "IncorrectState",
            Self::InvalidAction(_) => "InvalidAction",
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::MissingParameter(_) => "MissingParameter",
            Self::UnknownParameter(_) => "UnknownParameter",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::IdempotentParameterMismatch => "IdempotentParameterMismatch",
            Self::InvalidParameterCombination(_) => "InvalidParameterCombination",
            Self::UnsupportedOperation(_) => "UnsupportedOperation",
            Self::DryRun => "DryRunOperation",
        }
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::RequestLimitExceeded => 503,
            Self::MissingAuthenticationToken => 403,
            Self::DryRun => 412,
            _ => 400,
        }
    }

    /// The text that goes with it.
    pub fn message(&self) -> String {
        match self {
            Self::RequestLimitExceeded => "Request limit exceeded.".to_owned(),
            Self::SnapshotCreationPerVolumeRateExceeded => {
                "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.".to_owned()
            }
            Self::ConcurrentSnapshotLimitExceeded => {
                "Maximum allowed in-progress snapshots for a single volume exceeded.".to_owned()
            }
            Self::PendingSnapshotLimitExceeded => "Maximum number of pending snapshots exceeded.".to_owned(),
            Self::SnapshotLimitExceeded => "Maximum number of snapshots exceeded.".to_owned(),
            Self::TagLimitExceeded => "You have reached the limit on the number of tags for this resource.".to_owned(),
            Self::NoSuchVolume(id) => format!("The volume '{id}' does not exist."),
            Self::NoSuchSnapshot(id) => format!("The snapshot '{id}' does not exist."),
            Self::NoSuchResource(id) => format!("The ID '{id}' is not valid"),
            Self::SnapshotPending => "Snapshot is in invalid state - pending".to_owned(),
            Self::InvalidAction(name) => format!("The action {name} is not valid for this web service."),
            Self::MissingAuthenticationToken => "Request is missing Authentication Token".to_owned(),
            Self::MissingParameter(name) => format!("The request must contain the parameter {name}"),
            Self::UnknownParameter(name) => format!("The parameter {name} is not recognized"),
            Self::InvalidParameterValue(what) => what.clone(),
            Self::IdempotentParameterMismatch => {
                "The client token you have provided is associated with a resource with other parameters.".to_owned()
            }
            Self::InvalidParameterCombination(what) => (*what).to_owned(),
            Self::UnsupportedOperation(what) => format!("The stand-in does not do this: {what}"),
            Self::DryRun => "Request would have succeeded, but DryRun flag is set.".to_owned(),
        }
    }
}
