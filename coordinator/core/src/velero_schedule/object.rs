//! A Velero Schedule as it is sent and shown: only the fields that this product sets (velero `pkg/apis/velero/v1`).
//!
//! Durations are written as Go writes them back (`168h0m0s`), so that what was sent and what is read compare equal.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::objects::{Requirement, Selector};

/// A Schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// `velero.io/v1`.
    pub api_version: &'static str,
    /// `Schedule`.
    pub kind: &'static str,
    /// Its name and marks.
    pub metadata: Metadata,
    /// When, and what.
    pub spec: ScheduleSpec,
}

/// `metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// At most 48 characters: with Velero's time stamp a Backup's name stays a label's value.
    pub name: String,
    /// Velero's namespace.
    pub namespace: String,
    /// Whose it is and which group it backs up.
    pub labels: BTreeMap<String, String>,
    /// What its slot was planned for.
    pub annotations: BTreeMap<String, String>,
}

/// `spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// Five fields, UTC.
    pub schedule: String,
    /// Only with a new or changed cron, until Velero has seen it, and then `true`: Velero would fire at once, and turns it back to `false` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_immediately: Option<bool>,
    /// `false`: removing a Schedule must not remove its Backups.
    pub use_owner_references_in_backup: bool,
    /// The Backup that it makes.
    pub template: BackupSpec,
}

/// `spec.template`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSpec {
    /// What the Backup is labelled with.
    pub metadata: BackupSpecMetadata,
    /// The group's namespace.
    pub included_namespaces: Vec<String>,
    /// Kinds.
    pub included_namespace_scoped_resources: Vec<String>,
    /// The one selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
    /// Or several of which any may match; Velero takes one of the two forms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub or_label_selectors: Option<Vec<LabelSelector>>,
    /// The group's pods in one block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered_resources: Option<BTreeMap<String, String>>,
    /// The claims' label that puts them into one block, native snapshots only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_group_snapshot_label_key: Option<String>,
    /// `true`.
    pub snapshot_volumes: bool,
    /// `false`: volumes are cut, not copied file by file.
    pub default_volumes_to_fs_backup: bool,
    /// How long Velero waits for a snapshot's handle.
    pub csi_snapshot_timeout: String,
    /// Where the Backup goes.
    pub storage_location: String,
    /// How long it is kept.
    pub ttl: String,
    /// What runs in the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
}

/// `spec.template.metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupSpecMetadata {
    /// Labels of the Backup.
    pub labels: BTreeMap<String, String>,
}

/// `spec.template.hooks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hooks {
    /// One entry a container name.
    pub resources: Vec<ResourceHooks>,
}

/// `spec.template.hooks.resources[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceHooks {
    /// Shown in Velero's log.
    pub name: String,
    /// The group's namespace.
    pub included_namespaces: Vec<String>,
    /// `pods`.
    pub included_resources: Vec<String>,
    /// The group's pods.
    pub label_selector: LabelSelector,
    /// Before the cut.
    pub pre: Vec<ExecHook>,
    /// After it.
    pub post: Vec<ExecHook>,
}

/// `pre[]` and `post[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExecHook {
    /// The command.
    pub exec: Exec,
}

/// `exec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// Where it runs; without one, in the pod's first container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What is run.
    pub command: Vec<String>,
    /// `Fail` or `Continue`; unset would behave as `Continue`.
    pub on_error: &'static str,
    /// After which Velero goes on without it.
    pub timeout: String,
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Equalities.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Everything else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Expression>,
}

/// `matchExpressions[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: &'static str,
    /// Its values, for the first two.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl From<Selector> for LabelSelector {
    fn from(selector: Selector) -> Self {
        let mut written = Self::default();
        for requirement in selector {
            let (key, operator, values) = match requirement {
                Requirement::In(key, values) if values.len() == 1 && !written.match_labels.contains_key(&key) => {
                    written.match_labels.extend(values.into_iter().map(|value| (key.clone(), value)));
                    continue;
                }
                Requirement::In(key, values) => (key, "In", values),
                Requirement::NotIn(key, values) => (key, "NotIn", values),
                Requirement::Exists(key) => (key, "Exists", BTreeSet::new()),
                Requirement::DoesNotExist(key) => (key, "DoesNotExist", BTreeSet::new()),
            };
            written.match_expressions.push(Expression { key, operator, values: values.into_iter().collect() });
        }
        written
    }
}
