//! Is the coordinator there, once, and is the system that it replaces gone?

use super::facts::{Deployment, Facts, Source};
use super::finding::Finding;

/// What the coordinator's Deployment carries.
const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Its value there.
pub(super) const COORDINATOR: &str = "snapshot-coordinator";
/// The Deployment of the system that this one replaces.
const ORIGINAL: &str = "velero-scheduler";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    if !facts.knows(Source::Deployments) {
        return;
    }
    let installs: Vec<String> = coordinators(facts).map(place).collect();
    match installs.as_slice() {
        [] => findings.push(Finding::note("not-installed", "Deployment snapshot-coordinator", "there is no coordinator in this cluster yet: hooks go on as `unreachable` after 25 s", "docs/install.md: an overlay of your own, and kubectl apply -k YOUR-OVERLAY")),
        [one] if *one != format!("{}/{COORDINATOR}", facts.velero_namespace) && !one.starts_with(&format!("{}/", facts.velero_namespace)) => {
            findings.push(Finding::error("installed-elsewhere", format!("Deployment {one}"), format!("it is not in Velero's namespace ({}): its Roles read Backups there", facts.velero_namespace), "install it into Velero's namespace, or say --velero-namespace"));
        }
        [_] => {}
        [_, others @ ..] => findings.push(Finding::error(
            "two-installs",
            format!("Deployment {}", installs.join(", ")),
            "the older one serves and the other stands back; with --other-installs ignore each has a budget of its own, so that together they release twice what EC2 allows",
            others.iter().filter_map(|it| it.split_once('/')).map(|(namespace, name)| format!("kubectl -n {namespace} delete deployment {name}")).collect::<Vec<_>>().join("; "),
        )),
    }
    for old in facts.deployments.iter().filter(|it| it.metadata.name == ORIGINAL) {
        findings.push(Finding::warning(
            "original-still-there",
            old.subject(),
            "the system that this one replaces still runs: workloads are scheduled and hooked twice",
            "docs/upgrade.md says step by step how it is taken out",
        ));
    }
}

/// The coordinators' Deployments, as far as they are known.
pub(super) fn coordinators(facts: &Facts) -> impl Iterator<Item = &Deployment> {
    let named = |it: &&Deployment| {
        it.metadata.labels.get(LABEL_NAME).map_or(it.metadata.name.as_str(), String::as_str) == COORDINATOR
    };
    facts.deployments.iter().filter(named)
}

fn place(deployment: &Deployment) -> String {
    format!("{}/{}", deployment.metadata.namespace, deployment.metadata.name)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{facts, found, with};
    use super::*;
    use serde_json::{Value, json};

    fn deployment(namespace: &str, name: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": name}})
    }

    #[test]
    fn none_one_and_two() {
        let one = deployment("velero", COORDINATOR);
        assert_eq!(found(&facts(), check), ["not-installed"]);
        assert!(found(&with([one.clone()]), check).is_empty());
        assert_eq!(found(&with([deployment("other", COORDINATOR)]), check), ["installed-elsewhere"]);
        assert_eq!(found(&with([one.clone(), deployment("other", COORDINATOR)]), check), ["two-installs"]);
        assert_eq!(found(&with([one, deployment("velero", ORIGINAL)]), check), ["original-still-there"]);
    }
}
