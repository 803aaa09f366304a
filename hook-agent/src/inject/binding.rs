//! The role and its binding by which pods may register, as `manifests/components/workload-access` has them.

use super::names::MANAGED_BY;
use super::tree::Node;
use super::value::{self, Value};

/// The role's name, as in the manifests.
const ROLE: &str = "hook-agent-register";

/// The binding's name for one service account.
fn binding_name(account: &str) -> String {
    format!("{ROLE}-{account}")
}

/// An object that is added: kind and name; its namespace and its text.
pub struct Added {
    kind: &'static str,
    name: String,
    namespace: String,
    /// The document, without the line that separates it.
    pub text: String,
}

/// What pods of `account` in `namespace` need.
pub fn documents(namespace: &str, account: &str) -> [Added; 2] {
    let rule = Value::map([
        ("apiGroups", Value::texts(["coordination.k8s.io"])),
        ("resources", Value::texts(["leases"])),
        ("verbs", Value::texts(["get", "create", "patch", "watch"])),
    ]);
    let reference = Value::map([
        ("apiGroup", Value::text("rbac.authorization.k8s.io")),
        ("kind", Value::text("Role")),
        ("name", Value::text(ROLE)),
    ]);
    let subject = Value::map([
        ("kind", Value::text("ServiceAccount")),
        ("name", Value::text(account)),
        ("namespace", Value::text(namespace)),
    ]);
    let object = |kind: &'static str, name: String, rest: Vec<(&str, Value)>| {
        let labels = Value::map([
            ("app.kubernetes.io/component", Value::text("workload-access")),
            ("app.kubernetes.io/managed-by", Value::text(MANAGED_BY)),
            ("app.kubernetes.io/part-of", Value::text("velero-snapshot-groups")),
        ]);
        let metadata =
            Value::map([("name", Value::text(&name)), ("namespace", Value::text(namespace)), ("labels", labels)]);
        let head = [
            ("apiVersion", Value::text("rbac.authorization.k8s.io/v1")),
            ("kind", Value::text(kind)),
            ("metadata", metadata),
        ];
        let entries = head.into_iter().chain(rest).map(|(key, value)| (key.to_owned(), value)).collect();
        Added { kind, name, namespace: namespace.to_owned(), text: value::document(&Value::Map(entries)) }
    };
    [
        object("Role", ROLE.to_owned(), vec![("rules", Value::List(vec![rule]))]),
        object(
            "RoleBinding",
            binding_name(account),
            vec![("roleRef", reference), ("subjects", Value::List(vec![subject]))],
        ),
    ]
}

/// Whether `object` was added by `inject`.
pub fn is_own(object: &Node) -> bool {
    let label = object.at(&["metadata", "labels", "app.kubernetes.io/managed-by"]).and_then(Node::text);
    label == Some(MANAGED_BY) && matches!(object.text_at("kind"), Some("Role" | "RoleBinding"))
}

impl Added {
    /// Whether `object` is this one.
    pub fn is(&self, object: &Node) -> bool {
        let at = |key| object.get("metadata").and_then(|metadata| metadata.text_at(key));
        object.text_at("kind") == Some(self.kind)
            && at("name") == Some(&self.name)
            && at("namespace") == Some(&self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;

    /// Without names, namespaces and the mark, which differ.
    fn plain(text: &str) -> Json {
        let mut json: Json = serde_saphyr::from_str(text).unwrap();
        json["metadata"].as_object_mut().unwrap().remove("name");
        json["metadata"].as_object_mut().unwrap().remove("namespace");
        json["metadata"]["labels"].as_object_mut().unwrap().remove("app.kubernetes.io/managed-by");
        json
    }

    #[test]
    fn they_are_those_of_the_manifests() {
        let [role, binding] = documents("default", "default");
        let role_file = include_str!("../../../manifests/components/workload-access/hook-agent-register.yaml");
        let binding_file =
            include_str!("../../../manifests/components/workload-access/hook-agent-register-binding.yaml");
        assert_eq!(plain(&role.text), plain(role_file));
        assert_eq!(plain(&binding.text), plain(binding_file));
        assert!(role_file.contains(&format!("name: {}", role.name)), "the binding names it");
    }
}
