//! What a request to the API server is about: its verb and resource, as Kubernetes' own metrics name them.

use http::{Method, Uri};

/// Verb and resource of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestLine {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// Plural name, with the subresource behind a slash: `leases`, `pods/status`.
    pub resource: String,
}

impl RequestLine {
    /// Reads it from a request.
    pub fn of(method: &Method, uri: &Uri) -> Self {
        let mut parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        // `/api/v1/…` or `/apis/<group>/<version>/…`, then perhaps `namespaces/<namespace>/`.
        let prefix = if parts.first() == Some(&"apis") { 3 } else { 2 };
        parts.drain(..prefix.min(parts.len()));
        if parts.first() == Some(&"namespaces") && parts.len() > 2 {
            parts.drain(..2);
        }
        let resource = match parts.as_slice() {
            [] => "none".to_owned(),
            [resource, _name, subresource, ..] => format!("{resource}/{subresource}"),
            [resource, ..] => (*resource).to_owned(),
        };
        Self { verb: verb(method, uri.query().unwrap_or_default(), parts.len() > 1), resource }
    }
}

fn verb(method: &Method, query: &str, named: bool) -> &'static str {
    let watches = query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"));
    match *method {
        Method::GET if watches => "watch",
        Method::GET if named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, uri: &str, verb: &'static str, resource: &str) {
        let found = RequestLine::of(method, &uri.parse().unwrap());
        assert_eq!(found, RequestLine { verb, resource: resource.to_owned() }, "{uri}");
    }

    #[test]
    fn verbs_and_resources_are_those_of_kubernetes() {
        let (get, put) = (Method::GET, Method::PUT);
        check(&get, "/api/v1/pods?limit=500", "list", "pods");
        check(&get, "/api/v1/pods?&watch=true&timeoutSeconds=290", "watch", "pods");
        check(&get, "/api/v1/namespaces/a/pods/b", "get", "pods");
        check(&get, "/api/v1/namespaces/a", "get", "namespaces");
        check(&put, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b?fieldManager=x", "update", "leases");
        check(&Method::PATCH, "/apis/velero.io/v1/namespaces/a/backups/b/status", "patch", "backups/status");
        check(&Method::DELETE, "/api/v1/namespaces/a/pods/b", "delete", "pods");
        check(&get, "/version", "list", "none");
        check(&get, "/", "list", "none");
    }
}
