//! Does an object have the types its kind declares, and which of its fields does the kind not know?
//!
//! For built-in kinds the types are those of the `k8s-openapi` crate: an object is read into its type and written back, so that a wrong type
//! is refused and an unknown field is dropped, as Go's decoder does. Of custom kinds only `metadata` has a type (their CRDs here preserve unknown
//! fields).

use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, coordination::v1 as coordination, core::v1 as core, events::v1 as events,
    storage::v1 as storage,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::kinds::Kind;

type Through = fn(Value) -> serde_json::Result<Value>;

fn through<T: DeserializeOwned + Serialize>(object: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(object)?)
}

fn of(kind: &Kind) -> Option<Through> {
    Some(match (kind.group, kind.kind) {
        ("", "Namespace") => through::<core::Namespace>,
        ("", "Pod") => through::<core::Pod>,
        ("", "PersistentVolumeClaim") => through::<core::PersistentVolumeClaim>,
        ("", "PersistentVolume") => through::<core::PersistentVolume>,
        ("", "Node") => through::<core::Node>,
        ("", "ServiceAccount") => through::<core::ServiceAccount>,
        ("", "ConfigMap") => through::<core::ConfigMap>,
        ("", "Secret") => through::<core::Secret>,
        ("", "Service") => through::<core::Service>,
        ("", "Event") => through::<core::Event>,
        ("events.k8s.io", "Event") => through::<events::Event>,
        ("apps", "StatefulSet") => through::<apps::StatefulSet>,
        ("apps", "Deployment") => through::<apps::Deployment>,
        ("apps", "ReplicaSet") => through::<apps::ReplicaSet>,
        ("batch", "Job") => through::<batch::Job>,
        ("batch", "CronJob") => through::<batch::CronJob>,
        ("coordination.k8s.io", "Lease") => through::<coordination::Lease>,
        ("storage.k8s.io", "StorageClass") => through::<storage::StorageClass>,
        _ => return None,
    })
}

/// The object as its type knows it. The error says which type was expected where.
pub fn typed(kind: &Kind, object: &Value) -> Result<Value, String> {
    let mut object = object.clone();
    for field in ["labels", "annotations"] {
        for value in object["metadata"][field].as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
            if value.is_null() {
                // Go reads null into a string as the empty string.
                *value = Value::from("");
            }
        }
    }
    if let Some(through) = of(kind) {
        return through(object).map_err(|e| e.to_string());
    }
    object["metadata"] = through::<ObjectMeta>(object["metadata"].take()).map_err(|e| e.to_string())?;
    Ok(object)
}

/// The fields of `object` that `typed` has lost, as paths: `spec.leaseDuration`, `spec.containers[0].nam`.
pub fn unknown_fields(object: &Value, typed: &Value) -> Vec<String> {
    let mut out = Vec::new();
    compare("", object, typed, &mut out);
    out
}

fn compare(path: &str, object: &Value, typed: &Value, out: &mut Vec<String>) {
    match (object, typed) {
        (Value::Object(object), Value::Object(typed)) => {
            let left_out = |name: &str, value: &Value| path == "metadata" && super::is_left_out(name, value);
            for (name, value) in object.iter().filter(|(name, value)| !value.is_null() && !left_out(name, value)) {
                let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match typed.get(name) {
                    Some(typed) => compare(&here, value, typed, out),
                    None => out.push(here),
                }
            }
        }
        (Value::Array(object), Value::Array(typed)) => {
            for (i, (item, typed)) in object.iter().zip(typed).enumerate() {
                compare(&format!("{path}[{i}]"), item, typed, out);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::kinds::{self, Origin};

    #[test]
    fn every_built_in_kind_has_a_type_and_no_other() {
        for (_, kind) in kinds::all() {
            assert_eq!(of(kind).is_some(), kind.origin == Origin::BuiltIn, "{}", kind.kind);
        }
    }

    #[test]
    fn unknown_fields_are_lost_and_named() {
        let kind = kinds::kind(kinds::by_type("coordination.k8s.io/v1", "Lease").expect("in the table"));
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a", "labels": {"x": "y"}, "nick": "b"},
            "spec": {"renewTime": "2024-01-01T00:00:00.123456Z", "holder": "x", "leaseDurationSeconds": 5, "acquireTime": null},
        });
        let typed = typed(kind, &lease).expect("types fit");
        assert_eq!(typed["spec"], json!({"renewTime": "2024-01-01T00:00:00.123456Z", "leaseDurationSeconds": 5}));
        assert_eq!(unknown_fields(&lease, &typed), ["metadata.nick", "spec.holder"]);
        assert!(super::typed(kind, &json!({"spec": {"leaseDurationSeconds": "5"}})).is_err());
    }
}
