//! What does the simulator know of a cluster's pods, claims and volumes when a backup begins?
//!
//! A snapshot taken once, as Velero's item collector does: what changes later is met with stale facts (a pod's phase is
//! that of list time, `pod_command_executor.go`), except by the exec itself.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::backup::LABEL_EXCLUDE;
use super::object_name::ObjectName;

/// The cluster as listed; each list in the API server's order (namespace, name).
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Names of all namespaces.
    pub namespaces: Vec<String>,
    /// All pods.
    pub pods: Vec<PodItem>,
    /// All claims.
    pub claims: Vec<ClaimItem>,
}

/// What a backup needs of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodItem {
    /// Its name.
    pub name: ObjectName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations; hooks may be among them.
    pub annotations: BTreeMap<String, String>,
    /// `status.phase`.
    pub phase: String,
    /// Names of the ordinary containers, in order. Init containers and sidecars cannot be exec'd up to 1.18.
    pub containers: Vec<String>,
    /// Claims of its volumes, in the order of `spec.volumes`.
    pub claims: Vec<ObjectName>,
    /// A deletion timestamp is set.
    pub deleting: bool,
}

/// What a backup needs of a claim and the volume it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimItem {
    /// Its name.
    pub name: ObjectName,
    /// Its labels; a snapshot inherits them.
    pub labels: BTreeMap<String, String>,
    /// Its storage class, without which Velero refuses a CSI snapshot.
    pub storage_class: Option<String>,
    /// A deletion timestamp is set.
    pub deleting: bool,
    /// The volume, when the claim is Bound and the volume exists.
    pub volume: Option<VolumeItem>,
}

/// What a backup needs of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeItem {
    /// Name of the `PersistentVolume`.
    pub name: String,
    /// CSI driver and volume handle; `None` for a volume that is not CSI.
    pub csi: Option<CsiVolume>,
    /// `velero.io/exclude-from-backup` is set on the volume itself.
    pub excluded: bool,
}

/// `spec.csi` of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsiVolume {
    /// For example `ebs.csi.aws.com`.
    pub driver: String,
    /// For example `vol-0123456789abcdef0`.
    pub handle: String,
}

impl PodItem {
    /// Reads a Pod object.
    pub fn read(pod: &Pod) -> Self {
        let meta = &pod.metadata;
        let name = name_of(meta);
        let spec = pod.spec.as_ref();
        let volumes = spec.and_then(|s| s.volumes.as_deref()).unwrap_or_default();
        let claims = volumes
            .iter()
            .filter_map(|v| v.persistent_volume_claim.as_ref())
            .map(|source| ObjectName::new(&name.namespace, &source.claim_name))
            .collect();
        Self {
            labels: meta.labels.clone().unwrap_or_default(),
            annotations: meta.annotations.clone().unwrap_or_default(),
            phase: pod.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default(),
            containers: spec.map(|s| s.containers.iter().map(|c| c.name.clone()).collect()).unwrap_or_default(),
            claims,
            deleting: meta.deletion_timestamp.is_some(),
            name,
        }
    }

    /// Whether it counts when Velero looks for the pods that mount a claim.
    pub fn is_running(&self) -> bool {
        self.phase == "Running"
    }

    /// Whether label or deletion keep it out of every backup.
    pub fn is_left_out(&self) -> bool {
        self.deleting || is_excluded(&self.labels)
    }
}

impl ClaimItem {
    /// Reads a claim; `volumes` maps `PersistentVolume` names to what is known of them.
    pub fn read(claim: &PersistentVolumeClaim, volumes: &BTreeMap<String, VolumeItem>) -> Self {
        let meta = &claim.metadata;
        let spec = claim.spec.as_ref();
        let bound = claim.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Bound");
        let volume_name = spec.and_then(|s| s.volume_name.as_deref()).filter(|_| bound);
        Self {
            name: name_of(meta),
            labels: meta.labels.clone().unwrap_or_default(),
            storage_class: spec.and_then(|s| s.storage_class_name.clone()),
            deleting: meta.deletion_timestamp.is_some(),
            volume: volume_name.and_then(|name| volumes.get(name).cloned()),
        }
    }

    /// Whether label or deletion keep it out of every backup.
    pub fn is_left_out(&self) -> bool {
        self.deleting || is_excluded(&self.labels)
    }
}

impl VolumeItem {
    /// Reads a `PersistentVolume`.
    pub fn read(volume: &PersistentVolume) -> Self {
        let csi = volume.spec.as_ref().and_then(|s| s.csi.as_ref());
        Self {
            name: volume.metadata.name.clone().unwrap_or_default(),
            csi: csi.map(|c| CsiVolume { driver: c.driver.clone(), handle: c.volume_handle.clone() }),
            excluded: volume.metadata.labels.as_ref().is_some_and(is_excluded),
        }
    }
}

fn name_of(meta: &ObjectMeta) -> ObjectName {
    ObjectName::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn is_excluded(labels: &BTreeMap<String, String>) -> bool {
    labels.get(LABEL_EXCLUDE).is_some_and(|value| value == "true")
}
