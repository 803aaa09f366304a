//! How does the server list the cluster at the beginning of a Backup?

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::velero::backup::LABEL_EXCLUDE;
use crate::velero::inventory::{ClaimItem, Inventory, PodItem, VolumeItem};

/// Lists pods, claims, volumes and namespaces of the whole cluster; filters come later.
pub(super) async fn list(client: &Client) -> kube::Result<Inventory> {
    let all = ListParams::default();
    let volumes = Api::<PersistentVolume>::all(client.clone()).list(&all).await?;
    let volumes: BTreeMap<String, VolumeItem> =
        volumes.items.iter().map(VolumeItem::read).map(|volume| (volume.name.clone(), volume)).collect();
    let claims = Api::<PersistentVolumeClaim>::all(client.clone()).list(&all).await?;
    let pods = Api::<Pod>::all(client.clone()).list(&all).await?;
    let mut inventory = Inventory {
        namespaces: namespaces(client).await?.0,
        pods: pods.items.iter().map(PodItem::read).collect(),
        claims: claims.items.iter().map(|claim| ClaimItem::read(claim, &volumes)).collect(),
    };
    // The order of the API server's store, made sure of.
    inventory.pods.sort_by(|a, b| a.name.cmp(&b.name));
    inventory.claims.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(inventory)
}

/// All namespaces, and those that a label keeps out of every backup.
pub(super) async fn namespaces(client: &Client) -> kube::Result<(Vec<String>, Vec<String>)> {
    let found = Api::<Namespace>::all(client.clone()).list(&ListParams::default()).await?;
    let is_excluded = |ns: &&Namespace| {
        ns.metadata.labels.as_ref().and_then(|l| l.get(LABEL_EXCLUDE)).is_some_and(|value| value == "true")
    };
    let name = |ns: &Namespace| ns.metadata.name.clone();
    Ok((
        found.items.iter().filter_map(name).collect(),
        found.items.iter().filter(is_excluded).filter_map(name).collect(),
    ))
}
