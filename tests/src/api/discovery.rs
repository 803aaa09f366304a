//! What does the server say it serves? `/api`, `/apis`, `/version` and the health endpoints.

use serde_json::{Value, json};

use super::kinds::{self, Kind};

/// The answer to a plain path; `None` is 404.
pub fn answer(path: &str, url: &str, served: impl Fn(&str) -> bool) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        ["api"] => {
            let address = url.trim_start_matches("http://");
            let by_client = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]);
            Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": by_client}))
        }
        ["api", "v1"] => Some(resources("", "v1")),
        ["apis"] => {
            let groups: Vec<Value> = groups(&served).iter().map(|(g, v)| group(g, v)).collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", name] => {
            let (name, version) = groups(&served).into_iter().find(|(g, _)| g == name)?;
            let mut out = group(name, version);
            out["kind"] = "APIGroup".into();
            out["apiVersion"] = "v1".into();
            Some(out)
        }
        ["apis", name, version] => groups(&served).contains(&(*name, *version)).then(|| resources(name, version)),
        // What the newest build of the real server that this one was compared with says.
        ["version"] => Some(json!({
            "major": "1", "minor": "35", "gitVersion": "v1.35.4", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "rustc", "platform": "linux/amd64",
        })),
        _ => None,
    }
}

/// Whether a path is a health endpoint, which answers `ok` to anybody.
pub fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/livez" | "/readyz")
}

/// Whether a path is below a group and version that is served.
pub fn is_in_group(path: &str, served: impl Fn(&str) -> bool) -> bool {
    match path.split('/').filter(|p| !p.is_empty()).collect::<Vec<_>>().as_slice() {
        ["api", "v1", ..] => true,
        ["apis", group, version, ..] => groups(served).contains(&(*group, *version)),
        _ => false,
    }
}

fn groups(served: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    let mut out: Vec<(&str, &str)> = Vec::new();
    for (_, k) in kinds::all().filter(|(_, k)| !k.group.is_empty() && served(k.group)) {
        if !out.contains(&(k.group, k.version)) {
            out.push((k.group, k.version));
        }
    }
    out
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn resources(group: &str, version: &str) -> Value {
    let mut out = Vec::new();
    for (_, k) in kinds::all().filter(|(_, k)| k.group == group && k.version == version) {
        let Kind { kind, plural, short, namespaced, status, categories, .. } = k;
        let mut verbs = vec!["create", "delete", "get", "list", "patch", "update", "watch"];
        if *kind != "Namespace" {
            verbs.insert(2, "deletecollection");
        }
        let mut row = json!({
            "name": plural, "singularName": k.singular(), "namespaced": namespaced, "kind": kind, "verbs": verbs,
        });
        for (field, list) in [("shortNames", short), ("categories", categories)] {
            if !list.is_empty() {
                row[field] = json!(list);
            }
        }
        out.push(row);
        if *status {
            out.push(json!({"name": format!("{plural}/status"), "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "patch", "update"]}));
        }
    }
    let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": out})
}
