//! What is kept of a StatefulSet.

use std::collections::BTreeMap;

use coordinator_core::inventory::facts::{Fact, SetFact};
use serde::Deserialize;
use shared::identity::IdentityError;

use super::meta::{Meta, labels};

/// The fields that are read.
#[derive(Debug, Deserialize)]
pub struct Slim {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    replicas: Option<u32>,
    ordinals: Option<Ordinals>,
    selector: Selector,
    volume_claim_templates: Option<Vec<Template>>,
    template: PodTemplate,
}

#[derive(Debug, Default, Deserialize)]
struct Ordinals {
    start: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct Template {
    metadata: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodTemplate {
    metadata: TemplateMeta,
    spec: PodSpec,
}

/// A template's metadata may be null in what clients write.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateMeta {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodSpec {
    containers: Option<Vec<Container>>,
}

/// A container of a pod.
#[derive(Debug, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
}

/// Cuts it down.
pub fn reduce(set: Slim) -> Result<Fact, IdentityError> {
    let Slim { metadata, spec } = set;
    let plain = spec.selector.match_expressions.is_none_or(|expressions| expressions.is_empty());
    let templates = spec.volume_claim_templates.unwrap_or_default();
    let fact = SetFact {
        uid: metadata.uid(),
        replicas: spec.replicas.unwrap_or(1),
        start: spec.ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0),
        templates: templates.into_iter().map(|template| template.metadata.name()).collect::<Result<_, _>>()?,
        selector: spec.selector.match_labels.filter(|_| plain).map(|map| labels(Some(&map))),
        pod_labels: labels(spec.template.metadata.labels.as_ref()),
        container: spec.template.spec.containers.unwrap_or_default().into_iter().next().map(|first| first.name),
        annotations: metadata.wishes(),
        owners: metadata.owners(),
    };
    Ok(Fact::StatefulSet(metadata.key()?, fact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_one_and_a_bare_one() {
        let object = json!({
            "metadata": {"namespace": "prod", "name": "db", "uid": "u", "annotations": {
                "snapshot-group.velero.io/ttl": "48h", "snapshot-group.velero.io/mode": "barrier", "other": "x",
            }},
            "spec": {
                "replicas": 3, "ordinals": {"start": 5}, "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}, "creationTimestamp": null},
                             "spec": {"containers": [{"name": "db", "image": "x"}, {"name": "side"}]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}, {"metadata": {"name": "wal"}}],
            },
        });
        let Fact::StatefulSet(key, set) = reduce(serde_json::from_value(object).unwrap()).unwrap() else { panic!() };
        assert_eq!((key.to_string().as_str(), set.replicas, set.start), ("prod/db", 3, 5));
        assert_eq!(set.templates, ["data", "wal"]);
        assert_eq!(
            (set.container.as_deref(), set.selector.map(|s| s.to_string())),
            (Some("db"), Some("app=db".into()))
        );
        assert_eq!(set.annotations, [("ttl".to_owned(), "48h".to_owned())].into());

        let bare = json!({"metadata": {"namespace": "a", "name": "b"}, "spec": {"selector": {"matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "c", "operator": "Exists"}]}}});
        let Fact::StatefulSet(_, set) = reduce(serde_json::from_value(bare).unwrap()).unwrap() else { panic!() };
        assert_eq!((set.replicas, set.start, set.selector, set.templates.len()), (1, 0, None, 0));
    }
}
