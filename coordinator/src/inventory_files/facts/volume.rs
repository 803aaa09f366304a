//! What is kept of a PersistentVolume: whether EBS holds it, under which id, and for which claim.

use coordinator_core::inventory::facts::{Fact, VolumeFact};
use coordinator_core::objects::ObjectKey;
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::names::EBS_CSI_DRIVER;

use super::meta::Meta;

/// On in-tree volumes that a CSI driver serves (Kubernetes' CSI migration): the driver's name.
const ANNOTATION_MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";

/// The fields that are read.
#[derive(Debug, Deserialize)]
pub struct Slim {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    csi: Option<Csi>,
    aws_elastic_block_store: Option<InTree>,
    claim_ref: Option<ClaimRef>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Csi {
    driver: String,
    #[serde(default)]
    volume_handle: String,
}

#[derive(Debug, Deserialize)]
struct InTree {
    #[serde(rename = "volumeID", default)]
    volume_id: String,
}

#[derive(Debug, Deserialize)]
struct ClaimRef {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

/// Cuts it down.
pub fn reduce(volume: Slim) -> Result<Fact, IdentityError> {
    let Slim { metadata, spec: Spec { csi, aws_elastic_block_store, claim_ref } } = volume;
    let migrated = metadata.annotation(ANNOTATION_MIGRATED_TO) == Some(EBS_CSI_DRIVER);
    let csi = csi.filter(|csi| csi.driver == EBS_CSI_DRIVER);
    let ebs = csi.is_some() || aws_elastic_block_store.is_some() || migrated;
    let id = csi.map(|csi| csi.volume_handle).or(aws_elastic_block_store.map(|in_tree| in_tree.volume_id));
    let claim =
        claim_ref.and_then(|claim| Some(ObjectKey { namespace: claim.namespace.parse().ok()?, name: claim.name }));
    let ebs_id = id.filter(|id| !id.is_empty()).map(String::into_boxed_str);
    Ok(Fact::Volume(metadata.name()?, VolumeFact { ebs, ebs_id, claim }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(spec: &Value, migrated_to: Option<&str>, ebs: bool, id: Option<&str>) {
        let annotations = migrated_to.map(|to| json!({"pv.kubernetes.io/migrated-to": to}));
        let object = json!({"metadata": {"name": "pv-1", "annotations": annotations}, "spec": spec});
        let fact = reduce(serde_json::from_value(object).unwrap()).unwrap();
        let expected = VolumeFact { ebs, ebs_id: id.map(Into::into), claim: None };
        assert_eq!(fact, Fact::Volume("pv-1".to_owned(), expected), "{spec}");
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
    }
}
