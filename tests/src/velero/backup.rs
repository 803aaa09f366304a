//! What does a Backup object say, as far as the simulator obeys it?
//!
//! Fields, names and defaults: Velero `pkg/apis/velero/v1/backup_types.go`. A field that is not here is not simulated.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde::Deserialize;

use super::go_duration::GoDuration;

/// The namespace in which a Velero looks for Backups, unless it is told another.
pub const VELERO_NAMESPACE: &str = "velero";

/// On snapshots and their contents: the Backup that made them.
pub const LABEL_BACKUP_NAME: &str = "velero.io/backup-name";

/// Objects that carry it with the value `true` are left out of every backup.
pub const LABEL_EXCLUDE: &str = "velero.io/exclude-from-backup";

/// Claims with the same value of this label share a block (1.17+), unless the Backup names another key.
pub const DEFAULT_VOLUME_GROUP_LABEL: &str = "velero.io/volume-group";

/// The API resource `backups.velero.io/v1`.
pub fn backup_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("velero.io", "v1", "Backup"), "backups")
}

/// `spec` of a Backup.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSpec {
    /// Namespaces to take; empty or `*` takes all; globs allowed.
    pub included_namespaces: Vec<String>,
    /// Namespaces to leave out.
    pub excluded_namespaces: Vec<String>,
    /// Old filter: kinds to take, `pods` or `pods.` or `*`; empty takes all.
    pub included_resources: Vec<String>,
    /// Old filter: kinds to leave out.
    pub excluded_resources: Vec<String>,
    /// Old filter: whether cluster-scoped kinds are taken; unset means "those that included objects need".
    pub include_cluster_resources: Option<bool>,
    /// New filter for namespaced kinds.
    pub included_namespace_scoped_resources: Vec<String>,
    /// New filter for namespaced kinds.
    pub excluded_namespace_scoped_resources: Vec<String>,
    /// New filter for cluster-scoped kinds.
    pub included_cluster_scoped_resources: Vec<String>,
    /// New filter for cluster-scoped kinds.
    pub excluded_cluster_scoped_resources: Vec<String>,
    /// Objects must match it. Excludes `or_label_selectors`.
    pub label_selector: Option<LabelSelector>,
    /// Objects must match one of them; what matches two is listed twice.
    pub or_label_selectors: Option<Vec<LabelSelector>>,
    /// Kind (plural) to comma-separated `namespace/name`; Velero does not trim spaces.
    pub ordered_resources: BTreeMap<String, String>,
    /// `false` takes no snapshots; hooks run all the same.
    pub snapshot_volumes: Option<bool>,
    /// How long Velero waits for a snapshot's handle; 10 minutes when unset.
    pub csi_snapshot_timeout: Option<GoDuration>,
    /// Label key that joins claims into one block; [`DEFAULT_VOLUME_GROUP_LABEL`] when unset.
    pub volume_group_snapshot_label_key: Option<String>,
    /// Hooks given by the Backup rather than by annotations.
    pub hooks: HookSpecs,
}

/// `spec.hooks`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HookSpecs {
    /// One entry a set of pods; entries that match a pod run one after another.
    pub resources: Vec<HookSpec>,
}

/// One entry of `spec.hooks.resources`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HookSpec {
    /// Shown in Velero's log only.
    pub name: String,
    /// Namespaces it applies to; empty applies to all.
    pub included_namespaces: Vec<String>,
    /// Namespaces it does not apply to.
    pub excluded_namespaces: Vec<String>,
    /// Kinds it applies to; only `pods` can match.
    pub included_resources: Vec<String>,
    /// Kinds it does not apply to.
    pub excluded_resources: Vec<String>,
    /// Pods it applies to; unset applies to all.
    pub label_selector: Option<LabelSelector>,
    /// Before the cut, in order.
    pub pre: Vec<HookAction>,
    /// After the cut, in order.
    pub post: Vec<HookAction>,
}

/// One command of a [`HookSpec`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HookAction {
    /// The only kind of hook there is.
    pub exec: Option<ExecSpec>,
}

/// What to run in which container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecSpec {
    /// Empty: the pod's first container.
    pub container: String,
    /// argv; no shell.
    pub command: Vec<String>,
    /// `Fail`, `Continue`, or anything else.
    pub on_error: String,
    /// Zero or unset: 30 s. Negative: none at all.
    pub timeout: Option<GoDuration>,
}

/// Why a Backup cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("Backup {name}: spec is unreadable; Velero's informer would refuse it: correct the field the source names")]
pub struct BackupUnreadable {
    /// The Backup.
    pub name: String,
    /// What serde found.
    #[source]
    pub source: serde_json::Error,
}

/// Reads the spec of a Backup object.
pub fn read_spec(backup: &DynamicObject) -> Result<BackupSpec, BackupUnreadable> {
    let spec = backup.data.get("spec").cloned().unwrap_or_else(|| serde_json::json!({}));
    serde_json::from_value(spec)
        .map_err(|source| BackupUnreadable { name: backup.metadata.name.clone().unwrap_or_default(), source })
}

/// `status.phase`, in the words of Velero 1.18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not yet seen by the server; also the empty phase.
    New,
    /// 1.18: waits for a slot.
    Queued,
    /// 1.18: has a slot, not yet begun.
    ReadyToStart,
    /// The spec contradicts itself; final.
    FailedValidation,
    /// Hooks and cuts happen here.
    InProgress,
    /// Snapshots are cut but not yet ready.
    WaitingForPluginOperations,
    /// The same, and an error was logged.
    WaitingForPluginOperationsPartiallyFailed,
    /// Snapshot objects are being removed.
    Finalizing,
    /// The same, and an error was logged.
    FinalizingPartiallyFailed,
    /// Final, without an error.
    Completed,
    /// Final, with errors.
    PartiallyFailed,
    /// Final: the server ended in mid-backup or could not run it at all.
    Failed,
}

impl Phase {
    const ALL: [(Self, &'static str); 12] = [
        (Self::New, "New"),
        (Self::Queued, "Queued"),
        (Self::ReadyToStart, "ReadyToStart"),
        (Self::FailedValidation, "FailedValidation"),
        (Self::InProgress, "InProgress"),
        (Self::WaitingForPluginOperations, "WaitingForPluginOperations"),
        (Self::WaitingForPluginOperationsPartiallyFailed, "WaitingForPluginOperationsPartiallyFailed"),
        (Self::Finalizing, "Finalizing"),
        (Self::FinalizingPartiallyFailed, "FinalizingPartiallyFailed"),
        (Self::Completed, "Completed"),
        (Self::PartiallyFailed, "PartiallyFailed"),
        (Self::Failed, "Failed"),
    ];

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(phase, _)| *phase == self).map_or("New", |(_, text)| text)
    }

    /// Reads `status.phase`; an absent or empty phase is [`Phase::New`], an unknown one (`Deleting`) is `None`.
    pub fn of(backup: &DynamicObject) -> Option<Self> {
        let text = backup.data.pointer("/status/phase").and_then(|phase| phase.as_str()).unwrap_or("");
        if text.is_empty() {
            return Some(Self::New);
        }
        Self::ALL.iter().find(|(_, known)| *known == text).map(|(phase, _)| *phase)
    }

    /// Whether Velero will never touch the Backup again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::FailedValidation | Self::Completed | Self::PartiallyFailed | Self::Failed)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(json: serde_json::Value) -> DynamicObject {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_hook_of_the_spec_is_read() {
        let spec = read_spec(&backup(serde_json::json!({
            "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b"},
            "spec": {"includedNamespaces": ["db"], "labelSelector": null, "hooks": {"resources": [{"name": "h",
                "pre": [{"exec": {"command": ["/bin/true"], "onError": "Fail", "timeout": "10m"}}]}]}}
        })))
        .unwrap();
        let exec = spec.hooks.resources[0].pre[0].exec.clone().unwrap();
        assert_eq!((exec.command, exec.on_error.as_str()), (vec!["/bin/true".to_owned()], "Fail"));
        assert_eq!(exec.timeout.unwrap(), GoDuration::parse("600s").unwrap());
    }

    #[test]
    fn a_timeout_without_unit_makes_the_object_unreadable() {
        let refused = read_spec(&backup(serde_json::json!({
            "metadata": {"name": "b"}, "spec": {"csiSnapshotTimeout": "300"}
        })))
        .unwrap_err();
        assert!(refused.source.to_string().contains("missing unit"), "{}", refused.source);
    }

    #[test]
    fn every_phase_reads_back() {
        for (phase, text) in Phase::ALL {
            let object = backup(serde_json::json!({"metadata": {}, "status": {"phase": text}}));
            assert_eq!((Phase::of(&object), phase.as_str()), (Some(phase), text));
        }
        assert_eq!(Phase::of(&backup(serde_json::json!({"metadata": {}}))), Some(Phase::New));
        assert_eq!(Phase::of(&backup(serde_json::json!({"metadata": {}, "status": {"phase": "Deleting"}}))), None);
    }
}
