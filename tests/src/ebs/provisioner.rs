//! Where do the volumes of restored claims come from? A stand-in for the external-provisioner and the binder.
//!
//! It serves every claim whose data is to come from a `VolumeSnapshot`, as the provisioner does: once the snapshot is bound and ready, a volume
//! is made from what its content names by handle, a `PersistentVolume` is made for it, and both are bound.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinHandle;

use super::lock;
use crate::aws::ec2::{Ec2, NewVolume, SnapshotId};
use crate::velero::cluster::{DRIVER, STORAGE_CLASS};
use crate::velero::object_name::ObjectName;
use crate::velero::snapshots::{contents, is_ready, snapshots, text_at};

/// Between two looks at the claims. A watch would be quicker and longer to write; a restore takes seconds.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Of which snapshot each restored claim was made.
pub type Restored = BTreeMap<ObjectName, SnapshotId>;

/// A provisioner that runs until it is dropped.
#[derive(Debug)]
pub struct Provisioner {
    made: Arc<Mutex<Restored>>,
    task: JoinHandle<()>,
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provisioner {
    /// Serves all namespaces, with volumes of this EC2.
    pub fn start(client: Client, ec2: Arc<Ec2>) -> Self {
        let made = Arc::<Mutex<Restored>>::default();
        let kept = Arc::clone(&made);
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = look(&client, &ec2, &kept).await {
                    println!("provisioner: {error:#}");
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { made, task }
    }

    /// What was made so far.
    pub fn restored(&self) -> Restored {
        lock(&self.made).clone()
    }
}

async fn look(client: &Client, ec2: &Ec2, made: &Mutex<Restored>) -> anyhow::Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    for claim in claims.list(&ListParams::default()).await.context("listing claims")? {
        let spec = claim.spec.clone().unwrap_or_default();
        let source = spec.data_source.filter(|source| source.kind == "VolumeSnapshot");
        if let (Some(source), None) = (source, spec.volume_name) {
            provision(client, ec2, made, &claim, &source.name).await?;
        }
    }
    Ok(())
}

/// Does nothing while the snapshot is not ready.
async fn provision(
    client: &Client,
    ec2: &Ec2,
    made: &Mutex<Restored>,
    claim: &PersistentVolumeClaim,
    snapshot: &str,
) -> anyhow::Result<()> {
    let namespace = claim.namespace().unwrap_or_default();
    let name = ObjectName::new(&namespace, claim.name_any());
    let found = snapshots(client, &namespace).get_opt(snapshot).await?;
    let Some(found) = found.filter(is_ready) else { return Ok(()) };
    let Some(content) = text_at(&found, "/status/boundVolumeSnapshotContentName") else { return Ok(()) };
    let content = contents(client).get(content).await.with_context(|| format!("the content of {snapshot}"))?;
    let handle = text_at(&content, "/status/snapshotHandle").context("a ready snapshot has a handle")?;
    let id = SnapshotId::named(handle);
    let volume = ec2.create_volume(NewVolume { snapshot: Some(id.clone()), ..NewVolume::default() });
    let volume_name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let spec = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume_name},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": DRIVER, "volumeHandle": volume.as_str(), "fsType": "ext4"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace,
                "name": claim.name_any(), "uid": claim.uid()}}});
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    volumes.create(&PostParams::default(), &serde_json::from_value(spec)?).await.context("the restored volume")?;
    lock(made).insert(name, id);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let params = PatchParams::default();
    let bind = Patch::Merge(json!({"spec": {"volumeName": volume_name}}));
    claims.patch(&claim.name_any(), &params, &bind).await.context("binding the restored claim")?;
    let bound = Patch::Merge(
        json!({"status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}}),
    );
    claims.patch_status(&claim.name_any(), &params, &bound).await.context("the restored claim's status")?;
    let bound = Patch::Merge(json!({"status": {"phase": "Bound"}}));
    volumes.patch_status(&volume_name, &params, &bound).await.context("the restored volume's status")?;
    Ok(())
}
