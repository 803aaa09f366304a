//! What decisions see of a StatefulSet: which one it is, and what a person wrote onto it.

use coordinator_core::objects::{ObjectKey, StatefulSet};
use kube::api::{ApiResource, NotUsed, Object};
use shared::identity::IdentityError;
use shared::names::ANNOTATION_MODE;

use super::pods::policy_texts;

/// The fields of a StatefulSet that are read at all.
pub type SlimStatefulSet = Object<NotUsed, NotUsed>;

/// Where StatefulSets are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::apps::v1::StatefulSet>(&())
}

/// Cuts a StatefulSet down.
///
/// # Errors
/// When its namespace is not valid, which no API server lets through.
pub fn reduce(set: SlimStatefulSet) -> Result<StatefulSet, IdentityError> {
    let Object { types: _, metadata, spec: _, status: _ } = set;
    Ok(StatefulSet {
        key: ObjectKey {
            namespace: metadata.namespace.unwrap_or_default().parse()?,
            name: metadata.name.unwrap_or_default(),
        },
        uid: metadata.uid.unwrap_or_default(),
        policy: policy_texts(metadata.annotations.as_ref()),
        mode: metadata.annotations.and_then(|mut annotations| annotations.remove(ANNOTATION_MODE)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_it_says_about_its_group_is_kept() {
        let set = json!({
            "metadata": {"namespace": "a", "name": "db", "uid": "u", "annotations": {
                "snapshot-group.velero.io/mode": "barrier", "snapshot-group.velero.io/frozen-max": "2",
            }},
            "spec": {"replicas": 3},
        });
        let set = reduce(serde_json::from_value(set).unwrap()).unwrap();
        assert_eq!(
            (set.key.to_string().as_str(), set.uid.as_str(), set.mode.as_deref()),
            ("a/db", "u", Some("barrier"))
        );
        assert_eq!(set.policy.frozen_max.as_deref(), Some("2"));
    }
}
