//! How does the server write into a Backup?
//!
//! With merge patches on the object itself: the Backup kind has no status subresource.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::Server;
use crate::velero::backup::Phase;
use crate::velero::truth::Fact;

/// Writes a phase and other status fields. A Backup that is gone is no error: the real server logs and goes on.
pub(super) async fn write_phase(server: &Server, backup: &str, phase: Phase, mut status: Map<String, Value>) {
    status.insert("phase".into(), json!(phase.as_str()));
    if phase.is_final() {
        status.insert("completionTimestamp".into(), json!(now()));
    }
    if write(server, backup, json!({"status": status})).await {
        server.truth.record(Fact::Phase { backup: backup.to_owned(), phase });
    }
}

/// Merges a patch; says whether it was taken.
pub(super) async fn write(server: &Server, backup: &str, patch: Value) -> bool {
    let written = server.backups().patch(backup, &PatchParams::default(), &Patch::Merge(patch)).await;
    if let Err(error) = &written {
        tracing::warn!(%error, backup, "Backup could not be written");
    }
    written.is_ok()
}

/// Now, in whole seconds, as `metav1.Time` has it.
pub(super) fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Turns a JSON object into a map; anything else into an empty one.
pub(super) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
