//! Clusters of StatefulSets whose pods have a claim and a volume each, as heavy as real ones, straight into the store.

use serde_json::{Value, json};
use shared::identity::{GroupId, Namespace};
use shared::names::{ANNOTATION_LABELLED_AS, EBS_CSI_DRIVER, LABEL_SNAPSHOT_GROUP};
use testbed::api::ApiServer;

/// How many StatefulSets, each a group …
pub const GROUPS: u32 = 1_000;
/// … of how many pods.
pub const PODS_OF_GROUP: u32 = 10;
/// StatefulSets of one namespace.
const GROUPS_OF_NAMESPACE: u32 = 20;

/// How many pods the StatefulSets of a cluster have, in turn: most are small, one of twenty is most of it.
const SKEWED: [u32; 20] = [1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 5, 5, 6, 9, 24, 84];

/// Pods of each StatefulSet of a cluster that has so many pods in all, skewed as in real clusters.
pub fn skewed(pods: u32) -> impl Iterator<Item = u32> {
    let mut left = pods;
    SKEWED.into_iter().cycle().map_while(move |replicas| {
        let replicas = replicas.min(left);
        left -= replicas;
        (replicas > 0).then_some(replicas)
    })
}

/// Puts StatefulSets of so many pods each in; gives how many they are.
pub fn fill(server: &ApiServer, sets: impl Iterator<Item = u32>) -> anyhow::Result<u32> {
    let mut groups = 0;
    for (number, replicas) in (0..).zip(sets) {
        let namespace = format!("team-{}", number / GROUPS_OF_NAMESPACE);
        if number % GROUPS_OF_NAMESPACE == 0 {
            server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))?;
        }
        let name = format!("db-{number}");
        let group = GroupId::for_stateful_set(&Namespace::new(namespace.as_str())?, &name);
        let set = server.put(stateful_set(&namespace, &name, replicas))?;
        for ordinal in 0..replicas {
            let pod = format!("{name}-{ordinal}");
            server.put(volume(&namespace, &pod))?;
            server.put(claim(&namespace, &name, &pod))?;
            server.put(self::pod(&namespace, &name, &pod, group.as_str(), set.uid()))?;
        }
        groups += 1;
    }
    Ok(groups)
}

fn stateful_set(namespace: &str, name: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"replicas": replicas, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container()]}}},
        "status": {"replicas": replicas, "readyReplicas": replicas}})
}

fn container() -> Value {
    let variables: Vec<Value> =
        (0..10).map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value-of-setting-{n}")})).collect();
    json!({"name": "main", "image": "registry.example.invalid/database:16.4", "env": variables,
        "ports": [{"containerPort": 5432, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "livenessProbe": {"exec": {"command": ["pg_isready"]}, "periodSeconds": 10, "timeoutSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "podinfo", "mountPath": "/etc/podinfo"}]})
}

fn pod(namespace: &str, set: &str, name: &str, group: &str, set_uid: &str) -> Value {
    let at = "2026-01-01T00:00:00Z";
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": at}));
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace,
            "labels": {"app": set, "apps.kubernetes.io/pod-index": name.rsplit('-').next(),
                "controller-revision-hash": format!("{set}-5d4f8c7b9"), "statefulset.kubernetes.io/pod-name": name,
                LABEL_SNAPSHOT_GROUP: group},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9187", ANNOTATION_LABELLED_AS: group},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": set, "uid": set_uid,
                "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"containers": [container()], "nodeName": "node-1", "hostname": name, "subdomain": set,
            "serviceAccountName": "default", "restartPolicy": "Always", "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 30,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{name}")}},
                {"name": "podinfo", "downwardAPI": {"items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "10.0.1.1",
            "startTime": at, "qosClass": "Burstable", "conditions": conditions,
            "containerStatuses": [{"name": "main", "image": "registry.example.invalid/database:16.4", "imageID": "",
                "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": at}}}]}})
}

fn claim(namespace: &str, set: &str, pod: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": format!("data-{pod}"), "namespace": namespace, "labels": {"app": set},
            "annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "ebs", "volumeName": volume_name(namespace, pod),
            "resources": {"requests": {"storage": "100Gi"}}},
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "100Gi"}}})
}

fn volume(namespace: &str, pod: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume_name(namespace, pod)},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "ebs", "capacity": {"storage": "100Gi"},
            "csi": {"driver": EBS_CSI_DRIVER, "volumeHandle": format!("vol-{pod}"), "fsType": "ext4"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace,
                "name": format!("data-{pod}")}},
        "status": {"phase": "Bound"}})
}

/// As long as a provisioner's `pvc-<uid of the claim>`.
fn volume_name(namespace: &str, pod: &str) -> String {
    format!("pvc-{:0>36}", format!("-{namespace}-{pod}"))
}
