//! How do the parts of an object merge: as a whole, key by key, or item by item?
//!
//! Maps merge key by key and lists are replaced as a whole unless a rule here says otherwise. A rule goes by the field's name and, where the
//! same name means different things, by its parent's. Source: `x-kubernetes-list-type`, `-list-map-keys`, `-map-type` and `-patch-merge-key`
//! in `/openapi/v2` of kube-apiserver v1.35, for the kinds of the table. Custom kinds have only the rules of `metadata`.

use serde_json::Value;

use crate::api::kinds::Origin;

/// How a map or a list merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Map: key by key.
    Granular,
    /// Map or list: as a whole.
    Atomic,
    /// List of scalars: each its own.
    Set,
    /// List of maps: items are told apart by these fields.
    Keyed(&'static [&'static str]),
}

const NAME: Relation = Relation::Keyed(&["name"]);

/// (parent, field, how its list merges); an empty parent stands for any.
const LISTS: &[(&str, &str, Relation)] = &[
    ("", "containers", NAME),
    ("", "initContainers", NAME),
    ("", "ephemeralContainers", NAME),
    ("", "env", NAME),
    ("", "volumes", NAME),
    ("", "resourceClaims", NAME),
    ("", "schedulingGates", NAME),
    ("", "secrets", NAME),
    ("resources", "claims", NAME),
    ("spec", "imagePullSecrets", NAME),
    ("spec", "ports", Relation::Keyed(&["port", "protocol"])),
    ("containers", "ports", Relation::Keyed(&["containerPort", "protocol"])),
    ("initContainers", "ports", Relation::Keyed(&["containerPort", "protocol"])),
    ("", "volumeMounts", Relation::Keyed(&["mountPath"])),
    ("", "volumeDevices", Relation::Keyed(&["devicePath"])),
    ("", "hostAliases", Relation::Keyed(&["ip"])),
    ("", "podIPs", Relation::Keyed(&["ip"])),
    ("", "topologySpreadConstraints", Relation::Keyed(&["topologyKey", "whenUnsatisfiable"])),
    ("status", "conditions", Relation::Keyed(&["type"])),
    ("status", "addresses", Relation::Keyed(&["type"])),
    ("spec", "podCIDRs", Relation::Set),
];

/// Maps that are replaced as a whole.
const ATOMIC_MAPS: &[&str] = &[
    "selector",
    "labelSelector",
    "namespaceSelector",
    "nodeSelector",
    "configMapKeyRef",
    "fieldRef",
    "fileKeyRef",
    "resourceFieldRef",
    "secretKeyRef",
    "secretRef",
    "nodePublishSecretRef",
    "nodeStageSecretRef",
    "nodeExpandSecretRef",
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "dataSource",
    "required",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "involvedObject",
    "regarding",
    "related",
];

/// Where a walk is: enough of the path to find the rule. List items share the place of their list.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    origin: Origin,
    parent: &'a str,
    field: &'a str,
    depth: usize,
}

impl<'a> Place<'a> {
    /// The whole object.
    pub fn root(origin: Origin) -> Self {
        Self { origin, parent: "", field: "", depth: 0 }
    }

    /// A field of the map that is here.
    pub fn field(self, name: &'a str) -> Self {
        Self { origin: self.origin, parent: self.field, field: name, depth: self.depth + 1 }
    }

    fn is_metadata(self, field: &str) -> bool {
        self.depth == 2 && self.parent == "metadata" && self.field == field
    }

    /// Whether nobody owns what is here: the server or the request's path sets it.
    pub fn is_unowned(self) -> bool {
        match self.depth {
            1 => matches!(self.field, "apiVersion" | "kind"),
            2 => self.parent == "metadata" && UNOWNED_METADATA.contains(&self.field),
            _ => false,
        }
    }

    /// How the map or list that is here merges.
    pub fn relation(self, value: &Value) -> Relation {
        if value.is_array() { self.list() } else { self.map() }
    }

    /// How a list merges that is here.
    pub fn list(self) -> Relation {
        if self.is_metadata("ownerReferences") {
            return Relation::Keyed(&["uid"]);
        }
        if self.is_metadata("finalizers") {
            return Relation::Set;
        }
        let built_in = self.origin == Origin::BuiltIn;
        let rule =
            |(p, f, _): &&(&str, &str, Relation)| built_in && *f == self.field && (p.is_empty() || *p == self.parent);
        LISTS.iter().find(rule).map_or(Relation::Atomic, |(_, _, relation)| *relation)
    }

    fn map(self) -> Relation {
        let built_in = self.origin == Origin::BuiltIn;
        let reference =
            ATOMIC_MAPS.contains(&self.field) || (self.field == "imagePullSecrets" && self.parent == "spec");
        // An owner reference is one thing: two of them do not mix.
        if (built_in && reference) || self.is_metadata("ownerReferences") {
            Relation::Atomic
        } else {
            Relation::Granular
        }
    }
}

/// Metadata that nobody owns (`stripSet` in apimachinery's managedfields, and the deletion fields, which no client can set).
const UNOWNED_METADATA: &[&str] = &[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// The key of an item of a keyed list, as it stands in `fieldsV1` (`k:{"name":"x"}`); `None` when a key field is missing.
pub fn item_key(item: &Value, keys: &[&str]) -> Option<String> {
    let mut found = serde_json::Map::new();
    for key in keys {
        let value = match (item.get(key), *key) {
            (Some(value), _) => value.clone(),
            // The one key field that has a default (core/v1 types.go).
            (None, "protocol") => Value::from("TCP"),
            (None, _) => return None,
        };
        found.insert((*key).to_owned(), value);
    }
    Some(format!("k:{}", Value::Object(found)))
}
