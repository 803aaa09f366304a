//! What decisions see of a Velero Backup.

use std::collections::BTreeMap;

use coordinator_core::objects::{Backup, BackupFailure, BackupPhase, ObjectKey};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{ApiResource, GroupVersionKind, Object};
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::names::is_receipt_annotation;

use super::hooks::{self, BackupHooks};
use super::selector;

/// The fields of a Backup that are read at all (velero `pkg/apis/velero/v1/backup_types.go`). Velero's CRD takes one without a spec.
pub type SlimBackup = Object<Option<BackupSpec>, BackupStatus>;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSpec {
    included_namespaces: Option<Vec<String>>,
    excluded_namespaces: Option<Vec<String>>,
    included_resources: Option<Vec<String>>,
    excluded_resources: Option<Vec<String>>,
    included_namespace_scoped_resources: Option<Vec<String>>,
    excluded_namespace_scoped_resources: Option<Vec<String>>,
    label_selector: Option<LabelSelector>,
    or_label_selectors: Option<Vec<Option<LabelSelector>>>,
    ordered_resources: Option<BTreeMap<String, String>>,
    hooks: Option<BackupHooks>,
}

/// `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    phase: Option<String>,
    start_timestamp: Option<String>,
    volume_snapshots_attempted: Option<i64>,
    volume_snapshots_completed: Option<i64>,
}

/// Where Backups are.
pub fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("velero.io", "v1", "Backup"), "backups")
}

/// Native snapshots that it asked for, and of these were made. Counts that cannot be are none.
pub fn native_snapshots(backup: &SlimBackup) -> (u32, u32) {
    let count = |count: Option<i64>| count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    let status = backup.status.as_ref();
    let attempted = status.and_then(|status| status.volume_snapshots_attempted);
    let completed = status.and_then(|status| status.volume_snapshots_completed);
    (count(attempted), count(completed))
}

/// Cuts a Backup down.
///
/// # Errors
/// When its namespace is not valid, which no API server lets through.
pub fn reduce(backup: SlimBackup) -> Result<Backup, IdentityError> {
    let Object { types: _, metadata, spec, status } = backup;
    let BackupSpec {
        included_namespaces,
        excluded_namespaces,
        included_resources,
        excluded_resources,
        included_namespace_scoped_resources,
        excluded_namespace_scoped_resources,
        label_selector,
        or_label_selectors,
        ordered_resources,
        hooks,
    } = spec.unwrap_or_default();
    let BackupStatus { phase: word, start_timestamp, .. } = status.unwrap_or_default();
    let word = word.unwrap_or_default();
    let started_at = start_timestamp.and_then(|at| at.parse().ok());
    let or_label_selectors = or_label_selectors.unwrap_or_default().into_iter().flatten();
    Ok(Backup {
        key: ObjectKey {
            namespace: metadata.namespace.unwrap_or_default().parse()?,
            name: metadata.name.unwrap_or_default(),
        },
        uid: metadata.uid.unwrap_or_default(),
        started_at,
        failure: failure(&word),
        phase: match phase(&word) {
            // Two of Velero's own writes race on a busy server: the queue's late ReadyToStart was seen to replace InProgress (1.18.3) while
            // the Backup ran. Its start stays written.
            BackupPhase::Pending if started_at.is_some() => BackupPhase::InProgress,
            phase => phase,
        },
        included_namespaces: included_namespaces.unwrap_or_default(),
        excluded_namespaces: excluded_namespaces.unwrap_or_default(),
        includes_pods: hooks::lets_pods_in(included_resources.as_deref(), excluded_resources.as_deref())
            && hooks::lets_pods_in(
                included_namespace_scoped_resources.as_deref(),
                excluded_namespace_scoped_resources.as_deref(),
            ),
        hooks: hooks.map(hooks::of_backup).unwrap_or_default(),
        any_of: label_selector.into_iter().chain(or_label_selectors).map(selector::reduce).collect(),
        ordered_pods: ordered_resources
            .and_then(|mut ordered| ordered.remove("pods"))
            .map(|pods| pods.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        receipts: metadata
            .annotations
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .filter(|name| is_receipt_annotation(name))
            .collect(),
    })
}

fn failure(word: &str) -> Option<BackupFailure> {
    match word {
        "FailedValidation" => Some(BackupFailure::Refused),
        "Failed" => Some(BackupFailure::Failed),
        _ => None,
    }
}

fn phase(word: &str) -> BackupPhase {
    match word {
        "InProgress" => BackupPhase::InProgress,
        "FailedValidation"
        | "WaitingForPluginOperations"
        | "WaitingForPluginOperationsPartiallyFailed"
        | "Finalizing"
        | "FinalizingPartiallyFailed"
        | "Completed"
        | "PartiallyFailed"
        | "Failed"
        | "Deleting" => BackupPhase::CutsOver,
        // "", New, Queued, ReadyToStart; and what a later Velero may add before a Backup runs, as 1.18 did. Taking an
        // unknown word for an end would close rounds that have not begun.
        _ => BackupPhase::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_core::objects::Requirement;
    use serde_json::json;

    #[test]
    fn a_scheduled_backup_of_a_stateful_set() {
        let backup = json!({
            "apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"namespace": "velero", "name": "nightly-1", "labels": {"velero.io/schedule-name": "nightly"}},
            "spec": {
                "includedNamespaces": ["prod"], "excludedNamespaces": null, "ttl": "168h0m0s",
                "orLabelSelectors": [{"matchLabels": {"app": "db"}}, null],
                "orderedResources": {"pods": "prod/db-0, prod/db-1", "persistentvolumes": "x"},
            },
            "status": {"phase": "Failed", "startTimestamp": "2026-01-01T00:00:00Z"},
        });
        let backup = reduce(serde_json::from_value(backup).unwrap()).unwrap();
        assert_eq!(backup.key.to_string(), "velero/nightly-1");
        assert_eq!((backup.phase, backup.failure), (BackupPhase::CutsOver, Some(BackupFailure::Failed)));
        assert_eq!(backup.started_at, "2026-01-01T00:00:00.000000Z".parse().ok());
        assert_eq!((backup.included_namespaces, backup.excluded_namespaces), (vec!["prod".to_owned()], vec![]));
        assert!(matches!(backup.any_of[..], [ref one] if matches!(one[..], [Requirement::In(..)])));
        assert_eq!(backup.ordered_pods, ["prod/db-0", " prod/db-1"], "not trimmed, as Velero does not");
    }

    #[test]
    fn an_empty_backup_covers_everything_and_has_not_begun() {
        for mut backup in [json!({"spec": {}}), json!({"spec": null}), json!({})] {
            backup["metadata"] = json!({"namespace": "velero", "name": "b"});
            let backup = reduce(serde_json::from_value(backup).unwrap()).unwrap();
            assert_eq!((backup.phase, backup.failure, backup.started_at), (BackupPhase::Pending, None, None));
            assert!(backup.included_namespaces.is_empty() && backup.any_of.is_empty());
            assert!(backup.ordered_pods.is_empty() && backup.hooks.is_empty() && backup.includes_pods);
        }
    }

    #[test]
    fn a_backup_of_other_things_than_pods() {
        let without = |spec: serde_json::Value| {
            let backup = json!({"metadata": {"namespace": "velero", "name": "b"}, "spec": spec});
            !reduce(serde_json::from_value(backup).unwrap()).unwrap().includes_pods
        };
        assert!(without(json!({"includedResources": ["configmaps"]})));
        assert!(without(json!({"excludedNamespaceScopedResources": ["pods"]})));
        assert!(!without(json!({"includedNamespaceScopedResources": ["*"]})));
    }

    #[test]
    fn a_backup_that_has_begun_is_in_progress_whatever_a_late_write_of_the_queue_says() {
        let backup = |phase: &str| {
            let status = json!({"phase": phase, "startTimestamp": "2026-01-01T00:00:00Z"});
            let backup = json!({"metadata": {"namespace": "velero", "name": "b"}, "spec": {}, "status": status});
            reduce(serde_json::from_value(backup).unwrap()).unwrap().phase
        };
        assert_eq!(["InProgress", "ReadyToStart", "Queued"].map(backup), [BackupPhase::InProgress; 3]);
        assert_eq!(backup("Finalizing"), BackupPhase::CutsOver);
    }

    #[test]
    fn phases() {
        assert_eq!(["", "New", "Queued", "ReadyToStart", "Soon"].map(phase), [BackupPhase::Pending; 5]);
        assert_eq!(["Finalizing", "Completed", "Deleting", "Failed"].map(phase), [BackupPhase::CutsOver; 4]);
    }
}
