//! What decisions and plans see of a `PersistentVolumeClaim`.

use std::sync::Arc;

use coordinator_core::inventory::labels::Labels;
use coordinator_core::objects::{Claim, ClaimMarks};
use coordinator_core::uid::Uid;
use kube::api::{ApiResource, NotUsed, Object};
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::names::{ANNOTATION_LABELLED_AS, LABEL_SNAPSHOT_GROUP};

use super::meta;

/// The fields of a claim that are read at all.
pub type SlimClaim = Object<Option<ClaimSpec>, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimSpec {
    volume_name: Option<String>,
}

/// Where claims are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(&())
}

/// Cuts a claim down.
///
/// # Errors
/// When its names are not valid, which no API server lets through.
pub fn reduce(claim: SlimClaim) -> Result<Claim, IdentityError> {
    let Object { types: _, mut metadata, spec, status: _ } = claim;
    let annotations = meta::annotations(metadata.annotations.as_ref());
    let uid = metadata.uid.as_deref().filter(|_| !annotations.is_empty());
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_SNAPSHOT_GROUP));
    let labelled_as = metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_LABELLED_AS));
    let marks = ClaimMarks {
        own_label: label.is_some() && label == labelled_as,
        labels: metadata.labels.as_ref().map(Labels::new).unwrap_or_default(),
        owners: meta::owners(metadata.owner_references.take()).into(),
        annotations,
        uid_of_annotated: uid.map(Uid::from).unwrap_or_default(),
    };
    let volume = spec.and_then(|spec| spec.volume_name).filter(|name| !name.is_empty());
    Ok(Claim { marks: Arc::new(marks), ..Claim::new(meta::key(&mut metadata)?, volume.as_deref()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(metadata: &Value, spec: &Value) -> Claim {
        let claim = json!({"metadata": metadata, "spec": spec, "status": {"phase": "Bound"}});
        reduce(serde_json::from_value(claim).unwrap()).unwrap()
    }

    #[test]
    fn bound_and_unbound_claims() {
        for (spec, volume) in [
            (json!({"volumeName": "pv-1", "accessModes": ["ReadWriteOnce"]}), Some("pv-1")),
            (json!({"volumeName": ""}), None),
            (json!({}), None),
            (json!(null), None),
        ] {
            let claim = read(&json!({"namespace": "a", "name": "b"}), &spec);
            assert_eq!((claim.key.to_string().as_str(), claim.volume.as_deref()), ("a/b", volume));
        }
    }

    #[test]
    fn what_is_written_on_it() {
        let claim = read(
            &json!({"namespace": "a", "name": "b", "uid": "u", "labels": {"app": "db"},
                "annotations": {"snapshot-group.velero.io/ttl": "48h", "pv.kubernetes.io/bind-completed": "yes"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "db-0", "uid": "p"}]}),
            &json!({}),
        );
        let ClaimMarks { labels, own_label: _, owners, annotations, uid_of_annotated } = &*claim.marks;
        assert_eq!((labels.get("app"), annotations.get("ttl")), (Some("db"), Some("48h")));
        assert_eq!((owners.len(), owners[0].controller), (1, false));
        assert!(*uid_of_annotated == *"u");
        let plain = read(&json!({"namespace": "a", "name": "b", "uid": "u"}), &json!({}));
        assert!(plain.marks.uid_of_annotated.is_empty());
    }

    #[test]
    fn a_label_is_our_own_while_it_says_what_we_noted() {
        for (label, noted, own) in [
            (Some("a"), Some("a"), true),
            (Some("a"), Some("b"), false),
            (Some("a"), None, false),
            (None, Some("a"), false),
            (None, None, false),
        ] {
            let metadata = json!({"namespace": "a", "name": "b", "labels": {LABEL_SNAPSHOT_GROUP: label},
                "annotations": {ANNOTATION_LABELLED_AS: noted}});
            let metadata = without_nulls(metadata);
            assert_eq!(read(&metadata, &json!({})).marks.own_label, own, "{label:?} {noted:?}");
        }
    }

    fn without_nulls(mut metadata: Value) -> Value {
        for field in ["labels", "annotations"] {
            if let Some(map) = metadata[field].as_object_mut() {
                map.retain(|_, value| !value.is_null());
            }
        }
        metadata
    }
}
