//! Which environment does an exec'd process get?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod};

use super::field_ref::field;

/// Set in every process: `<bed>/<namespace>/<pod uid>/<container>`, so that all processes of a container can be found, in
/// whatever session they are. A process that clears its environment escapes.
pub const MARKER: &str = "TESTBED_CONTAINER";

/// What containerd sets when the image says nothing.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why an environment cannot be made; a real kubelet would not have started the container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A field path that the downward API does not know.
    #[error("env {name}: field path {path:?} is not supported: use one of the downward API's")]
    UnknownField {
        /// The variable.
        name: String,
        /// The path.
        path: String,
    },
    /// A source that is not simulated.
    #[error("env {name}: its source is not simulated: give a value or a fieldRef")]
    UnknownSource {
        /// The variable.
        name: String,
    },
}

/// Makes the environment. `pod` is the pod as of the container's start; `mounts` maps mount paths to folders.
pub(super) fn environment(
    pod: &Pod,
    container: &Container,
    mounts: &BTreeMap<String, PathBuf>,
    passed: &[(String, String)],
    marker: &str,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut env = BTreeMap::from([
        ("HOSTNAME".to_owned(), pod.metadata.name.clone().unwrap_or_default()),
        ("PATH".to_owned(), PATH_DEFAULT.to_owned()),
        (MARKER.to_owned(), marker.to_owned()),
    ]);
    env.extend(passed.iter().cloned());
    if container.env_from.as_ref().is_some_and(|sources| !sources.is_empty()) {
        return Err(EnvironmentError::UnknownSource { name: "envFrom".into() });
    }
    for variable in container.env.iter().flatten() {
        let name = variable.name.clone();
        let value = match (&variable.value_from, &variable.value) {
            (None, value) => on_this_machine(&expand(value.as_deref().unwrap_or(""), &env), mounts),
            (Some(source), _) => match &source.field_ref {
                Some(reference) => field(pod, &reference.field_path).ok_or_else(|| EnvironmentError::UnknownField {
                    name: name.clone(),
                    path: reference.field_path.clone(),
                })?,
                None => return Err(EnvironmentError::UnknownSource { name }),
            },
        };
        env.insert(name, value);
    }
    Ok(env)
}

/// `$(NAME)` stands for an earlier variable, `$$` for a dollar; unknown names stay as they are (Kubernetes
/// `third_party/forked/golang/expansion`).
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let reference = tail.strip_prefix("$(").and_then(|t| t.split_once(')'));
        rest = if let Some(after) = tail.strip_prefix("$$") {
            out.push('$');
            after
        } else if let Some((name, after)) = reference {
            match env.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&tail[..name.len() + 3]),
            }
            after
        } else {
            out.push('$');
            &tail[1..]
        };
    }
    out + rest
}

/// The mapping rule of the module's description; the longest mount path wins.
fn on_this_machine(value: &str, mounts: &BTreeMap<String, PathBuf>) -> String {
    let below = |mount: &str| Path::new(value).strip_prefix(mount).ok();
    let mapped = mounts
        .iter()
        .filter_map(|(mount, folder)| below(mount).map(|rest| (mount.len(), folder.join(rest))))
        .max_by_key(|(length, _)| *length);
    match mapped {
        // `join("")` would leave a slash at the end.
        Some((_, path)) => path.components().collect::<PathBuf>().to_string_lossy().into_owned(),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(env: &serde_json::Value) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "db-0", "namespace": "db", "labels": {"g": "group-1"}},
            "spec": {"containers": [{"name": "main", "env": env}]}
        }))
        .unwrap();
        let mounts = BTreeMap::from([
            ("/etc/podinfo".to_owned(), PathBuf::from("/bed/podinfo")),
            ("/data".to_owned(), PathBuf::from("/bed/claims/db/data-db-0")),
            ("/data/log".to_owned(), PathBuf::from("/bed/log")),
        ]);
        let container = &pod.spec.as_ref().unwrap().containers[0];
        environment(&pod, container, &mounts, &[("KUBECONFIG".to_owned(), "/k".to_owned())], "bed/db/u/main")
    }

    fn check(variable: &serde_json::Value, expected: &str) {
        let env = make(&serde_json::json!([{"name": "FIRST", "value": "1"}, variable])).unwrap();
        assert_eq!(env["X"], expected, "{variable}");
    }

    #[test]
    fn values() {
        let json = |value: &str| serde_json::json!({"name": "X", "value": value});
        check(&json("plain"), "plain");
        check(&serde_json::json!({"name": "X"}), "");
        check(&json("a-$(FIRST)-$(GONE)-$$(FIRST)-$"), "a-1-$(GONE)-$(FIRST)-$");
        check(
            &serde_json::json!({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['g']"}}}),
            "group-1",
        );
    }

    #[test]
    fn paths_below_a_mount_are_mapped() {
        let json = |value: &str| serde_json::json!({"name": "X", "value": value});
        check(&json("/etc/podinfo/labels"), "/bed/podinfo/labels");
        check(&json("/data"), "/bed/claims/db/data-db-0");
        check(&json("/data/log/x"), "/bed/log/x");
        check(&json("/database"), "/database");
        check(&json("/etc"), "/etc");
    }

    #[test]
    fn nothing_else_leaks_in() {
        let env = make(&serde_json::json!([])).unwrap();
        assert_eq!(env.keys().collect::<Vec<_>>(), ["HOSTNAME", "KUBECONFIG", "PATH", MARKER]);
        assert_eq!((env["HOSTNAME"].as_str(), env["KUBECONFIG"].as_str()), ("db-0", "/k"));
    }

    #[test]
    fn sources_that_are_not_simulated_are_refused() {
        let secret = serde_json::json!([{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
        assert_eq!(make(&secret), Err(EnvironmentError::UnknownSource { name: "X".into() }));
        let field = serde_json::json!([{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]);
        assert!(matches!(make(&field), Err(EnvironmentError::UnknownField { .. })));
    }
}
