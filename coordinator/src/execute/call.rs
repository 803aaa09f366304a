//! One call to the API server: bounded, and its failure explained.

use std::time::Duration;

use coordinator_core::event::{Event, Outcome, Version};
use kube::api::ObjectMeta;
use shared::deadline::CALL_TIMEOUT_MS;
use tokio::time::timeout;

use super::Done;
use crate::api::{Trouble, TroubleKind};

/// Waits for a call, but not for ever.
pub async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match timeout(Duration::from_millis(CALL_TIMEOUT_MS), call).await {
        Ok(result) => result.map_err(|error| Trouble::of(&error)),
        Err(_elapsed) => Err(Trouble::timeout(CALL_TIMEOUT_MS)),
    }
}

/// It is written; the object has this version now.
pub fn written(meta: ObjectMeta) -> Done {
    let version = Version { resource: meta.resource_version.unwrap_or_default(), uid: meta.uid.unwrap_or_default() };
    Done { events: Vec::new(), outcome: Outcome::Written(version) }
}

/// Somebody else was first; `events` say how it stands now.
pub fn conflict(events: Vec<Event>) -> Done {
    Done { events, outcome: Outcome::Conflict }
}

/// It is not done, or not known to be; `events` say how it stands now, where that could be read.
pub fn failed(events: Vec<Event>, trouble: &Trouble, verb: &str, resource: &str) -> Done {
    let message = format!("{trouble}: {}", trouble.advice(verb, resource));
    let refused = matches!(trouble.kind, TroubleKind::Forbidden | TroubleKind::Invalid);
    Done { events, outcome: Outcome::Failed { refused, message } }
}
