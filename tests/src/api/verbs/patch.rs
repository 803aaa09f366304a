//! PATCH: an object is changed in part, or applied.

use serde_json::Value;

use super::{Call, Reply, create, incoming, settle, stamp};
use crate::api::apply::{self, Manager, Operation, Place};
use crate::api::checks::{self, Unknown};
use crate::api::kinds::Origin;
use crate::api::patching::{json_patch, merge, strategic};
use crate::api::status::{ApiError, Violation};
use crate::api::store::{Change, Outcome};

const APPLY: &str = "application/apply-patch+yaml";

/// Patches the object, by the content type of the body.
pub fn patch(call: &Call<'_>) -> Result<Reply, ApiError> {
    if call.request.query.get("force").is_some() && incoming::essence(call.content_type) != APPLY {
        let violation = Violation::forbidden("force", "may not be specified for non-apply patch");
        return Err(ApiError::invalid_options("PatchOptions", &violation));
    }
    match incoming::essence(call.content_type) {
        "application/merge-patch+json" => change(call, |live, patch| {
            let mut next = live.clone();
            if !patch.is_object() {
                let text = "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}";
                return Err(ApiError::bad_request(text));
            }
            merge::merge(&mut next, patch);
            Ok(next)
        }),
        "application/json-patch+json" => change(call, json_patch::apply),
        "application/strategic-merge-patch+json" if call.kind().origin == Origin::BuiltIn => {
            change(call, |live, patch| strategic::apply(Place::root(Origin::BuiltIn), live, patch))
        }
        APPLY => apply_patch(call),
        "application/strategic-merge-patch+json" => Err(ApiError::unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        _ => {
            let mut error = ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
            error.details = Some(serde_json::json!({}));
            Err(error)
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
        let next = patched(call, &make(&live.value, &patch)?)?;
        settle::same_version(kind, &live.value, &next)?;
        settle::same_uid(kind, &live.value, &next)?;
        let mut settled = settle::settle(kind, &call.request.subresource, &live.value, &next)?;
        apply::track_update(kind, &manager, &live.value, &mut settled, &stamp::now_s());
        Ok(settle::outcome(kind, settled, call.is_dry_run()))
    })?;
    Ok(Reply::written(call, 200, &written))
}

/// A patched object as its type knows it. What would be 400 in an object is 422 in the outcome of a patch.
fn patched(call: &Call<'_>, next: &Value) -> Result<Value, ApiError> {
    let text = next.to_string();
    let typed = incoming::typed(call, next).map_err(|refusal| {
        let violation = Violation::invalid("patch", &text.into(), &refusal.message);
        let mut error =
            ApiError::new(422, "Invalid", format!(" \"\" is invalid: {}: {}", violation.field, violation.message));
        let Violation { field, rule, message } = violation;
        error.details = Some(serde_json::json!({"causes": [{"reason": rule, "message": message, "field": field}]}));
        error
    })?;
    incoming::fit(call, typed)
}

/// The field manager of an apply: it has to be named.
fn applier(call: &Call<'_>) -> Result<Manager, ApiError> {
    if call.request.query.get("fieldManager").is_some() {
        return Ok(incoming::manager(call, Operation::Apply));
    }
    let violation = Violation::required("fieldManager", "is required for apply patch");
    Err(ApiError::invalid_options("PatchOptions", &violation))
}

fn apply_patch(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let manager = applier(call)?;
    let force = call.request.query.flag("force");
    let config: Value = serde_json::from_slice(call.body).map_err(|e| {
        ApiError::bad_request(format!("error decoding the applied configuration as JSON (YAML is not taken here): {e}"))
    })?;
    let text = |field: &str| config[field].as_str().unwrap_or_default();
    if text("apiVersion") != kind.api_version() || text("kind") != kind.kind {
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        return Err(ApiError::bad_request(format!("invalid object type: {group}/{version}, Kind={}", text("kind"))));
    }
    if !config["metadata"]["managedFields"].is_null() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    checks::all_declared(kind, &config, &incoming::typed(call, &config)?)?;
    let named = incoming::is_named(&config);
    let config = incoming::fit(call, config)?;
    let written = call.core.store.write(call.request.kind, &call.request.key(), |state, live| {
        let now = stamp::now_s();
        let Some(live) = live else {
            if !call.request.subresource.is_empty() {
                return Err(ApiError::not_found(kind, &call.request.name));
            }
            incoming::named(call, named)?;
            // A resourceVersion is no precondition here: the real server creates all the same.
            if let Some(uid) = config["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) {
                let why =
                    format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
                return Err(ApiError::conflict(kind, &call.request.name, &why));
            }
            let applied = apply::apply(kind, &manager, &Value::Null, &config, force, &now)?;
            let whole = checks::decode(kind, &applied.object, Unknown::Drop)?;
            let mut object = create::fresh(call, state, None, whole)?;
            applied.finish(kind, &mut object, &now);
            return Ok(if call.is_dry_run() { Outcome::Pretend(object) } else { Outcome::Put(object) });
        };
        settle::same_version(kind, &live.value, &config)?;
        settle::same_uid(kind, &live.value, &config)?;
        let applied = apply::apply(kind, &manager, &live.value, &config, force, &now)?;
        let whole = checks::decode(kind, &applied.object, Unknown::Drop)?;
        let mut settled = settle::settle(kind, &call.request.subresource, &live.value, &whole)?;
        applied.finish(kind, &mut settled, &now);
        Ok(settle::outcome(kind, settled, call.is_dry_run()))
    })?;
    let code = if written.change == Some(Change::Added) { 201 } else { 200 };
    Ok(Reply::written(call, code, &written))
}
