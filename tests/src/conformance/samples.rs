//! One small valid object of each kind that the cases use.

use super::cluster::{CONFIG_MAPS, Cluster};
use anyhow::Result;
use serde_json::{Value, json};

pub fn lease(name: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {"holderIdentity": "someone", "leaseDurationSeconds": 30},
    })
}

pub fn event(c: &Cluster, name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name},
        "eventTime": "2026-01-02T03:04:05.000000Z",
        "reportingController": "tester",
        "reportingInstance": "one",
        "action": "Try",
        "reason": "Tried",
        "regarding": {"apiVersion": "v1", "kind": "Pod", "namespace": c.namespace, "name": "db-0"},
        "note": "what happened",
        "type": "Normal",
    })
}

pub fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}})
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    })
}

pub fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "ebs",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    })
}

pub fn volume(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "storageClassName": "ebs",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{name}")},
        },
    })
}

pub fn stateful_set(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        },
    })
}

pub fn backup(name: &str) -> Value {
    json!({
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": name},
        "spec": {"includedNamespaces": ["prod"]},
    })
}

pub fn snapshot(name: &str) -> Value {
    json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name},
        "spec": {"source": {"persistentVolumeClaimName": "data-db-0"}, "volumeSnapshotClassName": "ebs"},
    })
}

pub fn snapshot_content(name: &str) -> Value {
    json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": name},
        "spec": {
            "deletionPolicy": "Retain",
            "driver": "ebs.csi.aws.com",
            "source": {"volumeHandle": "vol-1"},
            "volumeSnapshotRef": {"name": "snapshot", "namespace": "prod"},
        },
    })
}

/// A reference to an owner that lives: dependents of a dead one are collected.
pub async fn owner(c: &Cluster, name: &str) -> Result<Value> {
    let created = c.create(CONFIG_MAPS, &config_map(name)).await?;
    Ok(json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": created["metadata"]["uid"]}))
}
