//! What the checks know of a cluster: its objects cut down to the fields that they read, and what could not be had.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::inventory::{Inventory, facts::Facts as InventoryFacts};

/// The kinds that are asked for beside the inventory's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `pods`.
    Pods,
    /// `persistentvolumeclaims`.
    Claims,
    /// `persistentvolumes`.
    Volumes,
    /// `statefulsets.apps`.
    StatefulSets,
    /// `deployments.apps`.
    Deployments,
    /// `schedules.velero.io`.
    Schedules,
    /// `volumesnapshotclasses.snapshot.storage.k8s.io`.
    SnapshotClasses,
}

impl Source {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Pods,
        Self::Claims,
        Self::Volumes,
        Self::StatefulSets,
        Self::Deployments,
        Self::Schedules,
        Self::SnapshotClasses,
    ];

    /// Its name, as `kubectl get` takes it.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Claims => "persistentvolumeclaims",
            Self::Volumes => "persistentvolumes",
            Self::StatefulSets => "statefulsets.apps",
            Self::Deployments => "deployments.apps",
            Self::Schedules => "schedules.velero.io",
            Self::SnapshotClasses => "volumesnapshotclasses.snapshot.storage.k8s.io",
        }
    }

    /// Its objects' kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Pods => "Pod",
            Self::Claims => "PersistentVolumeClaim",
            Self::Volumes => "PersistentVolume",
            Self::StatefulSets => "StatefulSet",
            Self::Deployments => "Deployment",
            Self::Schedules => "Schedule",
            Self::SnapshotClasses => "VolumeSnapshotClass",
        }
    }

    /// Its objects' API group, empty for the core's.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Pods | Self::Claims | Self::Volumes => "",
            Self::StatefulSets | Self::Deployments => "apps",
            Self::Schedules => "velero.io",
            Self::SnapshotClasses => "snapshot.storage.k8s.io",
        }
    }
}

/// How it went with a kind, or with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Had {
    /// It was read to its end.
    Read,
    /// The API server does not know the kind: its definition is not installed.
    Absent,
    /// We may not.
    Forbidden,
    /// It does not answer, or nonsense; its words.
    Failed(String),
}

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

/// The fields of a Pod's `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// Its phase.
    pub phase: String,
}

impl Pod {
    /// What people change to change it: its StatefulSet, or whatever else made it, or itself.
    pub fn subject(&self) -> String {
        let Meta { namespace, name, owner_references, .. } = &self.metadata;
        match owner_references.iter().find(|owner| owner.controller == Some(true)) {
            Some(owner) => format!("{} {namespace}/{}", owner.kind, owner.name),
            None => format!("Pod {namespace}/{name}"),
        }
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
}

/// The fields of a Deployment's `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentSpec {
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
#[serde(default)]
pub struct BackupSpec {
    /// Its hooks.
    pub hooks: BackupHooks,
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

/// Whether somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Who: a ServiceAccount as `namespace/name`, or nothing for whoever asked.
    pub account: Option<String>,
    /// Whether it is a pod's hook agent that needs it, not the coordinator.
    pub agent: bool,
    /// `list`, `patch`, …
    pub verb: &'static str,
    /// The API group, empty for the core's.
    pub group: &'static str,
    /// The plural.
    pub resource: &'static str,
    /// Where; nothing for everywhere.
    pub namespace: Option<String>,
    /// The answer.
    pub allowed: bool,
}

/// Whose metrics an alert looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The coordinator: budget, receipts, schedules.
    Coordinator,
    /// Velero's server: its Backups.
    Velero,
}

/// Whether `/metrics` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whose they are.
    pub of: Measured,
    /// The Service, as `namespace/name`.
    pub service: String,
    /// How it went.
    pub had: Had,
}

/// Everything that was gathered.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How it went with each kind; what is missing was not asked for.
    pub had: BTreeMap<Source, Had>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Deployments.
    pub deployments: Vec<Deployment>,
    /// Schedules.
    pub schedules: Vec<Schedule>,
    /// `VolumeSnapshotClasses`.
    pub classes: Vec<SnapshotClass>,
    /// The same objects, as the scheduler sees them.
    pub inventory_facts: InventoryFacts,
    /// What the scheduler makes of them.
    pub inventory: Inventory,
    /// Rights that were asked about.
    pub rights: BTreeSet<Right>,
    /// Questions about rights that got no answer; their words.
    pub rights_unknown: Vec<String>,
    /// Whether metrics answer; nothing of whose server is not there.
    pub metrics: Vec<Metrics>,
    /// Objects that are not what their kind should be, with what is wrong.
    pub unreadable: Vec<String>,
    /// The namespace of Velero and of the coordinator.
    pub velero_namespace: String,
    /// The budget.
    pub budget: u32,
    /// This program's version: agents that are older are told.
    pub version: &'static str,
}

impl Facts {
    /// Takes an object, if the checks read its kind.
    pub fn put(&mut self, object: Value) {
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let (kind, version) = (text("kind"), text("apiVersion"));
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let Some(source) = Source::ALL.into_iter().find(|it| it.kind() == kind && it.group() == group) else { return };
        // What a file holds was read; how it went with a cluster's kind is put by whoever asked.
        self.had.entry(source).or_insert(Had::Read);
        let refused = match source {
            Source::Pods => keep(object, &mut self.pods),
            Source::Deployments => keep(object, &mut self.deployments),
            Source::Schedules => keep(object, &mut self.schedules),
            Source::SnapshotClasses => keep(object, &mut self.classes),
            Source::Claims | Source::Volumes | Source::StatefulSets => None,
        };
        self.unreadable.extend(refused);
    }

    /// Whether all objects of a kind are known.
    pub fn knows(&self, source: Source) -> bool {
        self.had.get(&source) == Some(&Had::Read)
    }
}

fn keep<T: DeserializeOwned>(mut object: Value, into: &mut Vec<T>) -> Option<String> {
    let name = ["/kind", "/metadata/namespace", "/metadata/name"]
        .map(|field| object.pointer(field).and_then(Value::as_str).unwrap_or("(none)").to_owned())
        .join(" ");
    drop_nulls(&mut object);
    match T::deserialize(object) {
        Ok(read) => {
            into.push(read);
            None
        }
        Err(error) => Some(format!("{name}: {error}")),
    }
}

/// `null` is "not set" wherever Kubernetes writes it.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
