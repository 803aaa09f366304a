//! Is a Pod's spec legal, as far as a test bed's mistakes go: are there containers, with names and images?

use serde_json::Value;

use super::words;
use crate::api::status::Violation;

/// The part of `ValidatePodSpec` (pkg/apis/core/validation) that looks at containers.
pub fn check(object: &Value, out: &mut Vec<Violation>) {
    let spec = &object["spec"];
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        out.push(Violation::required("spec.containers", ""));
    }
    for list in ["containers", "initContainers"] {
        for (i, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let field = |name: &str| format!("spec.{list}[{i}].{name}");
            let text = |name: &str| container[name].as_str().unwrap_or_default();
            if text("name").is_empty() {
                out.push(Violation::required(field("name"), ""));
            } else {
                let wrong = words::dns_label(text("name"));
                out.extend(wrong.into_iter().map(|why| Violation::invalid(field("name"), &text("name").into(), why)));
            }
            if text("image").is_empty() {
                out.push(Violation::required(field("image"), ""));
            }
        }
    }
}
