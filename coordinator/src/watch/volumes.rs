//! What decisions and plans see of a `PersistentVolume`: whether EBS holds it, under which id, and for which claim.

use coordinator_core::objects::{ObjectKey, Volume};
use kube::api::{ApiResource, NotUsed, Object};
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::names::EBS_CSI_DRIVER;

use super::meta;

/// On in-tree volumes that a CSI driver serves (Kubernetes' CSI migration): the driver's name.
const ANNOTATION_MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";

/// The fields of a volume that are read at all.
pub type SlimVolume = Object<Option<VolumeSpec>, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    csi: Option<Csi>,
    aws_elastic_block_store: Option<InTree>,
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
#[serde(rename_all = "camelCase")]
struct Csi {
    driver: String,
    #[serde(default)]
    volume_handle: String,
}

/// `spec.awsElasticBlockStore`.
#[derive(Clone, Debug, Deserialize)]
struct InTree {
    #[serde(rename = "volumeID", default)]
    volume_id: String,
}

/// Where volumes are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::PersistentVolume>(&())
}

/// Cuts a volume down.
///
/// # Errors
/// When its name is not valid, which no API server lets through.
pub fn reduce(volume: SlimVolume) -> Result<Volume, IdentityError> {
    let Object { types: _, metadata, spec, status: _ } = volume;
    let VolumeSpec { csi, aws_elastic_block_store, claim_ref } = spec.unwrap_or_default();
    let migrated = metadata
        .annotations
        .is_some_and(|annotations| annotations.get(ANNOTATION_MIGRATED_TO).is_some_and(|to| to == EBS_CSI_DRIVER));
    let csi = csi.filter(|csi| csi.driver == EBS_CSI_DRIVER);
    let ebs = csi.is_some() || aws_elastic_block_store.is_some() || migrated;
    let id = csi.map(|csi| csi.volume_handle).or(aws_elastic_block_store.map(|in_tree| in_tree.volume_id));
    Ok(Volume {
        name: meta::name(metadata.name)?.into(),
        ebs,
        ebs_id: id.filter(|id| !id.is_empty()).map(String::into_boxed_str),
        claim: claim_ref
            .and_then(|claim| Some(ObjectKey { namespace: claim.namespace.parse().ok()?, name: claim.name })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(volume: Value) -> Volume {
        reduce(serde_json::from_value(volume).unwrap()).unwrap()
    }

    fn check(spec: &Value, migrated_to: Option<&str>, ebs: bool, id: Option<&str>) {
        let annotations = migrated_to.map(|to| json!({"pv.kubernetes.io/migrated-to": to}));
        let found = read(json!({"metadata": {"name": "pv-1", "annotations": annotations}, "spec": spec}));
        assert_eq!(found, Volume { name: "pv-1".into(), ebs, ebs_id: id.map(Into::into), claim: None }, "{spec}");
    }

    #[test]
    fn it_says_whose_it_is() {
        let spec =
            json!({"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": {"namespace": "prod", "name": "data-db-0"}});
        let volume = read(json!({"metadata": {"name": "pv-1"}, "spec": spec}));
        assert_eq!(volume.claim.map(|claim| claim.to_string()).as_deref(), Some("prod/data-db-0"));
    }

    #[test]
    fn ebs_is_csi_in_tree_or_migrated() {
        check(&json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}), None, true, Some("vol-1"));
        let in_tree = json!({"awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-1", "fsType": "ext4"}});
        check(&in_tree, None, true, Some("aws://eu-west-1a/vol-1"));
        check(&in_tree, Some("ebs.csi.aws.com"), true, Some("aws://eu-west-1a/vol-1"));
        check(&json!({}), Some("ebs.csi.aws.com"), true, None);
        check(&json!({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}), None, false, None);
        check(&json!({"hostPath": {"path": "/x"}}), Some("x"), false, None);
        check(&json!(null), None, false, None);
    }
}
