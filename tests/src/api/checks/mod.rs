//! May this object be stored? Rules for every kind, and those of single kinds.

mod lease;
mod metadata;
mod words;

use serde_json::Value;

use super::kinds::Kind;
use super::status::{ApiError, Violation};

/// Refuses what the decoder of the kind's type would refuse (400), before anything else is looked at.
pub fn decode(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    match (kind.group, kind.kind) {
        ("coordination.k8s.io", "Lease") => lease::decode(object),
        _ => Ok(()),
    }
}

/// Refuses an object that breaks a rule (422), with all the rules it breaks.
pub fn validate(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    let mut violations: Vec<Violation> = Vec::new();
    metadata::check(kind, object, &mut violations);
    if (kind.group, kind.kind) == ("coordination.k8s.io", "Lease") {
        lease::check(object, &mut violations);
    }
    if violations.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(ApiError::invalid(kind, name, &violations))
}
