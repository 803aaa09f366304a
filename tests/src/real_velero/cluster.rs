//! Which objects does a Velero need in the cluster before it starts?

use std::time::Duration;

use anyhow::Context as _;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::bucket::BUCKET;
use crate::velero::backup::VELERO_NAMESPACE;

/// The one location of Backups.
const LOCATION: &str = "default";

/// How often Velero looks for Backups that are in the location and not in the cluster; its default is a minute.
const SYNC_EVERY: &str = "10s";

/// Any region will do: requests go to the stand-in.
pub(super) const REGION: &str = "us-east-1";

/// Locations of Backups in Velero's namespace.
fn locations(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("velero.io", "v1", "BackupStorageLocation");
    let resource = ApiResource::from_gvk_with_plural(&kind, "backupstoragelocations");
    Api::namespaced_with(client.clone(), VELERO_NAMESPACE, &resource)
}

/// Makes the location of Backups.
pub(super) async fn put_location(client: &Client, s3: &str) -> anyhow::Result<()> {
    let location = json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": LOCATION, "namespace": VELERO_NAMESPACE},
        "spec": {"provider": "aws", "default": true, "backupSyncPeriod": SYNC_EVERY, "objectStorage": {"bucket": BUCKET},
            "config": {"region": REGION, "s3ForcePathStyle": "true", "s3Url": s3}}});
    let apply = PatchParams::apply("testbed").force();
    locations(client).patch(LOCATION, &apply, &Patch::Apply(location)).await.context("the BackupStorageLocation")?;
    Ok(())
}

/// Waits until Velero has found it good.
pub(super) async fn location_available(client: &Client, limit: Duration) -> anyhow::Result<()> {
    let is_available = |location: Option<&DynamicObject>| {
        location.is_some_and(|location| location.data.pointer("/status/phase") == Some(&Value::from("Available")))
    };
    let waited = tokio::time::timeout(limit, await_condition(locations(client), LOCATION, is_available)).await;
    waited.with_context(|| format!("the BackupStorageLocation was not Available within {limit:?}"))??;
    Ok(())
}
