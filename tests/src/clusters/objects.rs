//! The objects' JSON, as API servers give them, as far as a reader may care.

use serde_json::{Value, json};

/// An EBS volume, by CSI, in-tree or migrated, as its number says; `claim` is namespace and name.
pub fn volume(name: &str, number: u64, claim: Option<(&str, &str)>) -> Value {
    let id = format!("vol-{number:017x}");
    let (annotations, source) = match number % 10 {
        0 => (
            json!({"pv.kubernetes.io/migrated-to": "ebs.csi.aws.com"}),
            json!({"awsElasticBlockStore": {"volumeID": format!("aws://eu-west-1a/{id}"), "fsType": "ext4"}}),
        ),
        1 => (json!({}), json!({"awsElasticBlockStore": {"volumeID": format!("aws://eu-west-1b/{id}")}})),
        _ => (
            json!({"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"}),
            json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": id, "fsType": "ext4"}}),
        ),
    };
    let mut spec = source;
    spec["capacity"] = json!({"storage": "20Gi"});
    spec["accessModes"] = json!(["ReadWriteOnce"]);
    spec["storageClassName"] = json!("gp3");
    if let Some((namespace, name)) = claim {
        spec["claimRef"] =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name});
    }
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "annotations": annotations},
        "spec": spec, "status": {"phase": if claim.is_some() { "Bound" } else { "Available" }},
    })
}

/// A bound claim.
pub fn claim(namespace: &str, name: &str, volume: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-{namespace}-{name}"), "labels": labels,
                     "annotations": {"pv.kubernetes.io/bind-completed": "yes"}, "finalizers": ["kubernetes.io/pvc-protection"]},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}},
                 "storageClassName": "gp3", "volumeMode": "Filesystem", "volumeName": volume},
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}},
    })
}

/// A claim that waits for its first consumer.
pub fn unbound_claim(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": namespace, "name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3"}, "status": {"phase": "Pending"},
    })
}

/// What a StatefulSet is like.
pub struct Set<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// `spec.replicas`.
    pub replicas: usize,
    /// `spec.ordinals.start`.
    pub start: usize,
    /// Names of its claim templates.
    pub templates: &'a [String],
    /// Labels of its pods and its selector.
    pub labels: &'a Value,
    /// Its annotations.
    pub annotations: &'a Value,
}

/// A StatefulSet.
pub fn stateful_set(set: &Set<'_>) -> Value {
    let templates: Vec<Value> = set
        .templates
        .iter()
        .map(|name| json!({"metadata": {"name": name, "creationTimestamp": null}, "spec": {"accessModes": ["ReadWriteOnce"]}}))
        .collect();
    let ordinals = if set.start > 0 { json!({"start": set.start}) } else { Value::Null };
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": set.namespace, "name": set.name, "uid": format!("uid-{}-{}", set.namespace, set.name),
                     "labels": set.labels, "annotations": set.annotations},
        "spec": {
            "replicas": set.replicas, "ordinals": ordinals, "serviceName": set.name,
            "selector": {"matchLabels": set.labels}, "volumeClaimTemplates": templates,
            "template": {"metadata": {"labels": set.labels}, "spec": {"containers": [{"name": "main", "image": "x"}]}},
        },
        "status": {"replicas": set.replicas},
    })
}

/// A running pod: its owner is kind, API version, name and uid; its claims are volume and claim names.
pub fn pod(namespace: &str, name: &str, labels: &Value, owner: &Value, claims: &[(String, String)]) -> Value {
    let volumes: Vec<Value> = claims
        .iter()
        .map(|(volume, claim)| json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}))
        .chain([json!({"name": "kube-api-access", "projected": {"sources": []}})])
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-{namespace}-{name}"), "labels": labels,
                     "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "main", "image": "registry.example/x:1"}], "volumes": volumes, "nodeName": "node-1"},
        "status": {"phase": "Running"},
    })
}

/// An ownerReference of a controller.
pub fn owner(kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("uid-{namespace}-{name}"), "controller": true})
}

/// A Schedule that a person made.
pub fn foreign_schedule(name: &str) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"namespace": "velero", "name": name},
        "spec": {"schedule": "0 0 * * *", "template": {"includedNamespaces": ["*"], "ttl": "720h0m0s"}},
    })
}
