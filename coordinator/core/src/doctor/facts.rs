//! What the checks know of a cluster: its objects cut down to the fields that they read, and what could not be had.

mod objects;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::inventory::{Inventory, facts::Facts as InventoryFacts};

pub use objects::{
    BackupHooks, BackupSpec, Capabilities, ClusterRoleBinding, Container, Deployment, DeploymentSpec, Exec, Hook,
    HookResource, Meta, Mount, OwnerReference, Pod, PodSpec, Projected, RoleRef, Schedule, ScheduleSpec,
    SecurityContext, SnapshotClass, Subject, Template, Variable, Volume,
};
pub use status::{Condition, ContainerState, ContainerStatus, DeploymentStatus, PodStatus, Waiting};

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
    /// `clusterrolebindings.rbac.authorization.k8s.io`.
    ClusterRoleBindings,
}

impl Source {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Pods,
        Self::Claims,
        Self::Volumes,
        Self::StatefulSets,
        Self::Deployments,
        Self::Schedules,
        Self::SnapshotClasses,
        Self::ClusterRoleBindings,
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
            Self::ClusterRoleBindings => "clusterrolebindings.rbac.authorization.k8s.io",
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
            Self::ClusterRoleBindings => "ClusterRoleBinding",
        }
    }

    /// Its objects' API group, empty for the core's.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Pods | Self::Claims | Self::Volumes => "",
            Self::StatefulSets | Self::Deployments => "apps",
            Self::Schedules => "velero.io",
            Self::SnapshotClasses => "snapshot.storage.k8s.io",
            Self::ClusterRoleBindings => "rbac.authorization.k8s.io",
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
    /// `ClusterRoleBindings`.
    pub bindings: Vec<ClusterRoleBinding>,
    /// The same objects, as the scheduler sees them.
    pub inventory_facts: InventoryFacts,
    /// What the scheduler makes of them.
    pub inventory: Inventory,
    /// Rights that were asked about.
    pub rights: BTreeSet<Right>,
    /// Questions about rights that got no answer; their words.
    pub rights_unknown: Vec<String>,
    /// Rights that nobody was asked about, and why.
    pub rights_not_asked: Vec<String>,
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
            Source::ClusterRoleBindings => keep(object, &mut self.bindings),
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
