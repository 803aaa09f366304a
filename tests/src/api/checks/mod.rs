//! May this object be stored? Rules for every kind, and those of single kinds.

mod defaults;
mod event;
mod lease;
mod metadata;
mod pod;
mod types;
mod words;

use serde_json::{Map, Value};

use super::kinds::{Kind, Origin};
use super::status::{ApiError, Violation};

/// What to do about fields that the kind does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Drop them, as the real server does without a word (`fieldValidation=Ignore`) or with a warning (`Warn`, its default).
    Drop,
    /// Refuse them (`fieldValidation=Strict`).
    Refuse,
}

/// 400 for an object that cannot be read as its kind.
pub fn cannot_be_handled(kind: &Kind, why: &str) -> ApiError {
    let Kind { kind, version, .. } = kind;
    ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

/// Whether a field of `metadata` is not written when it is empty (`omitempty` in Go; for custom kinds as well).
fn is_left_out(name: &str, value: &Value) -> bool {
    let empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
    empty && matches!(name, "labels" | "annotations" | "finalizers" | "ownerReferences")
}

/// The object as its kind's type knows it; refuses wrong types (400), and unknown fields if asked to.
pub fn decode(kind: &Kind, object: &Value, unknown: Unknown) -> Result<Value, ApiError> {
    if (kind.group, kind.kind) == ("coordination.k8s.io", "Lease") {
        lease::decode(object).map_err(|why| cannot_be_handled(kind, &why))?;
    }
    if kind.kind == "Secret" && object.get("stringData").is_some() {
        return Err(ApiError::not_implemented("turn a Secret's stringData into data; send data"));
    }
    let mut typed = types::typed(kind, object).map_err(|why| cannot_be_handled(kind, &format!("json: {why}")))?;
    if unknown == Unknown::Refuse {
        let lost: Vec<String> =
            types::unknown_fields(object, &typed).iter().map(|f| format!("unknown field \"{f}\"")).collect();
        if !lost.is_empty() {
            return Err(cannot_be_handled(kind, &format!("strict decoding error: {}", lost.join(", "))));
        }
    }
    if let Some(metadata) = typed["metadata"].as_object_mut() {
        metadata.retain(|name, value| !is_left_out(name, value));
    }
    if kind.origin == Origin::BuiltIn {
        // Structs, not pointers, in Go: they are always written.
        for field in [kind.has_spec.then_some("spec"), kind.status.then_some("status")].into_iter().flatten() {
            if typed[field].is_null() {
                typed[field] = Value::Object(Map::new());
            }
        }
        defaults::fill_in(kind, &mut typed);
    }
    Ok(typed)
}

/// Refuses what an apply sets and the kind does not declare. The applied object itself stays as it is: reading it into its type would make it
/// apply empty values of required fields that it leaves to others.
pub fn all_declared(kind: &Kind, object: &Value, typed: &Value) -> Result<(), ApiError> {
    match types::unknown_fields(object, typed).as_slice() {
        [] => Ok(()),
        [first, ..] => {
            let metadata = &object["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default();
            let who = format!("{}/{}; {}, Kind={}", text("namespace"), text("name"), kind.api_version(), kind.kind);
            Err(ApiError::new(
                500,
                "",
                format!("failed to create typed patch object ({who}): .{first}: field not declared in schema"),
            ))
        }
    }
}

/// Refuses an object that breaks a rule (422), with all the rules it breaks.
pub fn validate(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    let mut violations: Vec<Violation> = Vec::new();
    metadata::check(kind, object, &mut violations);
    match (kind.group, kind.kind) {
        ("coordination.k8s.io", "Lease") => lease::check(object, &mut violations),
        ("", "Pod") => pod::check(object, &mut violations),
        ("events.k8s.io", "Event") => event::check(object, &mut violations),
        _ => {}
    }
    refuse_any(kind, object, &violations)
}

/// Refuses a change that a kind does not allow.
pub fn validate_update(kind: &Kind, live: &Value, next: &Value) -> Result<(), ApiError> {
    let mut violations: Vec<Violation> = Vec::new();
    if (kind.group, kind.kind) == ("events.k8s.io", "Event") {
        event::check_update(live, next, &mut violations);
    }
    refuse_any(kind, next, &violations)
}

fn refuse_any(kind: &Kind, object: &Value, violations: &[Violation]) -> Result<(), ApiError> {
    if violations.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(ApiError::invalid(kind, name, violations))
}
