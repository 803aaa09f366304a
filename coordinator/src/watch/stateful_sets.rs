//! What decisions and plans see of a StatefulSet: which one it is, what it makes, and what a person wrote onto it.

use std::collections::BTreeMap;

use coordinator_core::inventory::labels::Labels;
use coordinator_core::objects::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, NotUsed, Object};
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::identity::IdentityError;

use super::meta;

/// The fields of a StatefulSet that are read at all.
pub type SlimStatefulSet = Object<Option<SetSpec>, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetSpec {
    replicas: Option<u32>,
    ordinals: Option<Ordinals>,
    selector: Selector,
    volume_claim_templates: Option<Vec<ClaimTemplate>>,
    template: PodTemplate,
}

/// `spec.ordinals`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Ordinals {
    start: Option<u32>,
}

/// `spec.selector`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<IgnoredAny>>,
}

/// `spec.volumeClaimTemplates[]`.
#[derive(Clone, Debug, Deserialize)]
struct ClaimTemplate {
    metadata: ObjectMeta,
}

/// `spec.template`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodTemplate {
    metadata: TemplateMeta,
}

/// `spec.template.metadata`: parts of it may be null in what clients write.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateMeta {
    labels: Option<BTreeMap<String, String>>,
}

/// Where StatefulSets are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::apps::v1::StatefulSet>(&())
}

/// Cuts a StatefulSet down.
///
/// # Errors
/// When its names are not valid, which no API server lets through.
pub fn reduce(set: SlimStatefulSet) -> Result<StatefulSet, IdentityError> {
    let Object { types: _, mut metadata, spec, status: _ } = set;
    let spec = spec.unwrap_or_default();
    let plain = spec.selector.match_expressions.is_none_or(|expressions| expressions.is_empty());
    let template = |template: ClaimTemplate| meta::name(template.metadata.name).map(String::into_boxed_str);
    let uid = metadata.uid.as_deref().unwrap_or_default().into();
    Ok(StatefulSet {
        uid,
        replicas: spec.replicas.unwrap_or(1),
        start: spec.ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0),
        templates: spec
            .volume_claim_templates
            .unwrap_or_default()
            .into_iter()
            .map(template)
            .collect::<Result<_, _>>()?,
        selector: spec.selector.match_labels.filter(|_| plain).as_ref().map(Labels::new),
        pod_labels: spec.template.metadata.labels.as_ref().map(Labels::new).unwrap_or_default(),
        annotations: meta::annotations(metadata.annotations.as_ref()),
        owners: meta::owners(metadata.owner_references.take()).into(),
        key: meta::key(&mut metadata)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(set: Value) -> StatefulSet {
        reduce(serde_json::from_value(set).unwrap()).unwrap()
    }

    #[test]
    fn a_whole_one_and_a_bare_one() {
        let set = read(json!({
            "metadata": {"namespace": "prod", "name": "db", "uid": "u", "annotations": {
                "snapshot-group.velero.io/ttl": "48h", "snapshot-group.velero.io/mode": "barrier",
                "snapshot-group.velero.io/frozen-max": "2", "other": "x",
            }},
            "spec": {
                "replicas": 3, "ordinals": {"start": 5}, "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}, "creationTimestamp": null},
                             "spec": {"containers": [{"name": "db", "image": "x"}, {"name": "side"}]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}, {"metadata": {"name": "wal"}}],
            },
        }));
        assert_eq!((set.key.to_string().as_str(), set.replicas, set.start), ("prod/db", 3, 5));
        assert!(set.uid == *"u");
        assert_eq!(*set.templates, ["data", "wal"].map(Box::<str>::from));
        assert_eq!((set.pod_labels.to_string(), set.selector.unwrap().to_string()), ("app=db".into(), "app=db".into()));
        let said = ["ttl", "mode", "frozen-max", "other"].map(|name| set.annotations.get(name));
        assert_eq!(said, [Some("48h"), Some("barrier"), Some("2"), None]);

        let set =
            read(json!({"metadata": {"namespace": "a", "name": "b"}, "spec": {"selector": {"matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "c", "operator": "Exists"}]}}}));
        assert_eq!((set.replicas, set.start, set.selector, set.templates.len()), (1, 0, None, 0));
    }
}
