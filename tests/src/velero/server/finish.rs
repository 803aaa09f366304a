//! What happens to a Backup after `InProgress`: it waits for its snapshots to be ready, then their objects are removed.
//!
//! Rules: Velero `backup_operations_controller.go`, `backup_finalizer_controller.go`, `csi/volumesnapshot_action.go`. All is
//! read from the API server, so that a server that starts anew can go on.

use std::sync::Arc;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Map, json};

use super::Server;
use super::run::Outcome;
use super::status::{fields, write_phase};
use crate::velero::backup::{LABEL_BACKUP_NAME, Phase};
use crate::velero::snapshots::{all_snapshots, contents, is_ready, snapshots, text_at};

/// Writes the phase after `InProgress` with all counters of the run, and answers it.
pub(super) async fn leave_in_progress(server: &Server, backup: &str, outcome: &Outcome) -> Phase {
    let Outcome { fatal, errors, warnings, hooks_attempted, hooks_failed, csi_attempted, native_attempted } = outcome;
    if let Some(reason) = fatal {
        write_phase(server, backup, Phase::Failed, fields(json!({"failureReason": reason}))).await;
        return Phase::Failed;
    }
    let is_waiting = look(server, backup).await.open > 0;
    let phase = match (is_waiting, *errors > 0) {
        (true, false) => Phase::WaitingForPluginOperations,
        (true, true) => Phase::WaitingForPluginOperationsPartiallyFailed,
        (false, false) => Phase::Finalizing,
        (false, true) => Phase::FinalizingPartiallyFailed,
    };
    let mut status = Map::new();
    // Zero is left away, as Go's omitempty does.
    for (field, count) in [
        ("errors", *errors),
        ("warnings", *warnings),
        ("csiVolumeSnapshotsAttempted", *csi_attempted as u64),
        ("volumeSnapshotsAttempted", *native_attempted),
        ("volumeSnapshotsCompleted", *native_attempted),
        ("backupItemOperationsAttempted", *csi_attempted as u64),
    ] {
        if count > 0 {
            status.insert(field.into(), json!(count));
        }
    }
    let hooks = fields(json!({"hooksAttempted": hooks_attempted, "hooksFailed": hooks_failed}));
    let hooks: Map<_, _> = hooks.into_iter().filter(|(_, count)| count.as_u64() != Some(0)).collect();
    status.insert("hookStatus".into(), json!(hooks));
    write_phase(server, backup, phase, status).await;
    phase
}

/// Brings a Backup that has left `InProgress` to its end.
pub(super) async fn finish(server: Arc<Server>, backup: String, mut phase: Phase) {
    if matches!(phase, Phase::WaitingForPluginOperations | Phase::WaitingForPluginOperationsPartiallyFailed) {
        phase = wait_for_operations(&server, &backup, phase).await;
    }
    let last = match phase {
        Phase::Finalizing => Phase::Completed,
        Phase::FinalizingPartiallyFailed => Phase::PartiallyFailed,
        _ => return,
    };
    let ready = look(&server, &backup).await;
    for snapshot in &ready.snapshots {
        if let Err(error) = remove(&server, snapshot).await {
            tracing::warn!(%error, backup, "snapshot objects could not be removed");
        }
    }
    let mut status = Map::new();
    if ready.done > 0 {
        status.insert("csiVolumeSnapshotsCompleted".into(), json!(ready.done));
    }
    write_phase(&server, &backup, last, status).await;
}

async fn wait_for_operations(server: &Server, backup: &str, phase: Phase) -> Phase {
    let mut failed = phase == Phase::WaitingForPluginOperationsPartiallyFailed;
    let mut ticks = tokio::time::interval(server.settings.item_operation_poll);
    loop {
        ticks.tick().await;
        let found = look(server, backup).await;
        failed |= found.failed > 0;
        if found.open == 0 {
            let phase = if failed { Phase::FinalizingPartiallyFailed } else { Phase::Finalizing };
            let completed = fields(json!({"backupItemOperationsCompleted": found.done}));
            write_phase(server, backup, phase, completed).await;
            return phase;
        }
    }
}

/// A Backup's snapshots and how far they are.
#[derive(Default)]
struct Operations {
    snapshots: Vec<DynamicObject>,
    /// Neither ready nor failed.
    open: usize,
    done: usize,
    failed: usize,
}

async fn look(server: &Server, backup: &str) -> Operations {
    let labelled = ListParams::default().labels(&format!("{LABEL_BACKUP_NAME}={backup}"));
    let mut operations = Operations::default();
    match all_snapshots(&server.client).list(&labelled).await {
        Ok(list) => operations.snapshots = list.items,
        // Without the CSI kinds there are no operations: the native mode.
        Err(error) => tracing::debug!(%error, backup, "no snapshots can be listed"),
    }
    for snapshot in &operations.snapshots {
        let content = match text_at(snapshot, "/status/boundVolumeSnapshotContentName") {
            Some(bound) => contents(&server.client).get_opt(bound).await.ok().flatten(),
            None => None,
        };
        match content {
            Some(content) if is_ready(snapshot) && is_ready(&content) => operations.done += 1,
            Some(content) if text_at(&content, "/status/error/message").is_some() => operations.failed += 1,
            _ => operations.open += 1,
        }
    }
    operations
}

/// The content is kept in the cloud (`Retain`), its object and the snapshot's object go.
async fn remove(server: &Server, snapshot: &DynamicObject) -> kube::Result<()> {
    if let Some(bound) = text_at(snapshot, "/status/boundVolumeSnapshotContentName") {
        let retain = Patch::Merge(json!({"spec": {"deletionPolicy": "Retain"}}));
        contents(&server.client).patch(bound, &PatchParams::default(), &retain).await?;
        contents(&server.client).delete(bound, &DeleteParams::default()).await?;
    }
    let namespace = snapshot.metadata.namespace.as_deref().unwrap_or_default();
    let name = snapshot.metadata.name.as_deref().unwrap_or_default();
    snapshots(&server.client, namespace).delete(name, &DeleteParams::default()).await.map(|_| ())
}
