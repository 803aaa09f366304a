//! Puts a receipt onto the Backup that it is of.

use coordinator_core::event::Event;
use coordinator_core::objects::ObjectKey;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use shared::identity::GroupKey;
use shared::names::{FIELD_MANAGER_COORDINATOR, receipt_annotation};

use super::Done;
use super::call::{bounded, conflict, failed, written};
use crate::api::TroubleKind;
use crate::watch::backups::{SlimBackup, resource};

/// Adds one annotation; what Velero writes to the Backup meanwhile stays.
pub async fn annotate(client: &Client, backup: &ObjectKey, group: &GroupKey, receipt: &str) -> Done {
    let api: Api<SlimBackup> = Api::namespaced_with(client.clone(), backup.namespace.as_str(), &resource());
    let patch = json!({"metadata": {"annotations": {receipt_annotation(group): receipt}}});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER_COORDINATOR.to_owned()), ..PatchParams::default() };
    match bounded(api.patch_metadata(&backup.name, &params, &Patch::Merge(&patch))).await {
        Ok(annotated) => written(annotated.metadata),
        Err(trouble) if trouble.kind == TroubleKind::NotFound => conflict(vec![Event::BackupGone(backup.clone())]),
        Err(trouble) => failed(Vec::new(), &trouble, "patch", "backups"),
    }
}
