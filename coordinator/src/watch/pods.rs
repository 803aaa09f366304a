//! What decisions see of a Pod.

use std::collections::BTreeMap;

use coordinator_core::inventory::labels::Labels;
use coordinator_core::objects::{Owner, Pod, PodKey, PodPhase};
use coordinator_core::policy::PolicyTexts;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ApiResource, Object};
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::identity::IdentityError;
use shared::names::{
    ANNOTATION_FROZEN_MAX, ANNOTATION_FROZEN_TIME_MAX, ANNOTATION_LABELLED_AS, ANNOTATION_MODE, ANNOTATION_THAW_ON_CUT,
    LABEL_SNAPSHOT_GROUP,
};

use super::hooks;

/// The fields of a Pod that are read at all: 500 whole Pods a page would be megabytes.
pub type SlimPod = Object<PodSpec, PodStatus>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
pub struct PodSpec {
    volumes: Option<Vec<PodVolume>>,
}

/// `spec.volumes[]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodVolume {
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
    let Object { types: _, metadata, spec, status } = pod;
    let name: String = metadata.name.unwrap_or_default();
    let annotation = |key: &str| {
        metadata.annotations.as_ref().and_then(|annotations| annotations.get(key)).map(|text| text.as_str().into())
    };
    Ok(Pod {
        key: PodKey { namespace: metadata.namespace.unwrap_or_default().parse()?, name: name.parse()? },
        uid: metadata.uid.unwrap_or_default().parse()?,
        phase: phase(status.and_then(|status| status.phase).as_deref()),
        deleting: metadata.deletion_timestamp.is_some(),
        own_label: own_label(metadata.labels.as_ref(), metadata.annotations.as_ref()),
        labels: metadata.labels.as_ref().map(Labels::new).unwrap_or_default(),
        owner: owner(metadata.owner_references.unwrap_or_default()),
        claims: claims(&name, spec.volumes.unwrap_or_default()),
        pre_hook: metadata.annotations.as_ref().map(hooks::of_pod).unwrap_or_default(),
        mode: annotation(ANNOTATION_MODE),
        policy: Some(policy_texts(metadata.annotations.as_ref()))
            .filter(|texts| *texts != PolicyTexts::default())
            .map(Box::new),
    })
}

fn own_label(labels: Option<&BTreeMap<String, String>>, annotations: Option<&BTreeMap<String, String>>) -> bool {
    let label = labels.and_then(|labels| labels.get(LABEL_SNAPSHOT_GROUP));
    label.is_some() && label == annotations.and_then(|annotations| annotations.get(ANNOTATION_LABELLED_AS))
}

/// What an object's annotations say about holding its group still.
pub fn policy_texts(annotations: Option<&BTreeMap<String, String>>) -> PolicyTexts {
    let annotation = |key: &str| annotations.and_then(|annotations| annotations.get(key)).cloned();
    PolicyTexts {
        thaw_on_cut: annotation(ANNOTATION_THAW_ON_CUT),
        frozen_max: annotation(ANNOTATION_FROZEN_MAX),
        frozen_time_max: annotation(ANNOTATION_FROZEN_TIME_MAX),
    }
}

fn phase(word: Option<&str>) -> PodPhase {
    match word {
        None | Some("Pending") => PodPhase::Pending,
        Some("Succeeded" | "Failed") => PodPhase::Ended,
        // "Unknown" is a node that does not answer: the pod may well run.
        Some(_) => PodPhase::Running,
    }
}

fn owner(references: Vec<OwnerReference>) -> Option<Owner> {
    let controller = references.into_iter().find(|reference| reference.controller == Some(true))?;
    Some(match (controller.api_version.split('/').next(), controller.kind.as_str()) {
        (Some("apps"), "StatefulSet") => Owner::StatefulSet(controller.name.into()),
        _ => Owner::Other,
    })
}

/// Claims by name. A generic ephemeral volume's claim is called `<pod>-<volume>` (Kubernetes, "Ephemeral Volumes").
fn claims(pod: &str, volumes: Vec<PodVolume>) -> Box<[String]> {
    let mut claims: Vec<String> = volumes
        .into_iter()
        .filter_map(|volume| match (volume.persistent_volume_claim, volume.ephemeral) {
            (Some(claim), _) => Some(claim.claim_name),
            (None, Some(_)) => Some(format!("{pod}-{}", volume.name)),
            (None, None) => None,
        })
        .collect();
    claims.sort();
    claims.dedup();
    claims.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
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
                "annotations": {"snapshot-group.velero.io/mode": "barrier", "other": "x"},
                "ownerReferences": [
                    {"apiVersion": "example.com/v1", "kind": "StatefulSet", "name": "no", "uid": "1"},
                    {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "2", "controller": true},
                ],
            },
            "spec": {"containers": [], "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "config", "configMap": {"name": "c"}},
            ]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready"}]},
        }));
        assert_eq!(pod.key.to_string(), "prod/db-0");
        assert_eq!(pod.owner, Some(Owner::StatefulSet("db".into())));
        assert_eq!(*pod.claims, ["data-db-0", "db-0-scratch"]);
        assert_eq!((pod.phase, pod.deleting, pod.mode.as_deref()), (PodPhase::Running, false, Some("barrier")));
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
        assert_eq!((pod.phase, pod.deleting, pod.owner, pod.mode), (PodPhase::Pending, true, None, None));
        assert!(pod.claims.is_empty() && pod.labels.is_empty());
    }

    #[test]
    fn phases_and_owners() {
        assert_eq!([Some("Succeeded"), Some("Failed")].map(phase), [PodPhase::Ended; 2]);
        assert_eq!([Some("Running"), Some("Unknown")].map(phase), [PodPhase::Running; 2]);
        let job = OwnerReference {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            controller: Some(true),
            ..OwnerReference::default()
        };
        assert_eq!(owner(vec![job]), Some(Owner::Other));
    }
}
