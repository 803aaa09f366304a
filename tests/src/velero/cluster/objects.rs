//! Which objects make up a workload? Pure: from its description to the JSON that is sent.

use serde_json::{Value, json};

use super::workload::{EnvValue, Owner, Workload};
use super::{CONTAINER, DRIVER, PODINFO_PATH, STORAGE_CLASS, TOKEN_PATH};

/// Size of every volume; nothing is stored in it.
const SIZE: &str = "1Gi";

/// Stand-in for the hash of a pod template, which controllers put into names and labels.
const TEMPLATE_HASH: &str = "5d4f8c7b9";

/// One pod's place in its workload.
#[derive(Clone, Debug)]
pub(super) struct PodPlan {
    pub(super) name: String,
    /// Position among the pods, from 0; decides the node.
    pub(super) index: u32,
    /// Ordinal, for a `StatefulSet`.
    pub(super) ordinal: Option<u32>,
    /// Volume name and claim name, in order.
    pub(super) claims: Vec<(String, String)>,
}

/// Names of pods and claims, as the controllers would give them.
pub(super) fn pod_plans(workload: &Workload) -> Vec<PodPlan> {
    let Workload { name, owner, replicas, ordinals_start, claims, .. } = workload;
    let plan = |index: u32| {
        let ordinal = ordinals_start.unwrap_or(0) + index;
        let pod = match owner {
            Owner::StatefulSet => format!("{name}-{ordinal}"),
            Owner::Deployment => format!("{name}-{TEMPLATE_HASH}-{}", replica_suffix(index)),
            Owner::None if *replicas == 1 => name.clone(),
            Owner::None => format!("{name}-{index}"),
        };
        let claim_of = |volume: &String| match owner {
            Owner::StatefulSet => format!("{volume}-{pod}"),
            Owner::Deployment => format!("{name}-{volume}"),
            Owner::None => format!("{pod}-{volume}"),
        };
        let claims = claims.iter().map(|volume| (volume.clone(), claim_of(volume))).collect();
        PodPlan { index, ordinal: (*owner == Owner::StatefulSet).then_some(ordinal), claims, name: pod }
    };
    (0..*replicas).map(plan).collect()
}

/// Five letters, as a `ReplicaSet` gives its pods, and different for each index below 1,000,000.
fn replica_suffix(index: u32) -> String {
    const LETTERS: &[u8] = b"bcdfghjklm";
    let letter = |place: u32| LETTERS[(index / 10_u32.pow(place) % 10) as usize] as char;
    ['x'].into_iter().chain((0..4).rev().map(letter)).collect()
}

pub(super) fn stateful_set(workload: &Workload) -> Value {
    let templates: Vec<Value> =
        workload.claims.iter().map(|volume| json!({"metadata": {"name": volume}, "spec": claim_spec(None)})).collect();
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": workload.name, "namespace": workload.namespace, "labels": {"app": workload.name}},
        "spec": {
            "replicas": workload.replicas, "serviceName": workload.name,
            "selector": {"matchLabels": {"app": workload.name}},
            "template": {"metadata": {"labels": workload.labels, "annotations": workload.annotations},
                "spec": {"containers": [{"name": CONTAINER, "image": "example.invalid/workload:1"}]}},
            "volumeClaimTemplates": templates,
        }
    });
    if let Some(start) = workload.ordinals_start {
        object["spec"]["ordinals"] = json!({"start": start});
    }
    object
}

pub(super) fn deployment(workload: &Workload) -> Value {
    let mut object = stateful_set(workload);
    object["kind"] = json!("Deployment");
    for only_stateful in ["serviceName", "volumeClaimTemplates", "ordinals"] {
        object["spec"].as_object_mut().map(|spec| spec.remove(only_stateful));
    }
    object
}

pub(super) fn replica_set(workload: &Workload, owner: &Value) -> Value {
    let mut object = deployment(workload);
    object["kind"] = json!("ReplicaSet");
    object["metadata"]["name"] = json!(format!("{}-{TEMPLATE_HASH}", workload.name));
    object["metadata"]["ownerReferences"] = json!([owner]);
    object["spec"]["selector"]["matchLabels"]["pod-template-hash"] = json!(TEMPLATE_HASH);
    object["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = json!(TEMPLATE_HASH);
    object
}

/// Status of a workload all of whose pods run.
pub(super) fn rolled_out_status(workload: &Workload) -> Value {
    let all = workload.replicas;
    let mut status = json!({"observedGeneration": 1, "replicas": all, "readyReplicas": all, "availableReplicas": all});
    if workload.owner == Owner::StatefulSet {
        let revision = format!("{}-{TEMPLATE_HASH}", workload.name);
        status["currentReplicas"] = json!(all);
        status["updatedReplicas"] = json!(all);
        status["currentRevision"] = json!(revision);
        status["updateRevision"] = json!(revision);
    }
    status
}

/// A controller's owner reference to an object as the API server returned it.
pub(super) fn owner_reference(owner: &Value) -> Value {
    json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true})
}

fn claim_spec(volume: Option<&str>) -> Value {
    let mut spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": STORAGE_CLASS,
        "resources": {"requests": {"storage": SIZE}}});
    if let Some(volume) = volume {
        spec["volumeName"] = json!(volume);
    }
    spec
}

/// Cluster-scoped, so the namespace is in it.
pub(crate) fn volume_name(namespace: &str, claim: &str) -> String {
    format!("pv-{namespace}-{claim}")
}

pub(super) fn claim(workload: &Workload, name: &str) -> Value {
    let volume = volume_name(&workload.namespace, name);
    let mut annotations = workload.claim_annotations.clone();
    annotations.insert("pv.kubernetes.io/bind-completed".into(), "yes".into());
    annotations.insert("volume.kubernetes.io/storage-provisioner".into(), DRIVER.into());
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": workload.namespace, "labels": workload.claim_labels,
            "annotations": annotations},
        "spec": claim_spec(Some(&volume)),
    })
}

pub(super) fn bound_claim_status() -> Value {
    json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": SIZE}})
}

pub(super) fn volume(namespace: &str, claim: &Value) -> Value {
    let name = claim["metadata"]["name"].as_str().unwrap_or_default();
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume_name(namespace, name)},
        "spec": {
            "capacity": {"storage": SIZE}, "accessModes": ["ReadWriteOnce"], "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": DRIVER, "volumeHandle": volume_handle(namespace, name), "fsType": "ext4"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name,
                "uid": claim["metadata"]["uid"]},
        }
    })
}

/// `vol-` and 17 hex digits, the same for the same claim on any machine (FNV-1a, twice with different seeds).
pub(super) fn volume_handle(namespace: &str, claim: &str) -> String {
    let hash = |seed: u64| {
        format!("{namespace}/{claim}")
            .bytes()
            .fold(seed, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let digits = format!("{:016x}{:x}", hash(0xcbf2_9ce4_8422_2325), hash(0x8422_2325_cbf2_9ce4));
    format!("vol-{}", &digits[..17])
}

pub(super) fn pod(workload: &Workload, plan: &PodPlan, owner: Option<&Value>) -> Value {
    let mut labels = workload.labels.clone();
    let ordinal_labels = plan.ordinal.map(|ordinal| {
        [
            ("statefulset.kubernetes.io/pod-name", plan.name.clone()),
            ("apps.kubernetes.io/pod-index", ordinal.to_string()),
            ("controller-revision-hash", format!("{}-{TEMPLATE_HASH}", workload.name)),
        ]
    });
    labels.extend(ordinal_labels.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)));
    if workload.owner == Owner::Deployment {
        labels.insert("pod-template-hash".into(), TEMPLATE_HASH.into());
    }
    let (volumes, mounts) = volumes(workload, plan);
    let env = workload.env.iter().map(|(name, value)| match value {
        EnvValue::Plain(value) => json!({"name": name, "value": value}),
        EnvValue::Field(path) => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}),
    });
    let (env, owners): (Vec<Value>, Vec<&Value>) = (env.collect(), owner.into_iter().collect());
    let node = workload.node.clone().unwrap_or_else(|| format!("node-{}", plan.index));
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": plan.name, "namespace": workload.namespace, "labels": labels,
            "annotations": workload.annotations, "ownerReferences": owners},
        "spec": {
            "nodeName": node, "serviceAccountName": workload.service_account,
            "automountServiceAccountToken": workload.node.is_some() && workload.has_token, "hostname": plan.name, "volumes": volumes,
            "containers": [{"name": CONTAINER, "image": "example.invalid/workload:1", "env": env,
                "volumeMounts": mounts}],
        }
    });
    if !workload.command.is_empty() {
        pod["spec"]["containers"][0]["command"] = json!(workload.command);
    }
    pod
}

fn volumes(workload: &Workload, plan: &PodPlan) -> (Vec<Value>, Vec<Value>) {
    let file = |path: &str, field: &str| json!({"path": path, "fieldRef": {"fieldPath": field}});
    let mut volumes = vec![json!({"name": "podinfo", "downwardAPI": {"items": [
        file("labels", "metadata.labels"), file("annotations", "metadata.annotations"),
        file("name", "metadata.name"), file("namespace", "metadata.namespace")]}})];
    let mut mounts = vec![json!({"name": "podinfo", "mountPath": PODINFO_PATH})];
    for (volume, claim) in &plan.claims {
        volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
        mounts.push(json!({"name": volume, "mountPath": format!("/{volume}")}));
    }
    if workload.has_token && workload.node.is_none() {
        volumes.push(json!({"name": "kube-api-access", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"downwardAPI": {"items": [file("namespace", "metadata.namespace")]}}]}}));
        mounts.push(json!({"name": "kube-api-access", "mountPath": TOKEN_PATH, "readOnly": true}));
    }
    (volumes, mounts)
}

pub(super) fn running_pod_status(index: u32, now: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let ip = format!("10.0.{}.{}", index / 250, index % 250 + 1);
    json!({
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "127.0.0.1", "startTime": now,
        "conditions": conditions,
        "containerStatuses": [{"name": CONTAINER, "image": "example.invalid/workload:1", "imageID": "", "ready": true,
            "started": true, "restartCount": 0, "state": {"running": {"startedAt": now}}}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(workload: &Workload) -> Vec<String> {
        let claims = |plan: &PodPlan| plan.claims.iter().map(|(_, claim)| claim.clone()).collect::<Vec<_>>().join("+");
        pod_plans(workload).iter().map(|plan| format!("{}:{}", plan.name, claims(plan))).collect()
    }

    #[test]
    fn names_are_those_that_controllers_give() {
        assert_eq!(names(&Workload::stateful_set("db", "pg", 2)), ["pg-0:data-pg-0", "pg-1:data-pg-1"]);
        assert_eq!(names(&Workload::stateful_set("db", "pg", 1).ordinals_start(5)), ["pg-5:data-pg-5"]);
        let two = Workload::stateful_set("db", "pg", 1).claims(&["data", "wal"]);
        assert_eq!(names(&two), ["pg-0:data-pg-0+wal-pg-0"]);
        assert_eq!(names(&Workload::deployment("web", "cms")), ["cms-5d4f8c7b9-xbbbb:cms-data"]);
        assert_eq!(names(&Workload::bare_pod("web", "lone")), ["lone:"]);
    }

    #[test]
    fn handles_look_like_those_of_ec2_and_differ() {
        let handle = volume_handle("db", "data-pg-0");
        assert!(handle.len() == 21 && handle.starts_with("vol-"), "{handle}");
        assert_ne!(handle, volume_handle("db", "data-pg-1"));
    }

    #[test]
    fn a_stateful_pod_has_its_controllers_labels_and_owner() {
        let workload = Workload::stateful_set("db", "pg", 1).label("velero.io/snapshot-group", "g");
        let mut set = stateful_set(&workload);
        set["metadata"]["uid"] = json!("u-1");
        let made = pod(&workload, &pod_plans(&workload)[0], Some(&owner_reference(&set)));
        let labels = &made["metadata"]["labels"];
        assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "pg-0");
        assert_eq!(labels["apps.kubernetes.io/pod-index"], "0");
        assert_eq!(labels["velero.io/snapshot-group"], "g");
        assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "u-1");
        assert_eq!(made["metadata"]["ownerReferences"][0]["controller"], true);
    }
}
