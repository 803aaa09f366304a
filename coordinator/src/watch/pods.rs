//! What decisions and plans see of a Pod.

use std::collections::BTreeMap;

use coordinator_core::objects::{Pod, PodKey, PodPhase};
use kube::api::{ApiResource, Object};
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::identity::IdentityError;
use shared::names::{ANNOTATION_LABELLED_AS, LABEL_SNAPSHOT_GROUP};

use super::{hooks, meta};

/// Velero's hook annotations end so (`pre.hook.backup.velero.io/command`, the older `hook.backup.velero.io/command`).
const HOOK_COMMAND: &str = "hook.backup.velero.io/command";

/// The fields of a Pod that are read at all: 500 whole Pods a page would be megabytes.
pub type SlimPod = Object<Option<PodSpec>, PodStatus>;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PodSpec {
    volumes: Option<Vec<PodVolume>>,
    containers: Option<Vec<Container>>,
}

/// `spec.containers[]`.
#[derive(Clone, Debug, Deserialize)]
struct Container {
    name: String,
}

/// `spec.volumes[]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodVolume {
    #[serde(default)]
    name: String,
    persistent_volume_claim: Option<ClaimSource>,
    ephemeral: Option<IgnoredAny>,
}

/// `spec.volumes[].persistentVolumeClaim`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimSource {
    claim_name: String,
}

/// `status`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PodStatus {
    phase: Option<String>,
}

/// Where Pods are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&())
}

/// Cuts a Pod down.
///
/// # Errors
/// When its names are not valid, which no API server lets through.
pub fn reduce(pod: SlimPod) -> Result<Pod, IdentityError> {
    let Object { types: _, mut metadata, spec, status } = pod;
    let PodSpec { volumes, containers } = spec.unwrap_or_default();
    let namespace = metadata.namespace.take().unwrap_or_default().parse()?;
    let key = PodKey { namespace, name: metadata.name.take().unwrap_or_default().parse()? };
    let uid = metadata.uid.as_deref().unwrap_or_default().into();
    let claims = claims(key.name.as_str(), volumes.unwrap_or_default());
    let annotations = metadata.annotations.as_ref();
    let mut pod = Pod::new(key, uid);
    pod.phase = phase(status.and_then(|status| status.phase).as_deref());
    pod.deleting = metadata.deletion_timestamp.is_some();
    pod.own_label = own_label(metadata.labels.as_ref(), annotations);
    pod.pre_hook = annotations.map(hooks::of_pod).unwrap_or_default();
    pod.own_hooks = annotations.is_some_and(|annotations| annotations.keys().any(|key| key.ends_with(HOOK_COMMAND)));
    pod.annotations = meta::annotations(annotations);
    pod.set_labels(&metadata.labels.take().unwrap_or_default());
    pod.set_owners(meta::owners(metadata.owner_references.take()));
    pod.set_claims(claims);
    pod.set_containers(containers.unwrap_or_default().into_iter().map(|container| container.name).collect());
    Ok(pod)
}

fn own_label(labels: Option<&BTreeMap<String, String>>, annotations: Option<&BTreeMap<String, String>>) -> bool {
    let label = labels.and_then(|labels| labels.get(LABEL_SNAPSHOT_GROUP));
    label.is_some() && label == annotations.and_then(|annotations| annotations.get(ANNOTATION_LABELLED_AS))
}

fn phase(word: Option<&str>) -> PodPhase {
    match word {
        None | Some("Pending") => PodPhase::Pending,
        Some("Succeeded" | "Failed") => PodPhase::Ended,
        // "Unknown" is a node that does not answer: the pod may well run.
        Some(_) => PodPhase::Running,
    }
}

/// Claims by name. A generic ephemeral volume's claim is called `<pod>-<volume>` (Kubernetes, "Ephemeral Volumes").
fn claims(pod: &str, volumes: Vec<PodVolume>) -> Vec<String> {
    let claims = volumes.into_iter().filter_map(|volume| match (volume.persistent_volume_claim, volume.ephemeral) {
        (Some(claim), _) => Some(claim.claim_name),
        (None, Some(_)) => Some(format!("{pod}-{}", volume.name)),
        (None, None) => None,
    });
    claims.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_core::objects::{Owner, PreHook};
    use serde_json::{Value, json};

    fn read(pod: Value) -> Pod {
        reduce(serde_json::from_value(pod).unwrap()).unwrap()
    }

    #[test]
    fn a_stateful_set_pod_with_all_sorts_of_volumes() {
        let pod = read(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "namespace": "prod", "name": "db-0", "uid": "u-1", "labels": {"app": "db"},
                "annotations": {"snapshot-group.velero.io/mode": "barrier", "snapshot-group.velero.io/skip": "true",
                    "post.hook.backup.velero.io/command": "/x"},
                "ownerReferences": [
                    {"apiVersion": "example.com/v1", "kind": "StatefulSet", "name": "no", "uid": "1"},
                    {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "2", "controller": true},
                ],
            },
            "spec": {"containers": [{"name": "db"}, {"name": "side"}], "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "again", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "config", "configMap": {"name": "c"}},
            ]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready"}]},
        }));
        assert_eq!(pod.key.to_string(), "prod/db-0");
        assert_eq!(pod.owner(), Some(Owner::StatefulSet("db".into())));
        assert_eq!(pod.owners().len(), 2);
        assert_eq!(pod.claims().collect::<Vec<_>>(), ["data-db-0", "db-0-scratch"]);
        assert_eq!(pod.pattern().containers(), ["db", "side"].map(Box::<str>::from));
        assert_eq!((pod.annotations.get("mode"), pod.annotations.get("skip")), (Some("barrier"), Some("true")));
        assert_eq!((pod.pre_hook, pod.own_hooks), (PreHook::None, true));
        assert_eq!((pod.phase, pod.deleting), (PodPhase::Running, false));
    }

    #[test]
    fn a_group_label_is_ours_as_long_as_our_own_word_beside_it_says_the_same() {
        let key = "velero.io/snapshot-group";
        for (label, word, ours) in
            [(json!({key: "g"}), "g", true), (json!({key: "by-hand"}), "g", false), (json!({}), "g", false)]
        {
            let pod = read(json!({"metadata": {"namespace": "a", "name": "b", "uid": "u", "labels": label,
                "annotations": {ANNOTATION_LABELLED_AS: word}}, "spec": {}}));
            assert_eq!(pod.own_label, ours, "{label}");
        }
    }

    #[test]
    fn a_bare_pod_that_is_going() {
        let pod = read(json!({
            "metadata": {"namespace": "a", "name": "b", "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"volumes": null},
        }));
        assert_eq!((pod.phase, pod.deleting, pod.owner(), pod.own_hooks), (PodPhase::Pending, true, None, false));
        assert!(pod.claims().next().is_none() && pod.labels().next().is_none() && pod.annotations.is_empty());
    }

    #[test]
    fn phases() {
        assert_eq!([Some("Succeeded"), Some("Failed")].map(phase), [PodPhase::Ended; 2]);
        assert_eq!([Some("Running"), Some("Unknown")].map(phase), [PodPhase::Running; 2]);
    }
}
