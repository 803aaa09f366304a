//! What is read of a `VolumeSnapshot`: which claim it is of, and for which Backup.

use coordinator_core::objects::ObjectKey;
use kube::api::{ApiResource, GroupVersionKind, NotUsed, Object};
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::names::VELERO_LABEL_BACKUP_NAME;

/// The fields of a snapshot that are read at all (external-snapshotter `client/apis/volumesnapshot/v1/types.go`).
pub type SlimSnapshot = Object<SnapshotSpec, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
pub struct SnapshotSpec {
    source: Option<SnapshotSource>,
}

/// `spec.source`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotSource {
    persistent_volume_claim_name: Option<String>,
}

/// A snapshot that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The snapshot itself.
    pub snapshot: ObjectKey,
    /// The claim to be cut.
    pub claim: ObjectKey,
    /// The Backup that asked.
    pub backup: Option<String>,
}

/// Where snapshots are.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshot");
    ApiResource::from_gvk_with_plural(&kind, "volumesnapshots")
}

/// Cuts a snapshot down; one that is not of a claim (imported content) is none.
///
/// # Errors
/// When its namespace is not valid, which no API server lets through.
pub fn reduce(snapshot: SlimSnapshot) -> Result<Option<Asked>, IdentityError> {
    let Object { types: _, metadata, spec, status: _ } = snapshot;
    let Some(claim) = spec.source.and_then(|source| source.persistent_volume_claim_name) else {
        return Ok(None);
    };
    let namespace: shared::identity::Namespace = metadata.namespace.unwrap_or_default().parse()?;
    Ok(Some(Asked {
        snapshot: ObjectKey { namespace: namespace.clone(), name: metadata.name.unwrap_or_default() },
        claim: ObjectKey { namespace, name: claim },
        backup: metadata.labels.and_then(|mut labels| labels.remove(VELERO_LABEL_BACKUP_NAME)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(source: &Value) -> Option<Asked> {
        let snapshot = json!({
            "metadata": {"namespace": "prod", "name": "velero-data-x", "labels": {"velero.io/backup-name": "b-1"}},
            "spec": {"source": source, "volumeSnapshotClassName": "c"},
            "status": {"readyToUse": false, "creationTime": "2026-01-01T00:00:00Z"},
        });
        reduce(serde_json::from_value(snapshot).unwrap()).unwrap()
    }

    #[test]
    fn a_snapshot_of_a_claim_and_an_imported_one() {
        let asked = read(&json!({"persistentVolumeClaimName": "data-db-0"})).unwrap();
        assert_eq!(asked.snapshot.to_string(), "prod/velero-data-x");
        assert_eq!((asked.claim.to_string().as_str(), asked.backup.as_deref()), ("prod/data-db-0", Some("b-1")));
        assert_eq!(read(&json!({"volumeSnapshotContentName": "content"})), None);
    }
}
