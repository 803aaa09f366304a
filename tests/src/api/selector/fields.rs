//! Which objects does a field selector choose? Only on the fields that the real server offers for the kind.

use serde_json::Value;

use crate::api::kinds::{Kind, Origin};
use crate::api::status::ApiError;

/// Fields beside metadata.name and metadata.namespace that a kind can be selected by, with their JSON pointer.
/// Source: the field label conversion functions and `SelectableFields` of Kubernetes v1.35 (`pkg/apis/*/v1/conversion.go`).
const SELECTABLE: &[(&str, &str, &str)] = &[
    ("Pod", "spec.nodeName", "/spec/nodeName"),
    ("Pod", "spec.restartPolicy", "/spec/restartPolicy"),
    ("Pod", "spec.schedulerName", "/spec/schedulerName"),
    ("Pod", "spec.serviceAccountName", "/spec/serviceAccountName"),
    ("Pod", "status.phase", "/status/phase"),
    ("Pod", "status.podIP", "/status/podIP"),
    ("Node", "spec.unschedulable", "/spec/unschedulable"),
    ("Namespace", "status.phase", "/status/phase"),
    ("Secret", "type", "/type"),
    ("ReplicaSet", "status.replicas", "/status/replicas"),
    ("Job", "status.successful", "/status/succeeded"),
    ("Event", "involvedObject.kind", "/involvedObject/kind"),
    ("Event", "involvedObject.namespace", "/involvedObject/namespace"),
    ("Event", "involvedObject.name", "/involvedObject/name"),
    ("Event", "involvedObject.uid", "/involvedObject/uid"),
    ("Event", "reason", "/reason"),
    ("Event", "type", "/type"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pointer: &'static str,
    value: String,
    equal: bool,
}

/// A parsed field selector: all requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<Rule>);

const NAME: &str = "/metadata/name";
const NAMESPACE: &str = "/metadata/namespace";

impl FieldSelector {
    /// Parses `metadata.name=a,status.phase!=Running`; 400 for a field that the kind cannot be selected by.
    pub fn parse(raw: &str, kind: &Kind) -> Result<Self, ApiError> {
        let mut rules = Vec::new();
        for part in raw.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let found =
                ["!=", "==", "="].into_iter().find_map(|sign| part.split_once(sign).map(|(f, v)| (f, v, sign != "!=")));
            let Some((field, value, equal)) = found else {
                return Err(ApiError::bad_request(format!("invalid selector: '{raw}'; can't understand '{part}'")));
            };
            let pointer = pointer(kind, field).ok_or_else(|| unsupported(kind, field))?;
            rules.push(Rule { pointer, value: value.to_owned(), equal });
        }
        Ok(Self(rules))
    }

    /// Whether the object satisfies every requirement. A field that is not there counts as empty.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|rule| {
            let there = match object.pointer(rule.pointer) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            (there == rule.value) == rule.equal
        })
    }

    fn only(&self, pointer: &str) -> Option<&str> {
        self.0.iter().find(|r| r.equal && r.pointer == pointer).map(|r| r.value.as_str())
    }

    /// The one name it allows, if it allows one only.
    pub fn name(&self) -> Option<&str> {
        self.only(NAME)
    }

    /// The one namespace it allows, if it allows one only.
    pub fn namespace(&self) -> Option<&str> {
        self.only(NAMESPACE)
    }
}

fn unsupported(kind: &Kind, field: &str) -> ApiError {
    let own = kind.origin == Origin::Custom || SELECTABLE.iter().any(|(of, _, _)| *of == kind.kind);
    ApiError::bad_request(if own {
        format!("field label not supported: {field}")
    } else {
        format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    })
}

fn pointer(kind: &Kind, field: &str) -> Option<&'static str> {
    match field {
        "metadata.name" => Some(NAME),
        "metadata.namespace" if kind.namespaced => Some(NAMESPACE),
        _ => SELECTABLE
            .iter()
            .find(|(of, name, _)| *of == kind.kind && *name == field && kind.group != "events.k8s.io")
            .map(|(_, _, p)| *p),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::kinds;

    fn check(api_version: &str, kind: &str, selector: &str, expected: Option<bool>) {
        let kind = kinds::kind(kinds::by_type(api_version, kind).expect("kind in the table"));
        let object = json!({"metadata": {"name": "a", "namespace": "n"}, "status": {"phase": "Running"}});
        let got = FieldSelector::parse(selector, kind).map(|s| s.matches(&object));
        assert_eq!(got.as_ref().ok(), expected.as_ref(), "{selector}");
        if let Err(refusal) = got {
            assert_eq!(refusal.code, 400, "{selector}");
        }
    }

    #[test]
    fn fields_choose_or_are_refused() {
        check("v1", "Pod", "metadata.name=a,status.phase=Running", Some(true));
        check("v1", "Pod", "metadata.namespace!=n", Some(false));
        check("v1", "Pod", "spec.nodeName=", Some(true));
        check("v1", "Pod", "status.hostIP=1", None);
        check("v1", "Pod", "metadata.name", None);
        check("coordination.k8s.io/v1", "Lease", "metadata.name=b", Some(false));
        check("coordination.k8s.io/v1", "Lease", "spec.holderIdentity=b", None);
        check("v1", "Node", "metadata.namespace=x", None);
    }
}
