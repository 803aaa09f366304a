//! How is a Backup brought back, and what does Velero say of it?

use std::time::Duration;

use anyhow::Context as _;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::json;

use crate::velero::backup::VELERO_NAMESPACE;

/// Phases that Velero does not leave again (`pkg/apis/velero/v1/restore_types.go`).
const FINAL: [&str; 4] = ["Completed", "PartiallyFailed", "Failed", "FailedValidation"];

/// Restores a Backup's namespace into another one; returns the Restore when Velero is through with it.
pub async fn restore_into(
    client: &Client,
    backup: &str,
    from: &str,
    into: &str,
    limit: Duration,
) -> anyhow::Result<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("velero.io", "v1", "Restore"), "restores");
    let restores: Api<DynamicObject> = Api::namespaced_with(client.clone(), VELERO_NAMESPACE, &resource);
    let name = format!("{backup}-{into}");
    let object = json!({"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": name, "namespace": VELERO_NAMESPACE},
        "spec": {"backupName": backup, "includedNamespaces": [from], "namespaceMapping": {from: into}, "restorePVs": true}});
    restores.create(&PostParams::default(), &serde_json::from_value(object)?).await.context("creating the Restore")?;
    let is_over = |restore: Option<&DynamicObject>| {
        restore
            .and_then(|restore| restore.data.pointer("/status/phase")?.as_str())
            .is_some_and(|phase| FINAL.contains(&phase))
    };
    let waited = tokio::time::timeout(limit, await_condition(restores.clone(), &name, is_over)).await;
    match waited {
        Ok(found) => found?.context("the Restore was there a moment ago"),
        Err(_) => anyhow::bail!(
            "Restore {name} was not over within {limit:?}: {:?}",
            restores.get(&name).await?.data.get("status")
        ),
    }
}
