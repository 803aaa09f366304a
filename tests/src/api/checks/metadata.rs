//! Is an object's metadata legal?

use serde_json::Value;

use super::words;
use crate::api::kinds::Kind;
use crate::api::status::Violation;

/// Keys and values of all annotations together (`TotalAnnotationSizeLimitB`, apimachinery validation).
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// Finalizers that need no domain prefix (`standardFinalizers`).
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// All violations of the rules that hold for every kind.
pub fn check(kind: &Kind, object: &Value, out: &mut Vec<Violation>) {
    let metadata = &object["metadata"];
    name(kind, metadata, out);
    labels(metadata, out);
    annotations(metadata, out);
    owner_references(metadata, out);
    finalizers(metadata, out);
}

fn say(field: &str, text: &str, wrong: Vec<String>, out: &mut Vec<Violation>) {
    out.extend(wrong.into_iter().map(|why| Violation::invalid(field, &text.into(), why)));
}

fn name_rule(kind: &Kind) -> fn(&str) -> Vec<String> {
    match (kind.group, kind.kind) {
        ("", "Namespace") => words::dns_label,
        ("", "Service") => words::dns_1035,
        _ => words::subdomain,
    }
}

fn name(kind: &Kind, metadata: &Value, out: &mut Vec<Violation>) {
    if let Some(prefix) = metadata["generateName"].as_str().filter(|p| !p.is_empty()) {
        // A prefix may end in a dash, since letters follow.
        say("metadata.generateName", prefix, name_rule(kind)(&format!("{}a", prefix.trim_end_matches('-'))), out);
    }
    match metadata["name"].as_str().filter(|n| !n.is_empty()) {
        Some(name) => say("metadata.name", name, name_rule(kind)(name), out),
        None => out.push(Violation::required("metadata.name", "name or generateName is required")),
    }
}

fn labels(metadata: &Value, out: &mut Vec<Violation>) {
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        say("metadata.labels", key, words::qualified_name(key), out);
        if let Some(value) = value.as_str() {
            say("metadata.labels", value, words::label_value(value), out);
        }
    }
}

fn annotations(metadata: &Value, out: &mut Vec<Violation>) {
    let mut bytes = 0;
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        // Annotation keys are compared in lower case: "Foo.Example/x" is legal (ValidateAnnotations).
        say("metadata.annotations", key, words::qualified_name(&key.to_lowercase()), out);
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        out.push(Violation::too_long("metadata.annotations", ANNOTATIONS_BYTES_MAX));
    }
}

fn owner_references(metadata: &Value, out: &mut Vec<Violation>) {
    let empty = Value::from("");
    let mut controllers = Vec::new();
    for reference in metadata["ownerReferences"].as_array().into_iter().flatten() {
        for (field, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if reference[field].as_str().unwrap_or_default().is_empty() {
                out.push(Violation::invalid(format!("metadata.ownerReferences.{field}"), &empty, why));
            }
        }
        if reference["controller"] == true {
            let text = |field: &str| reference[field].as_str().unwrap_or_default().to_owned();
            controllers.push(format!("{}/{}", text("kind"), text("name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        out.push(Violation::invalid("metadata.ownerReferences", &metadata["ownerReferences"], why));
    }
}

fn finalizers(metadata: &Value, out: &mut Vec<Violation>) {
    for (i, finalizer) in metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).enumerate()
    {
        let wrong = words::qualified_name(finalizer);
        if wrong.is_empty() && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            out.push(Violation::invalid(format!("metadata.finalizers[{i}]"), &finalizer.into(), why));
        }
        say("metadata.finalizers", finalizer, wrong, out);
    }
}
