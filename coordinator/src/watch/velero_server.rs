//! How many pre hooks Velero can run at once, as the arguments of its Deployment say.

use kube::api::{ApiResource, NotUsed, Object};
use serde::Deserialize;

/// The name that Velero's installer and chart give the server's Deployment.
pub const DEPLOYMENT: &str = "velero";

/// Velero's flag (1.16 and later).
const FLAG: &str = "--item-block-worker-count";

/// What Velero does without the flag: one block after another (velero `pkg/cmd/server/config/config.go`).
const WORKERS_DEFAULT: u32 = 1;

/// The fields of a Deployment that are read at all.
pub type SlimDeployment = Object<DeploymentSpec, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
pub struct DeploymentSpec {
    template: Template,
}

/// `spec.template`.
#[derive(Clone, Debug, Deserialize)]
struct Template {
    spec: Option<PodSpec>,
}

/// `spec.template.spec`.
#[derive(Clone, Debug, Deserialize)]
struct PodSpec {
    containers: Vec<Container>,
}

/// `spec.template.spec.containers[]`.
#[derive(Clone, Debug, Deserialize)]
struct Container {
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
}

/// Where Deployments are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&())
}

/// Velero's workers; nothing when the flag's value cannot be understood.
pub fn reduce(deployment: SlimDeployment) -> Option<u32> {
    let containers = deployment.spec.template.spec.map(|spec| spec.containers).unwrap_or_default();
    let words: Vec<String> = containers
        .into_iter()
        .flat_map(|Container { command, args }| command.into_iter().chain(args))
        .flatten()
        .collect();
    // The last one wins, as with Go's flags.
    let given = words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix(FLAG)? {
        "" => Some(words.get(at + 1).map(String::as_str).unwrap_or_default()),
        rest => rest.strip_prefix('='),
    });
    match given {
        None => Some(WORKERS_DEFAULT),
        Some(text) => text.parse().ok().filter(|workers| *workers > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(container: &Value, workers: Option<u32>) {
        let deployment = json!({
            "metadata": {"namespace": "velero", "name": "velero"},
            "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": [container]}}},
        });
        assert_eq!(reduce(serde_json::from_value(deployment).unwrap()), workers, "{container}");
    }

    #[test]
    fn the_flag_is_found_in_both_spellings() {
        check(&json!({"command": ["/velero"], "args": ["server", "--item-block-worker-count=4"]}), Some(4));
        check(&json!({"args": ["server", "--item-block-worker-count", "3", "--x"]}), Some(3));
        check(&json!({"args": ["--item-block-worker-count=2", "--item-block-worker-count=5"]}), Some(5));
        check(&json!({"args": ["server", "--item-block-worker-count-x=9"]}), Some(1));
        check(&json!({"args": ["server"]}), Some(1));
        check(&json!({}), Some(1));
        check(&json!({"args": ["--item-block-worker-count=many"]}), None);
        check(&json!({"args": ["--item-block-worker-count"]}), None);
    }
}
