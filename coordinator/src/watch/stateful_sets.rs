//! What decisions see of a StatefulSet: which one it is, and what a person wrote onto it.

use coordinator_core::objects::{ObjectKey, StatefulSet};
use kube::api::{ApiResource, NotUsed, Object};
use shared::identity::IdentityError;
use shared::names::ANNOTATION_MODE;

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
        mode: metadata.annotations.and_then(|mut annotations| annotations.remove(ANNOTATION_MODE)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_mode_annotation_is_kept() {
        let set = json!({
            "metadata": {"namespace": "a", "name": "db", "uid": "u", "annotations": {"snapshot-group.velero.io/mode": "barrier"}},
            "spec": {"replicas": 3},
        });
        let set = reduce(serde_json::from_value(set).unwrap()).unwrap();
        assert_eq!(
            (set.key.to_string().as_str(), set.uid.as_str(), set.mode.as_deref()),
            ("a/db", "u", Some("barrier"))
        );
    }
}
