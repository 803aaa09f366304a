//! The fields of the cluster's objects that the checks read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use shared::names::{LABEL_GROUP_NAMESPACE, LABEL_MANAGED_BY, LABEL_SNAPSHOT_GROUP, MANAGED_BY_SCHEDULER};

use super::status::{DeploymentStatus, PodStatus};

/// The fields of `metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its owners.
    pub owner_references: Vec<OwnerReference>,
    /// Set while it is being deleted.
    pub deletion_timestamp: Option<String>,
}

/// One of `metadata.ownerReferences`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnerReference {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it is the controller.
    pub controller: Option<bool>,
}

/// A Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Its metadata.
    pub metadata: Meta,
    /// Its containers and volumes.
    pub spec: PodSpec,
    /// How far it is.
    pub status: PodStatus,
}

impl Pod {
    /// What people change to change it: its StatefulSet, or whatever else made it, or itself.
    pub fn subject(&self) -> String {
        let Meta { namespace, name, .. } = &self.metadata;
        match self.controller() {
            Some(owner) => format!("{} {namespace}/{}", owner.kind, owner.name),
            None => format!("Pod {namespace}/{name}"),
        }
    }

    /// What made it, and keeps it there.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.metadata.owner_references.iter().find(|owner| owner.controller == Some(true))
    }

    /// Whether it runs, or may come to run.
    pub fn lives(&self) -> bool {
        self.metadata.deletion_timestamp.is_none() && !matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Its ServiceAccount.
    pub fn account(&self) -> &str {
        self.spec.service_account_name.as_deref().unwrap_or("default")
    }
}

/// The fields of a pod's `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Its containers, in order.
    pub containers: Vec<Container>,
    /// What runs before them.
    pub init_containers: Vec<Container>,
    /// Its volumes.
    pub volumes: Vec<Volume>,
    /// Who it is.
    pub service_account_name: Option<String>,
    /// Whether Kubernetes mounts its token.
    pub automount_service_account_token: Option<bool>,
}

/// The fields of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its entry point.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<Variable>,
    /// What is mounted where.
    pub volume_mounts: Vec<Mount>,
    /// What it may do on the node.
    pub security_context: Option<SecurityContext>,
}

/// The fields of a container's `securityContext`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SecurityContext {
    /// Everything is allowed.
    pub privileged: Option<bool>,
    /// What is allowed beside the usual.
    pub capabilities: Option<Capabilities>,
}

/// `capabilities`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// What is added.
    pub add: Vec<String>,
}

/// One of `env`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; nothing where it comes from elsewhere.
    pub value: Option<String>,
}

/// One of `volumeMounts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mount {
    /// The volume.
    pub name: String,
    /// Where.
    pub mount_path: String,
}

/// One of `volumes`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Tokens, `ConfigMaps` and the like in one.
    pub projected: Option<Projected>,
    /// Fields of the pod as files.
    #[serde(rename = "downwardAPI")]
    pub downward_api: Option<Value>,
}

impl Volume {
    /// Whether it has the pod's annotations as the file `annotations`.
    pub fn has_annotations(&self) -> bool {
        let projected = self.projected.iter().flat_map(|it| &it.sources).filter_map(|it| it.get("downwardAPI"));
        let mut items =
            self.downward_api.iter().chain(projected).filter_map(|it| it.get("items")?.as_array()).flatten();
        items.any(|item| item.get("path").and_then(Value::as_str) == Some("annotations"))
    }
}

/// `projected`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Projected {
    /// What is in it.
    pub sources: Vec<BTreeMap<String, Value>>,
}

/// A Deployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Its metadata.
    pub metadata: Meta,
    /// Its template.
    pub spec: DeploymentSpec,
    /// How far it is; nothing in a manifest.
    pub status: Option<DeploymentStatus>,
}

impl Deployment {
    /// What findings call it.
    pub fn subject(&self) -> String {
        format!("Deployment {}/{}", self.metadata.namespace, self.metadata.name)
    }
}

/// The fields of a Deployment's `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentSpec {
    /// How many pods; 1 where it says nothing.
    pub replicas: Option<u32>,
    /// Its pods.
    pub template: Template,
}

/// `spec.template`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Template {
    /// Its pods' spec.
    pub spec: PodSpec,
}

/// A Velero Schedule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// Its metadata.
    pub metadata: Meta,
    /// What it does when.
    pub spec: ScheduleSpec,
}

impl Schedule {
    /// Whether it is of the group that a pod is in. Groups of two namespaces may have one name; a Schedule that names no namespace is of both.
    pub fn is_of_group_of(&self, pod: &Pod) -> bool {
        let Meta { labels, .. } = &self.metadata;
        let group = pod.metadata.labels.get(LABEL_SNAPSHOT_GROUP).filter(|it| !it.is_empty());
        group.is_some()
            && labels.get(LABEL_SNAPSHOT_GROUP) == group
            && labels.get(LABEL_GROUP_NAMESPACE).is_none_or(|namespace| *namespace == pod.metadata.namespace)
    }

    /// The namespace of the group that it backs up by native snapshots, where it is this product's and does.
    pub fn native_namespace(&self) -> Option<&str> {
        let ours = self.metadata.labels.get(LABEL_MANAGED_BY).is_some_and(|it| it == MANAGED_BY_SCHEDULER);
        let native = self.spec.template.volume_group_snapshot_label_key == LABEL_SNAPSHOT_GROUP;
        self.metadata.labels.get(LABEL_GROUP_NAMESPACE).filter(|_| ours && native).map(String::as_str)
    }
}

/// The fields of a Schedule's `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScheduleSpec {
    /// Whether it is paused.
    pub paused: bool,
    /// When.
    pub schedule: String,
    /// What.
    pub template: BackupSpec,
}

/// The fields of a Backup's `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSpec {
    /// Its hooks.
    pub hooks: BackupHooks,
    /// The label by which claims share a block.
    pub volume_group_snapshot_label_key: String,
}

/// `hooks`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BackupHooks {
    /// One entry a selection of pods.
    pub resources: Vec<HookResource>,
}

/// `hooks.resources[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HookResource {
    /// Its name.
    pub name: String,
    /// Before the snapshots.
    pub pre: Vec<Hook>,
    /// After them.
    pub post: Vec<Hook>,
}

/// One hook.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// What is run.
    pub exec: Option<Exec>,
}

/// `exec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exec {
    /// Where.
    pub container: String,
    /// What.
    pub command: Vec<String>,
    /// What its failure means.
    pub on_error: String,
    /// How long it may take.
    pub timeout: String,
}

/// A `VolumeSnapshotClass`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotClass {
    /// Its metadata.
    pub metadata: Meta,
    /// Whose.
    pub driver: String,
    /// What becomes of the snapshot when its object goes.
    pub deletion_policy: String,
}

/// A `ClusterRoleBinding`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRoleBinding {
    /// Its metadata.
    pub metadata: Meta,
    /// What it lets them do.
    pub role_ref: RoleRef,
    /// Whom.
    pub subjects: Vec<Subject>,
}

/// `roleRef`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RoleRef {
    /// The `ClusterRole`.
    pub name: String,
}

/// One of `subjects`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// `ServiceAccount`, `User` or `Group`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// A ServiceAccount's namespace.
    pub namespace: String,
}
