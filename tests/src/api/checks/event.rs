//! Is an Event of events.k8s.io legal, and is it only its series that changes?
//!
//! Rules and names of fields are kubernetes `pkg/apis/core/validation/events.go`, which names them as the core group's Event does.

use serde_json::Value;

use super::words;
use crate::api::status::Violation;

/// `ActionLengthLimit`, `ReasonLengthLimit` and `ReportingInstanceLengthLimit`, bytes.
const WORD_BYTES_MAX: usize = 128;

/// `NoteLengthLimit`, bytes.
const NOTE_BYTES_MAX: usize = 1024;

/// Namespaces in which an Event may be about something that has none.
const HOMES_OF_THE_HOMELESS: [&str; 2] = ["default", "kube-system"];

/// Fields that never change: ours, and what the violation calls them.
const IMMUTABLE: [(&str, &str); 9] = [
    ("regarding", "involvedObject"),
    ("reason", "reason"),
    ("note", "message"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

/// What must be true of any.
pub fn check(object: &Value, out: &mut Vec<Violation>) {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let about = object["regarding"]["namespace"].as_str().unwrap_or_default();
    if about.is_empty() && !HOMES_OF_THE_HOMELESS.contains(&namespace) {
        out.push(Violation::invalid("involvedObject.namespace", &"".into(), "does not match event.namespace"));
    }
    let controller = text("reportingController");
    if controller.is_empty() {
        out.push(Violation::required("reportingController", ""));
    }
    let wrong = words::qualified_name(controller).into_iter();
    out.extend(wrong.map(|why| Violation::invalid("reportingController", &controller.into(), why)));
    for field in ["reportingInstance", "action", "reason"] {
        if text(field).is_empty() {
            out.push(Violation::required(field, ""));
        }
        too_long(field, text(field), WORD_BYTES_MAX, out);
    }
    too_long("message", text("note"), NOTE_BYTES_MAX, out);
    if object["eventTime"].is_null() {
        out.push(Violation::required("eventTime", ""));
    }
    if !matches!(text("type"), "Normal" | "Warning") {
        out.push(Violation::invalid("type", &"".into(), format!("has invalid value: {}", text("type"))));
    }
    if object["series"]["count"].as_i64().is_some_and(|count| count < 2) {
        out.push(Violation::invalid("series.count", &"".into(), "should be at least 2"));
    }
}

fn too_long(field: &str, text: &str, limit: usize, out: &mut Vec<Violation>) {
    if text.len() > limit {
        out.push(Violation::invalid(field, &"".into(), format!("can have at most {limit} characters")));
    }
}

/// What may not differ from the live one.
pub fn check_update(live: &Value, next: &Value, out: &mut Vec<Violation>) {
    let changed = IMMUTABLE.iter().filter(|(field, _)| live[*field] != next[*field]);
    out.extend(changed.map(|(field, name)| Violation::invalid(*name, &next[*field], "field is immutable")));
}
