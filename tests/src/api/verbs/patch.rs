//! PATCH: an object is changed in part, or applied.

use serde_json::Value;

use super::{Call, Reply, create, incoming, settle, stamp};
use crate::api::apply::{self, Manager, Operation, Place};
use crate::api::checks::{self, Unknown};
use crate::api::kinds::Origin;
use crate::api::patching::{json_patch, merge, strategic};
use crate::api::status::{ApiError, Violation};
use crate::api::store::{Change, Outcome};

/// Patches the object, by the content type of the body.
pub fn patch(call: &Call<'_>) -> Result<Reply, ApiError> {
    match incoming::essence(call.content_type) {
        "application/merge-patch+json" => change(call, |live, patch| {
            let mut next = live.clone();
            merge::merge(&mut next, patch);
            Ok(next)
        }),
        "application/json-patch+json" => change(call, json_patch::apply),
        "application/strategic-merge-patch+json" if call.kind().origin == Origin::BuiltIn => {
            change(call, |live, patch| strategic::apply(Place::root(Origin::BuiltIn), live, patch))
        }
        "application/apply-patch+yaml" => apply_patch(call),
        _ => {
            let custom = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            let built_in = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";
            Err(ApiError::unsupported_media_type(if call.kind().origin == Origin::Custom { custom } else { built_in }))
        }
    }
}

fn change(call: &Call<'_>, make: impl Fn(&Value, &Value) -> Result<Value, ApiError>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let patch: Value =
        serde_json::from_slice(call.body).map_err(|e| ApiError::bad_request(format!("error decoding patch: {e}")))?;
    let manager = incoming::manager(call, Operation::Update);
    let written = call.core.store.write(call.request.kind, &call.request.key(), |_, live| {
        let live = live.ok_or_else(|| ApiError::not_found(kind, &call.request.name))?;
        let next = incoming::whole(call, make(&live.value, &patch)?)?;
        if next["metadata"]["uid"] != live.value["metadata"]["uid"] {
            let violation = Violation::invalid("metadata.uid", &next["metadata"]["uid"], "field is immutable");
            return Err(ApiError::invalid(kind, &call.request.name, &[violation]));
        }
        settle::preconditions(kind, &live.value, &next)?;
        let mut settled = settle::settle(kind, &call.request.subresource, &live.value, &next)?;
        apply::track_update(kind, &manager, &live.value, &mut settled, &stamp::now_s());
        Ok(settle::outcome(kind, settled, call.is_dry_run()))
    })?;
    Ok(Reply::written(200, &written))
}

/// The field manager of an apply: it has to be named.
fn applier(call: &Call<'_>) -> Result<Manager, ApiError> {
    if call.request.query.get("fieldManager").is_some() {
        return Ok(incoming::manager(call, Operation::Apply));
    }
    let text = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    let mut error = ApiError::new(422, "Invalid", text);
    let cause = serde_json::json!({"reason": "FieldValueRequired", "message": "Required value: is required for apply patch", "field": "fieldManager"});
    error.details = Some(serde_json::json!({"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause]}));
    Err(error)
}

fn apply_patch(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let manager = applier(call)?;
    let force = call.request.query.flag("force");
    let config: Value = serde_json::from_slice(call.body).map_err(|e| {
        ApiError::bad_request(format!("error decoding the applied configuration as JSON (YAML is not taken here): {e}"))
    })?;
    if config["apiVersion"] != kind.api_version() || config["kind"] != kind.kind {
        let text =
            format!("the applied configuration must be of apiVersion {} and kind {}", kind.api_version(), kind.kind);
        return Err(ApiError::bad_request(text));
    }
    if config["metadata"]["managedFields"].as_array().is_some_and(|m| !m.is_empty()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let config = incoming::fit(call, config)?;
    checks::decode_applied(kind, &config)?;
    let written = call.core.store.write(call.request.kind, &call.request.key(), |state, live| {
        let now = stamp::now_s();
        let Some(live) = live else {
            if !call.request.subresource.is_empty() {
                return Err(ApiError::not_found(kind, &call.request.name));
            }
            if config["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty()) {
                return Err(ApiError::outdated(kind, &call.request.name));
            }
            let applied = apply::apply(kind, &manager, &Value::Null, &config, force, &now)?;
            let whole = checks::decode(kind, &applied.object, Unknown::Drop)?;
            let mut object = create::fresh(call, state, None, whole)?;
            applied.finish(kind, &mut object, &now);
            return Ok(if call.is_dry_run() { Outcome::Pretend(object) } else { Outcome::Put(object) });
        };
        settle::preconditions(kind, &live.value, &config)?;
        let applied = apply::apply(kind, &manager, &live.value, &config, force, &now)?;
        let whole = checks::decode(kind, &applied.object, Unknown::Drop)?;
        let mut settled = settle::settle(kind, &call.request.subresource, &live.value, &whole)?;
        applied.finish(kind, &mut settled, &now);
        Ok(settle::outcome(kind, settled, call.is_dry_run()))
    })?;
    let code = if written.change == Some(Change::Added) { 201 } else { 200 };
    Ok(Reply::written(code, &written))
}
