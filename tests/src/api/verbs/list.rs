//! GET: one object, or a collection in pages.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Call, Reply};
use crate::api::kinds::Kind;
use crate::api::selector::Selection;
use crate::api::status::ApiError;
use crate::api::store::{Revision, Stored};

/// Answers with one object.
pub fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let newest = call.core.store.lock().revision();
    not_from_the_future(call, newest)?;
    let found = call.core.store.get(call.request.kind, &call.request.key());
    let found = found.ok_or_else(|| ApiError::not_found(kind, &call.request.name))?;
    Ok(Reply::ok(found.json()))
}

/// Answers with a collection.
pub fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let query = &call.request.query;
    let selection = Selection::of(call.request)?;
    let (mut objects, mut revision) = call.core.store.list(call.request.kind, &selection.scope);
    if call.stale_by > 0 {
        revision = revision.saturating_sub(call.stale_by);
        let then = call.core.store.list_at(call.request.kind, &selection.scope, revision);
        objects =
            then.ok_or_else(|| ApiError::expired("the history does not reach back as far as this stale list should"))?;
    }
    not_from_the_future(call, revision)?;
    let chosen: Vec<Arc<Stored>> = objects.into_iter().filter(|o| selection.chooses(&o.value)).collect();
    let limit = match query.get("limit") {
        None => 0,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")))?,
    };
    let _ = limit;
    Ok(Reply::ok(render(call.kind(), &chosen, revision, None)))
}

/// A list object out of its items' bytes.
pub fn render(kind: &Kind, items: &[Arc<Stored>], revision: Revision, more: Option<(&str, usize)>) -> Bytes {
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some((token, remaining)) = more {
        metadata["continue"] = token.into();
        metadata["remainingItemCount"] = remaining.into();
    }
    let head = json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": metadata})
        .to_string();
    let mut out = head.into_bytes();
    // The closing brace makes room for the items.
    out.pop();
    out.extend_from_slice(b",\"items\":[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&item.json());
    }
    out.extend_from_slice(b"]}");
    out.into()
}

/// Parses `resourceVersion`; absent, empty and "0" mean "whatever there is".
pub fn asked_revision(call: &Call<'_>) -> Result<Option<Revision>, ApiError> {
    match call.request.query.get("resourceVersion") {
        None | Some("0") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let why = format!("Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax");
            ApiError::bad_request(format!("invalid resource version: resourceVersion: {why}"))
        }),
    }
}

/// Refuses a revision that has not been yet, as the real server does once it has waited for it.
fn not_from_the_future(call: &Call<'_>, newest: Revision) -> Result<(), ApiError> {
    match asked_revision(call)? {
        Some(asked) if asked > newest => {
            let mut error = ApiError::new(
                504,
                "Timeout",
                format!("Timeout: Too large resource version: {asked}, current: {newest}"),
            );
            let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
            error.details = Some(json!({"causes": [cause], "retryAfterSeconds": 1}));
            Err(error)
        }
        _ => Ok(()),
    }
}

/// `{"metadata":{…}}` of an event or list that has no object of its own.
pub fn bare(kind: &Kind, metadata: &Value) -> Value {
    json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata})
}
