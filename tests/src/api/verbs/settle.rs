//! What becomes of an object that is there when a client sends a new version of it?

use serde_json::Value;

use crate::api::checks;
use crate::api::kinds::{Kind, Origin};
use crate::api::status::{ApiError, Violation};
use crate::api::store::{Outcome, meta_str};

/// Fields of `metadata` that no client can change.
const SERVER_METADATA: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Refuses a patch that changes the uid. (A PUT with another uid is a precondition that fails.)
pub fn same_uid(kind: &Kind, live: &Value, next: &Value) -> Result<(), ApiError> {
    let uid = &next["metadata"]["uid"];
    if uid.is_null() || *uid == live["metadata"]["uid"] {
        return Ok(());
    }
    let violation = Violation::invalid("metadata.uid", uid, "field is immutable");
    Err(ApiError::invalid(kind, meta_str(live, "name"), &[violation]))
}

/// Checks what a replacement says about what it replaces: uid and resourceVersion must be the stored ones, if they are given.
pub fn preconditions(kind: &Kind, live: &Value, next: &Value) -> Result<(), ApiError> {
    match meta_str(next, "uid") {
        uid if uid.is_empty() || uid == meta_str(live, "uid") => same_version(kind, live, next),
        uid => Err(other_uid(kind, live, uid, meta_str(live, "uid"))),
    }
}

/// Checks the resourceVersion alone, if one is given. A patch is held to it before its uid ([`same_uid`]) is looked at.
pub fn same_version(kind: &Kind, live: &Value, next: &Value) -> Result<(), ApiError> {
    match meta_str(next, "resourceVersion") {
        version if version.is_empty() || version == meta_str(live, "resourceVersion") => Ok(()),
        text if text.parse::<u64>().is_err() => {
            Err(ApiError::new(500, "", format!("strconv.ParseUint: parsing \"{text}\": invalid syntax")))
        }
        _ => Err(ApiError::outdated(kind, meta_str(live, "name"))),
    }
}

/// 409 for a PUT to an object with another uid, or with none because it is not there. `place` is an object with the namespace and name.
pub fn other_uid(kind: &Kind, place: &Value, uid: &str, have: &str) -> ApiError {
    let name = meta_str(place, "name");
    let group = if kind.origin == Origin::Custom { format!("{}/", kind.group) } else { String::new() };
    let namespace = if kind.namespaced { format!("{}/", meta_str(place, "namespace")) } else { String::new() };
    let failed = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {have}");
    let key = format!("/registry/{group}{}/{namespace}{name}", kind.plural);
    let why =
        format!("StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {failed}");
    ApiError::conflict(kind, name, &why)
}

/// The new version as it will be stored, but for its managed fields.
pub fn settle(kind: &Kind, subresource: &str, live: &Value, next: &Value) -> Result<Value, ApiError> {
    let mut out = if subresource == "status" { status_only(kind, live, next) } else { next.clone() };
    if subresource.is_empty() && kind.status {
        restore(&mut out, live, "status");
    }
    if let (Some(metadata), Some(kept)) = (out["metadata"].as_object_mut(), live["metadata"].as_object()) {
        for field in SERVER_METADATA {
            match kept.get(*field) {
                Some(value) => metadata.insert((*field).to_owned(), value.clone()),
                None => metadata.remove(*field),
            };
        }
        metadata.retain(|_, v| !v.is_null());
    }
    if kind.generation && spec_changed(kind, live, &out) {
        out["metadata"]["generation"] = (live["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
    }
    no_new_finalizers(kind, live, &out)?;
    checks::validate(kind, &out)?;
    checks::validate_update(kind, live, &out)?;
    Ok(out)
}

/// A write through `status`: everything else stays. A Pod's labels and annotations may come along (`podStatusStrategy`).
fn status_only(kind: &Kind, live: &Value, next: &Value) -> Value {
    let mut out = live.clone();
    restore(&mut out, next, "status");
    if kind.kind == "Pod" {
        for field in ["labels", "annotations", "finalizers"] {
            out["metadata"][field] = next["metadata"][field].clone();
        }
    }
    out["metadata"]["managedFields"] = next["metadata"]["managedFields"].clone();
    out
}

fn restore(out: &mut Value, from: &Value, field: &str) {
    if let Some(map) = out.as_object_mut() {
        match from.get(field) {
            Some(value) => map.insert(field.to_owned(), value.clone()),
            None => map.remove(field),
        };
    }
}

/// Whether anything changed that a generation counts: all but metadata, and but status where that is a subresource.
fn spec_changed(kind: &Kind, live: &Value, next: &Value) -> bool {
    let counted = |object: &Value| {
        let map = object.as_object().into_iter().flatten();
        map.filter(|(k, _)| *k != "metadata" && !(kind.status && *k == "status"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect::<Vec<_>>()
    };
    counted(live) != counted(next)
}

fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn no_new_finalizers(kind: &Kind, live: &Value, next: &Value) -> Result<(), ApiError> {
    let had = finalizers(live);
    let new: Vec<String> =
        finalizers(next).into_iter().filter(|f| !had.contains(f)).map(|f| format!("\"{f}\"")).collect();
    if new.is_empty() || !live["metadata"]["deletionTimestamp"].is_string() {
        return Ok(());
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.join(", ")
    );
    let name = live["metadata"]["name"].as_str().unwrap_or_default();
    Err(ApiError::invalid(kind, name, &[Violation::forbidden("metadata.finalizers", &why)]))
}

/// What to do with the settled object: an object that is being deleted goes away with its last finalizer.
pub fn outcome(kind: &Kind, settled: Value, dry_run: bool) -> Outcome {
    if dry_run {
        return Outcome::Pretend(settled);
    }
    let deleting = settled["metadata"]["deletionTimestamp"].is_string();
    // A Namespace has finalizers of its own kind, which its controller empties.
    let held = !finalizers(&settled).is_empty() || kind.kind == "Namespace";
    if deleting && !held { Outcome::RemoveAs(settled) } else { Outcome::Put(settled) }
}
