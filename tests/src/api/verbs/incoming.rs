//! What object does a request body hold, and does it fit the path?

use serde_json::{Map, Value};

use super::Call;
use crate::api::apply::{Manager, Operation};
use crate::api::checks::{self, Unknown};
use crate::api::kinds::Kind;
use crate::api::status::ApiError;

/// Name that a field manager gets when neither the query nor the User-Agent gives one.
const UNKNOWN_MANAGER: &str = "unknown";

/// Parses a JSON body.
pub fn parse(body: &[u8], kind: &Kind) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|e| {
        ApiError::bad_request(format!("the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {e}", kind.kind))
    })
}

/// Reads the object of a create or an update: right type, right namespace; `apiVersion`, `kind` and `metadata` are there afterwards.
pub fn object(call: &Call<'_>) -> Result<Value, ApiError> {
    let kind = call.kind();
    if !matches!(essence(call.content_type), "application/json" | "") {
        let known = ["application/yaml", "application/vnd.kubernetes.protobuf", "application/cbor"];
        if let Some(format) = known.iter().find(|format| **format == essence(call.content_type)) {
            return Err(ApiError::not_implemented(&format!(
                "read a body of type {format}; send JSON (kubectl create -f does)"
            )));
        }
        return Err(ApiError::unsupported_media_type(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ));
    }
    whole(call, parse(call.body, kind)?)
}

/// A whole object that fits the path, as its type knows it.
pub fn whole(call: &Call<'_>, object: Value) -> Result<Value, ApiError> {
    checks::decode(call.kind(), &fit(call, object)?, unknown(call))
}

/// Whether fields that the kind does not have are refused.
fn unknown(call: &Call<'_>) -> Unknown {
    if call.request.query.get("fieldValidation") == Some("Strict") { Unknown::Refuse } else { Unknown::Drop }
}

/// Makes an object fit the path, or refuses it.
pub fn fit(call: &Call<'_>, mut object: Value) -> Result<Value, ApiError> {
    let kind = call.kind();
    let Some(map) = object.as_object_mut() else {
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): not a JSON object",
            kind.kind
        )));
    };
    typed(map, kind)?;
    let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Some(metadata) = metadata.as_object_mut() else {
        return Err(checks::cannot_be_handled(
            kind,
            "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta",
        ));
    };
    metadata_types(metadata, kind)?;
    let request = call.request;
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if kind.namespaced && request.namespace.is_empty() {
        return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
    }
    if !namespace.is_empty() && namespace != request.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if kind.namespaced {
        metadata.insert("namespace".to_owned(), request.namespace.clone().into());
    }
    let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
    if !request.name.is_empty() && name != request.name {
        if !name.is_empty() {
            let text = format!("the name of the object ({name}) does not match the name on the URL ({})", request.name);
            return Err(ApiError::bad_request(text));
        }
        metadata.insert("name".to_owned(), request.name.clone().into());
    }
    Ok(object)
}

fn typed(map: &mut Map<String, Value>, kind: &Kind) -> Result<(), ApiError> {
    for (field, wanted) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
        match map.get(field) {
            None => {}
            Some(Value::String(have)) if have.is_empty() || *have == wanted => {}
            Some(have) => {
                let text = format!("the object provided has {field} {have}, but this path takes \"{wanted}\"");
                return Err(ApiError::bad_request(text));
            }
        }
        map.insert(field.to_owned(), wanted.into());
    }
    Ok(())
}

/// Refuses metadata of wrong types as Go's decoder does.
fn metadata_types(metadata: &Map<String, Value>, kind: &Kind) -> Result<(), ApiError> {
    let wrong = |field: &str, of: &str| {
        checks::cannot_be_handled(
            kind,
            &format!("json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} of type {of}"),
        )
    };
    for field in
        ["name", "namespace", "generateName", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"]
    {
        if metadata.get(field).is_some_and(|v| !v.is_string() && !v.is_null()) {
            return Err(wrong(field, "string"));
        }
    }
    for field in ["labels", "annotations"] {
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) if map.values().all(Value::is_string) => {}
            Some(_) => return Err(wrong(field, "string")),
        }
    }
    for field in ["ownerReferences", "finalizers", "managedFields"] {
        if metadata.get(field).is_some_and(|v| !v.is_array() && !v.is_null()) {
            return Err(wrong(field, "[]"));
        }
    }
    Ok(())
}

/// A content type without its parameters.
pub fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Who a write is attributed to.
pub fn manager(call: &Call<'_>, operation: Operation) -> Manager {
    let named = call.request.query.get("fieldManager");
    let agent = call.agent.split('/').next().filter(|a| !a.is_empty()).unwrap_or(UNKNOWN_MANAGER);
    Manager { name: named.unwrap_or(agent).to_owned(), operation, subresource: call.request.subresource.clone() }
}
