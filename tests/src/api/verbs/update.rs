//! PUT: an object is replaced.

use serde_json::Value;

use super::{Call, Reply, create, incoming, settle, stamp};
use crate::api::apply::{self, Operation};
use crate::api::status::{ApiError, Violation};
use crate::api::store::{Change, Outcome, meta_str};

/// Replaces the object, or its status.
pub fn update(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let next = incoming::object(call)?;
    let manager = incoming::manager(call, Operation::Update);
    let name = &call.request.name;
    let written = call.core.store.write(call.request.kind, &call.request.key(), |state, live| {
        let now = stamp::now_s();
        let versioned = next["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty());
        let Some(live) = live else {
            if !kind.create_on_update || !call.request.subresource.is_empty() {
                return Err(ApiError::not_found(kind, name));
            }
            // A resourceVersion is no precondition here: the real server creates all the same.
            let uid = meta_str(&next, "uid");
            if !uid.is_empty() {
                return Err(settle::other_uid(kind, &next, uid, ""));
            }
            let mut object = create::fresh(call, state, None, next)?;
            apply::track_update(kind, &manager, &Value::Null, &mut object, &now);
            return Ok(if call.is_dry_run() { Outcome::Pretend(object) } else { Outcome::Put(object) });
        };
        settle::preconditions(kind, &live.value, &next)?;
        if !versioned && !kind.unconditional_update {
            let violation =
                Violation::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
            return Err(ApiError::invalid_resource(kind, name, &[violation]));
        }
        let mut settled = settle::settle(kind, &call.request.subresource, &live.value, &next)?;
        apply::track_update(kind, &manager, &live.value, &mut settled, &now);
        Ok(settle::outcome(kind, settled, call.is_dry_run()))
    })?;
    let code = if written.change == Some(Change::Added) { 201 } else { 200 };
    Ok(Reply::written(call, code, &written))
}
