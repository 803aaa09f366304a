//! Where does the coordinator leave its receipts, and how does a test get at them?

use kube::api::Api;
use kube::core::DynamicObject;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Client, ResourceExt as _};
use serde_json::Value;
use shared::identity::GroupKey;
use shared::names::receipt_annotation;
use shared::receipt::Receipt;
use std::time::Duration;

use crate::coordinator_process::CoordinatorProcess;
use crate::velero::backup::backup_resource;

/// Why there is no receipt to be read.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// None came.
    #[error("no receipt of {group} on Backup {backup} within {limit:?}")]
    NotInTime {
        /// The group.
        group: GroupKey,
        /// The Backup.
        backup: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The Backup could not be watched.
    #[error("Backup {0} cannot be watched")]
    Watch(String, #[source] kube::runtime::wait::Error),
    /// What stands there is no receipt.
    #[error("annotation {key} of Backup {backup} is no receipt: {text}")]
    NotAReceipt {
        /// The annotation.
        key: String,
        /// The Backup.
        backup: String,
        /// What stands there.
        text: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Waits for the receipt of a group on a Backup.
pub(super) async fn on_backup(
    client: &Client,
    system: &str,
    backup: &str,
    group: &GroupKey,
    limit: Duration,
) -> Result<Receipt, ReceiptError> {
    let backups: Api<DynamicObject> = Api::namespaced_with(client.clone(), system, &backup_resource());
    let key = receipt_annotation(group);
    let waited = tokio::time::timeout(limit, await_condition(backups, backup, has_annotation(key.clone()))).await;
    let object = waited
        .map_err(|_| ReceiptError::NotInTime { group: group.clone(), backup: backup.to_owned(), limit })?
        .map_err(|e| ReceiptError::Watch(backup.to_owned(), e))?;
    let text = object.and_then(|object| object.annotations().get(&key).cloned()).unwrap_or_default();
    serde_json::from_str(&text).map_err(|source| ReceiptError::NotAReceipt {
        key,
        backup: backup.to_owned(),
        text,
        source,
    })
}

fn has_annotation(key: String) -> impl Condition<DynamicObject> {
    move |object: Option<&DynamicObject>| object.is_some_and(|object| object.annotations().contains_key(&key))
}

/// The `group_receipt` log lines of a group, oldest first.
pub(super) fn logged(coordinator: &CoordinatorProcess, group: &GroupKey) -> Vec<Value> {
    let mut lines = coordinator.lines_of("group_receipt");
    lines.retain(|line| line["namespace"] == group.namespace.as_str() && line["group_id"] == group.group.as_str());
    lines
}
