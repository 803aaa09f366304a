//! Puts a receipt onto the Backup that it is of.

use coordinator_core::event::{Event, Outcome};
use coordinator_core::objects::ObjectKey;
use coordinator_core::on_backup::{Placing, place};
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;
use shared::identity::GroupKey;
use shared::names::{FIELD_MANAGER_COORDINATOR, receipt_annotation};
use shared::receipt::Receipt;

use super::Done;
use super::call::{bounded, conflict, failed, written};
use crate::api::TroubleKind;
use crate::watch::backups::{SlimBackup, resource};

/// How often the Backup is read anew at once because somebody wrote to it in between; later the core asks again.
const CONFLICTS_MAX: u32 = 5;

/// Adds one annotation to the Backup as it stands; what Velero writes to it meanwhile stays.
pub async fn annotate(client: &Client, backup: &ObjectKey, group: &GroupKey, receipt: &Receipt) -> Done {
    let api: Api<SlimBackup> = Api::namespaced_with(client.clone(), backup.namespace.as_str(), &resource());
    let key = receipt_annotation(group);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER_COORDINATOR.to_owned()), ..PatchParams::default() };
    for _ in 0..CONFLICTS_MAX {
        // A list of one: to get a Backup by its name would be a right more.
        let named = ListParams::default().fields(&format!("metadata.name={}", backup.name));
        let found = match bounded(api.list(&named)).await {
            Ok(found) => found.items.into_iter().next(),
            Err(trouble) => return failed(Vec::new(), &trouble, "list", "backups"),
        };
        let Some(found) = found else { return conflict(vec![Event::BackupGone(backup.clone())]) };
        let json = match place(&found.metadata.annotations.clone().unwrap_or_default(), &key, receipt) {
            Placing::Write(json) => json,
            Placing::NewerIsThere => return written(found.metadata),
            Placing::NoRoom => {
                let message = format!(
                    "the annotations of Backup {backup} leave no room for the receipt of {group}: it stands in the group's Lease and in the log; \
                     take away annotations that nobody needs"
                );
                return Done { events: Vec::new(), outcome: Outcome::Failed { refused: true, message } };
            }
        };
        let version = found.metadata.resource_version;
        let patch = json!({"metadata": {"resourceVersion": version, "annotations": {&key: json}}});
        match bounded(api.patch_metadata(&backup.name, &params, &Patch::Merge(&patch))).await {
            Ok(annotated) => return written(annotated.metadata),
            Err(trouble) if trouble.kind == TroubleKind::NotFound => {
                return conflict(vec![Event::BackupGone(backup.clone())]);
            }
            Err(trouble) if trouble.kind == TroubleKind::Conflict => {}
            Err(trouble) => return failed(Vec::new(), &trouble, "patch", "backups"),
        }
    }
    let message =
        format!("Backup {backup} was written by others {CONFLICTS_MAX} times in a row: its receipt of {group} waits");
    Done { events: Vec::new(), outcome: Outcome::Failed { refused: false, message } }
}
