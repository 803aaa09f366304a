//! What does the server fill in where a client said nothing?
//!
//! The defaults that code in front of the API may meet or forget to handle: replicas, policies, protocols. Seen on kube-apiserver v1.35.4 by
//! creating the same objects there. Left out: what needs allocation (cluster IPs), admission (PVC and PV protection finalizers, default
//! taints) and the finer parts of Services and Jobs.

use serde_json::Value;

use crate::api::kinds::Kind;

/// (path from a pod spec, default as JSON). `*` stands for every item of a list.
const POD_SPEC: &[(&str, &str)] = &[
    ("restartPolicy", r#""Always""#),
    ("terminationGracePeriodSeconds", "30"),
    ("dnsPolicy", r#""ClusterFirst""#),
    ("securityContext", "{}"),
    ("schedulerName", r#""default-scheduler""#),
    ("containers/*/terminationMessagePath", r#""/dev/termination-log""#),
    ("containers/*/terminationMessagePolicy", r#""File""#),
    ("containers/*/imagePullPolicy", r#""Always""#),
    ("containers/*/resources", "{}"),
    ("containers/*/ports/*/protocol", r#""TCP""#),
    ("initContainers/*/terminationMessagePath", r#""/dev/termination-log""#),
    ("initContainers/*/terminationMessagePolicy", r#""File""#),
    ("initContainers/*/imagePullPolicy", r#""Always""#),
    ("initContainers/*/resources", "{}"),
];

/// (kind, path, default as JSON).
const OBJECT: &[(&str, &str, &str)] = &[
    ("Pod", "spec/enableServiceLinks", "true"),
    ("StatefulSet", "spec/replicas", "1"),
    ("StatefulSet", "spec/podManagementPolicy", r#""OrderedReady""#),
    ("StatefulSet", "spec/revisionHistoryLimit", "10"),
    ("StatefulSet", "spec/updateStrategy", r#"{"type":"RollingUpdate","rollingUpdate":{"partition":0}}"#),
    ("StatefulSet", "spec/persistentVolumeClaimRetentionPolicy", r#"{"whenDeleted":"Retain","whenScaled":"Retain"}"#),
    ("StatefulSet", "spec/volumeClaimTemplates/*/spec/volumeMode", r#""Filesystem""#),
    ("StatefulSet", "spec/volumeClaimTemplates/*/status", r#"{"phase":"Pending"}"#),
    ("Deployment", "spec/replicas", "1"),
    ("Deployment", "spec/progressDeadlineSeconds", "600"),
    ("Deployment", "spec/revisionHistoryLimit", "10"),
    (
        "Deployment",
        "spec/strategy",
        r#"{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}}"#,
    ),
    ("ReplicaSet", "spec/replicas", "1"),
    ("PersistentVolumeClaim", "spec/volumeMode", r#""Filesystem""#),
    ("PersistentVolume", "spec/volumeMode", r#""Filesystem""#),
    ("PersistentVolume", "spec/persistentVolumeReclaimPolicy", r#""Retain""#),
    ("StorageClass", "reclaimPolicy", r#""Delete""#),
    ("StorageClass", "volumeBindingMode", r#""Immediate""#),
    ("Secret", "type", r#""Opaque""#),
    ("Service", "spec/type", r#""ClusterIP""#),
    ("Service", "spec/sessionAffinity", r#""None""#),
    ("Service", "spec/ports/*/protocol", r#""TCP""#),
];

/// Where a kind holds a pod spec.
fn pod_spec(kind: &Kind) -> Option<&'static str> {
    match kind.kind {
        "Pod" => Some("/spec"),
        "StatefulSet" | "Deployment" | "ReplicaSet" | "Job" => Some("/spec/template/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

/// Fills in what is missing. Nothing that is there changes.
pub fn fill_in(kind: &Kind, object: &mut Value) {
    for (_, path, value) in OBJECT.iter().filter(|(of, _, _)| *of == kind.kind) {
        set(object, path, value);
    }
    if let Some(spec) = pod_spec(kind).and_then(|pointer| object.pointer_mut(pointer)).filter(|spec| spec.is_object()) {
        for (path, value) in POD_SPEC {
            set(spec, path, value);
        }
    }
}

fn set(place: &mut Value, path: &str, default: &str) {
    match (path.split_once('/'), place) {
        (Some(("*", rest)), Value::Array(items)) => items.iter_mut().for_each(|item| set(item, rest, default)),
        (Some((field, rest)), Value::Object(map)) => {
            if let Some(below) = map.get_mut(field) {
                set(below, rest, default);
            }
        }
        (None, Value::Object(map)) if map.get(path).is_none_or(Value::is_null) => {
            // The table is JSON, which its test makes sure of.
            map.insert(path.to_owned(), serde_json::from_str(default).unwrap_or_default());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::kinds;

    #[test]
    fn every_default_is_json_of_a_kind_in_the_table() {
        for (kind, path, value) in OBJECT {
            assert!(serde_json::from_str::<Value>(value).is_ok(), "{kind} {path}");
            assert!(kinds::all().any(|(_, k)| k.kind == *kind), "{kind}");
        }
        for (path, value) in POD_SPEC {
            assert!(serde_json::from_str::<Value>(value).is_ok(), "{path}");
        }
    }

    #[test]
    fn what_is_there_stays_and_what_is_not_is_filled_in() {
        let kind = kinds::kind(kinds::by_type("apps/v1", "Deployment").expect("in the table"));
        let mut object = json!({"spec": {"replicas": 0, "template": {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 1}]}]}}}});
        fill_in(kind, &mut object);
        assert_eq!(object["spec"]["replicas"], 0);
        assert_eq!(object["spec"]["revisionHistoryLimit"], 10);
        assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"], "TCP");
        assert_eq!(object["spec"]["template"]["spec"]["restartPolicy"], "Always");
        assert!(object["spec"]["template"]["spec"].get("initContainers").is_none());
    }
}
