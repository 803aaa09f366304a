//! What the checks' tests share: a cluster in which nothing is wrong, to be spoilt.

use serde_json::{Value, json};

use super::facts::{Facts, Had, Source};
use super::finding::Finding;

/// Velero as this product's Helm values install it.
pub fn velero() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "velero", "name": "velero"},
        "spec": {"template": {"spec": {"containers": [{"name": "velero", "image": "docker.io/velero/velero:v1.18.3",
            "args": ["server", "--features=EnableCSI", "--item-block-worker-count=1"]}]}}}})
}

/// The EBS driver's class as Velero wants it.
pub fn class() -> Value {
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "driver": "ebs.csi.aws.com",
        "deletionPolicy": "Retain",
        "metadata": {"name": "ebs-velero", "labels": {"velero.io/csi-volumesnapshot-class": "true"}}})
}

/// A pod with the agent in it and hooks that are complete.
pub fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "shop", "name": "db-0", "labels": {"velero.io/snapshot-group": "group-1"},
            "ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": true}],
            "annotations": {
                "pre.hook.backup.velero.io/container": "db",
                "pre.hook.backup.velero.io/command": "[\"/hooks/hook-agent\",\"pre\",\"--hook-timeout\",\"10m\"]",
                "pre.hook.backup.velero.io/on-error": "Fail", "pre.hook.backup.velero.io/timeout": "10m",
                "snapshot-group.velero.io/quiesce": "none",
                "post.hook.backup.velero.io/container": "db",
                "post.hook.backup.velero.io/command": "[\"/hooks/hook-agent\",\"post\"]",
                "post.hook.backup.velero.io/on-error": "Continue", "post.hook.backup.velero.io/timeout": "30s"}},
        "spec": {"serviceAccountName": "db",
            "initContainers": [{"name": "hook-agent", "image": "registry.example.com/backup/hook-agent:0.1.0"}],
            "containers": [{"name": "db", "image": "postgres:17", "volumeMounts": [{"name": "hooks", "mountPath": "/hooks"}, {"name": "podinfo", "mountPath": "/etc/podinfo"}]}],
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
                {"name": "podinfo", "downwardAPI": {"items": [{"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}]}}]},
        "status": {"phase": "Running"}})
}

/// Facts in which nothing is wrong.
pub fn facts() -> Facts {
    let mut facts = Facts { velero_namespace: "velero".to_owned(), budget: 5, version: "0.1.0", ..Facts::default() };
    for source in Source::ALL {
        facts.had.insert(source, Had::Read);
    }
    facts
}

/// Facts with some objects.
pub fn with(objects: impl IntoIterator<Item = Value>) -> Facts {
    let mut facts = facts();
    objects.into_iter().for_each(|object| facts.put(object));
    facts
}

/// An object with something else at a place.
pub fn changed(mut object: Value, place: &str, value: Value) -> Value {
    *object.pointer_mut(place).unwrap_or_else(|| panic!("nothing at {place}")) = value;
    object
}

/// Names of what a check finds.
pub fn found(facts: &Facts, check: fn(&Facts, &mut Vec<Finding>)) -> Vec<&'static str> {
    let mut findings = Vec::new();
    check(facts, &mut findings);
    assert!(findings.iter().all(|it| !it.subject.is_empty() && !it.evidence.is_empty()), "{findings:?}");
    findings.iter().map(|finding| finding.check).collect()
}
