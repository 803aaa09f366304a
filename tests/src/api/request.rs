//! What does a request ask for? Path and query, parsed once.

use std::collections::BTreeMap;

use super::kinds::{self, KindId};
use super::store::Key;

/// The verbs of Kubernetes authorisation, as audit logs and RBAC write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Follow a collection.
    Watch,
    /// Make an object.
    Create,
    /// Replace an object.
    Update,
    /// Change an object, or apply it.
    Patch,
    /// Remove an object.
    Delete,
    /// Remove a selection.
    DeleteCollection,
    /// Anything else on a resource path; such a request is refused with 405.
    Unknown,
}

impl Verb {
    /// As in RBAC rules: `get`, `deletecollection`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Unknown => "unknown",
        }
    }
}

/// A request to a resource.
#[derive(Clone, Debug)]
pub struct ResourceRequest {
    /// What to do.
    pub verb: Verb,
    /// To which kind.
    pub kind: KindId,
    /// `status`, `exec`, …; empty for the object itself.
    pub subresource: String,
    /// Empty for cluster-scoped kinds and for collections over all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// Query parameters.
    pub query: Query,
}

impl ResourceRequest {
    /// Where the named object is.
    pub fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub enum Route {
    /// An object or a collection of a kind in the table.
    Resource(Box<ResourceRequest>),
    /// `/api`, `/apis`, `/version`, `/healthz`, … and everything unknown: the path without its final slash.
    Plain(String),
}

/// Decoded query parameters; of repeated ones the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Decodes `a=b&c=d`.
    pub fn parse(raw: &str) -> Self {
        let pairs = raw.split('&').filter(|p| !p.is_empty());
        Self(pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect())
    }

    /// A parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A boolean as the real server reads it: `false`, `0` and absence are false, everything else is true.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|v| !matches!(v.as_str(), "false" | "0"))
    }
}

/// Percent-decoding with `+` as space. A broken escape stays as it is; a name with one then simply is not found.
fn decode(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = raw.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Parses method, path and query. `served` says whether a group is installed at the moment.
pub fn parse(method: &str, path: &str, query: &str, served: impl Fn(&str) -> bool) -> Route {
    let decoded: Vec<String> =
        path.split('/').filter(|s| !s.is_empty()).map(|s| decode(&s.replace('+', "%2B"))).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let found = match parts.as_slice() {
        ["api", "v1", rest @ ..] => resource("", "v1", rest),
        ["apis", group, version, rest @ ..] if served(group) => resource(group, version, rest),
        _ => None,
    };
    let Some((kind, namespace, name, subresource)) = found else {
        return Route::Plain(format!("/{}", parts.join("/")));
    };
    let query = Query::parse(query);
    let verb = verb(method, name.is_empty(), &query);
    let [namespace, name, subresource] = [namespace, name, subresource].map(str::to_owned);
    Route::Resource(Box::new(ResourceRequest { verb, kind, subresource, namespace, name, query }))
}

type Place<'a> = (KindId, &'a str, &'a str, &'a str);

fn resource<'a>(group: &str, version: &str, rest: &[&'a str]) -> Option<Place<'a>> {
    let find = |plural: &str, namespaced: bool| {
        kinds::by_path(group, version, plural).filter(|id| kinds::kind(*id).namespaced == namespaced)
    };
    let any = |plural: &str| kinds::by_path(group, version, plural);
    match *rest {
        [plural] => any(plural).map(|k| (k, "", "", "")),
        // A namespaced kind is tried first: /namespaces/x/status is the Namespace's own subresource, as no kind is called "status".
        ["namespaces", namespace, plural] if find(plural, true).is_some() => {
            find(plural, true).map(|k| (k, namespace, "", ""))
        }
        ["namespaces", namespace, plural, name] => find(plural, true).map(|k| (k, namespace, name, "")),
        ["namespaces", namespace, plural, name, sub] => find(plural, true).map(|k| (k, namespace, name, sub)),
        [plural, name] => find(plural, false).map(|k| (k, "", name, "")),
        [plural, name, sub] => find(plural, false).map(|k| (k, "", name, sub)),
        _ => None,
    }
}

fn verb(method: &str, collection: bool, query: &Query) -> Verb {
    match (method, collection) {
        ("GET", true) if query.flag("watch") => Verb::Watch,
        ("GET", true) => Verb::List,
        ("GET", false) => Verb::Get,
        ("POST", true) => Verb::Create,
        ("PUT", false) => Verb::Update,
        ("PATCH", false) => Verb::Patch,
        ("DELETE", false) => Verb::Delete,
        ("DELETE", true) => Verb::DeleteCollection,
        _ => Verb::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, expected: &str) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let told = match parse(method, path, query, |group| group != "velero.io") {
            Route::Resource(r) => {
                let place = [r.namespace.as_str(), &r.name, &r.subresource].join("|");
                format!("{} {} {place}", r.verb.as_str(), kinds::kind(r.kind).plural)
            }
            Route::Plain(path) => path,
        };
        assert_eq!(told, expected, "{method} {target}");
    }

    #[test]
    fn paths_lead_to_resources() {
        check("GET", "/api/v1/pods", "list pods ||");
        check("GET", "/api/v1/namespaces/a/pods?watch=true", "watch pods a||");
        check("GET", "/api/v1/namespaces/a/pods?watch=0", "list pods a||");
        check("PATCH", "/api/v1/namespaces/a/pods/b/status", "patch pods a|b|status");
        check("GET", "/api/v1/namespaces/a", "get namespaces |a|");
        check("PUT", "/api/v1/namespaces/a/finalize", "update namespaces |a|finalize");
        check("DELETE", "/apis/coordination.k8s.io/v1/namespaces/a/leases", "deletecollection leases a||");
        check("POST", "/api/v1/nodes", "create nodes ||");
        check("GET", "/api/v1/nodes/a%2Fb", "get nodes |a/b|");
    }

    #[test]
    fn other_paths_are_plain() {
        check("GET", "/apis/", "/apis");
        check("GET", "/apis/velero.io/v1/backups", "/apis/velero.io/v1/backups");
        check("GET", "/api/v1/namespaces/a/nodes/b", "/api/v1/namespaces/a/nodes/b");
        check("GET", "/api/v1/gadgets", "/api/v1/gadgets");
    }
}
