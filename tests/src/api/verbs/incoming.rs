//! What object does a request body hold, and does it fit the path?

use serde_json::{Map, Value};

use super::Call;
use crate::api::apply::{Manager, Operation};
use crate::api::checks::{self, Unknown};
use crate::api::kinds::{Kind, Origin};
use crate::api::status::ApiError;
use crate::api::store::meta_str;

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
    let object = parse(call.body, kind)?;
    if !call.request.name.is_empty() {
        named(call, is_named(&object))?;
    }
    fit(call, typed(call, &object)?)
}

/// Whether an object has a name of its own.
pub fn is_named(object: &Value) -> bool {
    !meta_str(object, "name").is_empty()
}

/// Refuses an object without a name where the path alone does not do: in a PUT, and in an apply that creates.
pub fn named(call: &Call<'_>, is_named: bool) -> Result<(), ApiError> {
    if is_named {
        return Ok(());
    }
    let text = format!(
        "the name of the object ({} based on URL) was undeterminable: name must be provided",
        call.request.name
    );
    Err(ApiError::bad_request(text))
}

/// An object of the path's kind, as its type knows it.
pub fn typed(call: &Call<'_>, object: &Value) -> Result<Value, ApiError> {
    let kind = call.kind();
    let not_one = || {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): not a JSON object",
            kind.kind
        ))
    };
    let mut object = object.as_object().ok_or_else(not_one)?.clone();
    for (field, wanted) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
        let have = object.insert(field.to_owned(), wanted.clone().into());
        if have.is_none() && kind.origin == Origin::Custom {
            let text = format!(
                "the object provided is unrecognized (must be of type {}): Object '{field}' is missing",
                kind.kind
            );
            return Err(ApiError::bad_request(text));
        }
        if have.as_ref().is_some_and(|have| *have != "" && *have != *wanted) {
            let text = format!(
                "the object provided has {field} {}, but this path takes \"{wanted}\"",
                have.unwrap_or_default()
            );
            return Err(ApiError::bad_request(text));
        }
    }
    let metadata = object.entry("metadata").or_insert(Value::Null);
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Some(metadata) = metadata.as_object() else {
        return Err(checks::cannot_be_handled(
            kind,
            "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta",
        ));
    };
    metadata_types(metadata, kind)?;
    checks::decode(kind, &Value::Object(object), unknown(call))
}

/// Whether fields that the kind does not have are refused.
fn unknown(call: &Call<'_>) -> Unknown {
    if call.request.query.get("fieldValidation") == Some("Strict") { Unknown::Refuse } else { Unknown::Drop }
}

/// Makes an object that has its metadata fit the path, or refuses it: namespace and name are those of the path.
pub fn fit(call: &Call<'_>, mut object: Value) -> Result<Value, ApiError> {
    let request = call.request;
    if call.kind().namespaced && request.namespace.is_empty() {
        return Err(super::method_not_allowed());
    }
    for (field, of_path) in [("namespace", &request.namespace), ("name", &request.name)] {
        let given = meta_str(&object, field);
        if !given.is_empty() && given != of_path && !(field == "name" && of_path.is_empty()) {
            return Err(ApiError::bad_request(match field {
                "name" => format!("the name of the object ({given}) does not match the name on the URL ({of_path})"),
                _ => "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
            }));
        }
        if !of_path.is_empty() {
            object["metadata"][field] = of_path.as_str().into();
        }
    }
    Ok(object)
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
            Some(Value::Object(map)) if map.values().all(|v| v.is_string() || v.is_null()) => {}
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
