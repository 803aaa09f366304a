//! POST: an object comes into being.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Call, Reply, incoming, stamp};
use crate::api::apply::{self, Operation};
use crate::api::checks;
use crate::api::kinds::{self, Kind};
use crate::api::status::ApiError;
use crate::api::store::{Key, Outcome, State, Stored};

/// How often a generated name may be taken before the request fails; the real server tries 8 times (`maxNameGenerationCreateAttempts`).
const GENERATE_ATTEMPTS_MAX: u32 = 8;

/// Creates the object in the body.
pub fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let object = incoming::object(call)?;
    if object["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty()) {
        return Err(ApiError::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    let named = object["metadata"]["name"].as_str().is_some_and(|n| !n.is_empty());
    let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
    let manager = incoming::manager(call, Operation::Update);
    let mut attempts = 1;
    loop {
        let mut object = object.clone();
        if !named && !prefix.is_empty() {
            object["metadata"]["name"] = stamp::generated_name(&prefix).into();
        }
        let key = Key::of(&object);
        let outcome = call.core.store.write(call.request.kind, &key, |state, live| {
            let now = stamp::now_s();
            let mut object = fresh(call, state, live, object)?;
            apply::track_update(kind, &manager, &Value::Null, &mut object, &now);
            Ok(if call.is_dry_run() { Outcome::Pretend(object) } else { Outcome::Put(object) })
        });
        match outcome {
            Err(taken) if taken.reason == "AlreadyExists" && !named && attempts < GENERATE_ATTEMPTS_MAX => {
                attempts += 1;
            }
            other => return other.map(|w| Reply::written(call, 201, &w)),
        }
    }
}

/// A new object as it will be stored, but for its managed fields; refused when its place is taken, its namespace is not there, or it is not valid.
pub fn fresh(call: &Call<'_>, state: &State, live: Option<&Arc<Stored>>, mut object: Value) -> Result<Value, ApiError> {
    let kind = call.kind();
    namespace_takes_it(kind, state, &object)?;
    begin(kind, &mut object);
    checks::validate(kind, &object)?;
    if live.is_some() {
        return Err(ApiError::already_exists(kind, object["metadata"]["name"].as_str().unwrap_or_default()));
    }
    Ok(object)
}

/// The fields that the server sets on whatever is new.
pub fn begin(kind: &Kind, object: &mut Value) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    for field in [
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "resourceVersion",
        "generation",
    ] {
        metadata.remove(field);
    }
    metadata.retain(|_, v| !v.is_null());
    metadata.insert("uid".to_owned(), stamp::random_uid().into());
    metadata.insert("creationTimestamp".to_owned(), stamp::now_s().into());
    if kind.generation {
        metadata.insert("generation".to_owned(), 1.into());
    }
    // A Node reports itself: the kubelet creates it with its status.
    if kind.status && kind.kind != "Node" {
        if let Some(map) = object.as_object_mut() {
            map.remove("status");
        }
        if let Ok(status) = serde_json::from_str::<Value>(kind.initial_status) {
            object["status"] = status;
        }
    }
    if kind.kind == "Namespace" {
        let name = object["metadata"]["name"].clone();
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
        object["spec"]["finalizers"] = json!(["kubernetes"]);
    }
}

fn namespace_takes_it(kind: &Kind, state: &State, object: &Value) -> Result<(), ApiError> {
    if !kind.namespaced {
        return Ok(());
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let Some(namespaces) = kinds::by_type("v1", "Namespace") else { return Ok(()) };
    let Some(found) = state.get(namespaces, &Key::new("", namespace)) else {
        return Err(ApiError::not_found(kinds::kind(namespaces), namespace));
    };
    if found.value["metadata"]["deletionTimestamp"].is_string() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut error = ApiError::forbidden(kind, name, &why);
        let message = format!("namespace {namespace} is being terminated");
        let cause = json!({"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"});
        if let Some(details) = &mut error.details {
            details["causes"] = json!([cause]);
        }
        return Err(error);
    }
    Ok(())
}
