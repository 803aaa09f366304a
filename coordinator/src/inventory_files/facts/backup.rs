//! What is kept of a Velero Backup: whose it is, and how long it took.

use coordinator_core::inventory::facts::{BackupFact, Fact};
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::names::VELERO_LABEL_SCHEDULE_NAME;

use super::meta::Meta;

/// The fields that are read.
#[derive(Debug, Deserialize)]
pub struct Slim {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    start_timestamp: Option<String>,
    completion_timestamp: Option<String>,
}

/// Cuts it down. A time that is none counts as not there.
pub fn reduce(backup: Slim) -> Result<Fact, IdentityError> {
    let Slim { metadata, status } = backup;
    let time = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let fact = BackupFact {
        schedule: metadata.label(VELERO_LABEL_SCHEDULE_NAME).map(str::to_owned),
        phase: status.phase,
        started: time(status.start_timestamp),
        completed: time(status.completion_timestamp),
    };
    Ok(Fact::Backup(metadata.key()?, fact))
}
