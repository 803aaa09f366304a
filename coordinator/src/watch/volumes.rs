//! What decisions see of a `PersistentVolume`: whether EBS holds it.

use coordinator_core::objects::{ObjectKey, Volume};
use kube::api::{ApiResource, NotUsed, Object};
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::names::EBS_CSI_DRIVER;

/// On in-tree volumes that a CSI driver serves (Kubernetes' CSI migration): the driver's name.
const ANNOTATION_MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";

/// The fields of a volume that are read at all.
pub type SlimVolume = Object<VolumeSpec, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    csi: Option<Csi>,
    aws_elastic_block_store: Option<IgnoredAny>,
    claim_ref: Option<ClaimRef>,
}

/// `spec.claimRef`.
#[derive(Clone, Debug, Deserialize)]
struct ClaimRef {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

/// `spec.csi`.
#[derive(Clone, Debug, Deserialize)]
struct Csi {
    driver: String,
}

/// Where volumes are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::PersistentVolume>(&())
}

/// Cuts a volume down.
pub fn reduce(volume: SlimVolume) -> Volume {
    let Object { types: _, metadata, spec, status: _ } = volume;
    let migrated = metadata
        .annotations
        .is_some_and(|annotations| annotations.get(ANNOTATION_MIGRATED_TO).is_some_and(|to| to == EBS_CSI_DRIVER));
    let csi = spec.csi.is_some_and(|csi| csi.driver == EBS_CSI_DRIVER);
    let claim =
        spec.claim_ref.and_then(|claim| Some(ObjectKey { namespace: claim.namespace.parse().ok()?, name: claim.name }));
    Volume {
        name: metadata.name.unwrap_or_default(),
        ebs: csi || spec.aws_elastic_block_store.is_some() || migrated,
        claim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(spec: &Value, annotations: &Value, ebs: bool) {
        let volume = json!({"metadata": {"name": "pv-1", "annotations": annotations}, "spec": spec});
        let found = reduce(serde_json::from_value(volume).unwrap());
        assert_eq!(found, Volume { name: "pv-1".to_owned(), ebs, claim: None }, "{spec}");
    }

    #[test]
    fn it_says_whose_it_is() {
        let spec =
            json!({"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": {"namespace": "prod", "name": "data-db-0"}});
        let volume = reduce(serde_json::from_value(json!({"metadata": {"name": "pv-1"}, "spec": spec})).unwrap());
        assert_eq!(volume.claim.map(|claim| claim.to_string()).as_deref(), Some("prod/data-db-0"));
    }

    #[test]
    fn ebs_is_csi_in_tree_or_migrated() {
        let none = json!({});
        check(&json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}), &none, true);
        check(&json!({"awsElasticBlockStore": {"volumeID": "vol-1"}}), &none, true);
        let migrated = json!({"pv.kubernetes.io/migrated-to": "ebs.csi.aws.com"});
        check(&json!({"awsElasticBlockStore": {"volumeID": "vol-1"}}), &migrated, true);
        check(&json!({}), &migrated, true);
        check(&json!({"csi": {"driver": "efs.csi.aws.com"}}), &none, false);
        check(&json!({"hostPath": {"path": "/x"}}), &json!({"pv.kubernetes.io/migrated-to": "x"}), false);
    }
}
