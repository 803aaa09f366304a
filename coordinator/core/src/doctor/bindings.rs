//! Whom do this product's `ClusterRoleBindings` name? They are the cluster's, one of each name: whoever applies an overlay with another namespace
//! takes them away from the install that had them, without a word.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{ClusterRoleBinding, Facts, Source, Subject};
use super::finding::Finding;
use super::installs::{COORDINATOR, coordinators};

/// The kind of subjects that this is about.
const SERVICE_ACCOUNT: &str = "ServiceAccount";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(namespace) = looked_at(facts) else { return };
    let mut elsewhere: BTreeMap<&str, Vec<&ClusterRoleBinding>> = BTreeMap::new();
    for binding in facts.bindings.iter().filter(|binding| is_ours(binding)) {
        let mut accounts = binding.subjects.iter().filter(|subject| is_coordinator(subject));
        let Some(first) = accounts.next() else { continue };
        if first.namespace != namespace && accounts.all(|another| another.namespace != namespace) {
            elsewhere.entry(&first.namespace).or_default().push(binding);
        }
    }
    for (other, bindings) in elsewhere {
        let names: Vec<&str> = bindings.iter().map(|binding| binding.metadata.name.as_str()).collect();
        let fixes = bindings.iter().map(|binding| {
            format!(
                "kubectl set subject clusterrolebinding {} --serviceaccount={namespace}:{COORDINATOR}",
                binding.metadata.name
            )
        });
        let keep = format!(
            "# and keep one install a cluster: the next kubectl apply -k of the one in {other} takes them away again"
        );
        findings.push(Finding::error(
            "bindings-elsewhere",
            format!("ClusterRoleBinding {}", names.join(", ")),
            format!(
                "bound to {SERVICE_ACCOUNT} {other}/{COORDINATOR} and not to {namespace}/{COORDINATOR}: the install in {namespace} may not do what they allow \
                 (an overlay that was applied with `namespace: {other}` took them)"
            ),
            fixes.chain([keep]).collect::<Vec<_>>().join("\n"),
        ));
    }
}

/// The namespace of the install that is looked at; nothing where there is none, or where several stand elsewhere, which is a finding of its own.
fn looked_at(facts: &Facts) -> Option<&str> {
    let namespaces: BTreeSet<&str> = coordinators(facts).map(|it| it.metadata.namespace.as_str()).collect();
    if !facts.knows(Source::Deployments) || namespaces.contains(facts.velero_namespace.as_str()) {
        return Some(&facts.velero_namespace);
    }
    namespaces.first().copied().filter(|_| namespaces.len() == 1)
}

fn is_ours(binding: &ClusterRoleBinding) -> bool {
    let of_ours = |name: &str| name.strip_prefix(COORDINATOR).is_some_and(|rest| rest.starts_with('-'));
    of_ours(&binding.metadata.name) && of_ours(&binding.role_ref.name)
}

fn is_coordinator(subject: &Subject) -> bool {
    subject.kind == SERVICE_ACCOUNT && subject.name == COORDINATOR
}

#[cfg(test)]
mod tests {
    use super::super::facts::Had;
    use super::super::fixtures::{found, with};
    use super::*;
    use serde_json::{Value, json};

    fn install(namespace: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": COORDINATOR}})
    }

    fn binding(name: &str, namespaces: &[&str]) -> Value {
        let subjects: Vec<Value> = namespaces
            .iter()
            .map(|namespace| json!({"kind": SERVICE_ACCOUNT, "name": COORDINATOR, "namespace": namespace}))
            .collect();
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": name}, "subjects": subjects})
    }

    const READ: &str = "snapshot-coordinator-read-workloads";
    const LABEL: &str = "snapshot-coordinator-label-pods";

    #[test]
    fn bindings_that_name_the_install_are_no_finding() {
        for namespaces in [&["velero"][..], &["velero", "backup"], &["backup", "velero"]] {
            assert!(found(&with([install("velero"), binding(READ, namespaces)]), check).is_empty(), "{namespaces:?}");
        }
        // Nor are others', nor one that names nobody.
        for other in
            [binding("snapshot-coordinators", &["backup"]), binding("cluster-admin", &["backup"]), binding(READ, &[])]
        {
            assert!(found(&with([install("velero"), other]), check).is_empty());
        }
    }

    #[test]
    fn bindings_that_another_install_took_are_one_finding_with_a_command_for_each() {
        let facts =
            with([install("velero"), install("backup"), binding(READ, &["backup"]), binding(LABEL, &["backup"])]);
        let mut findings = Vec::new();
        check(&facts, &mut findings);
        let [Finding { check: "bindings-elsewhere", subject, evidence, fix, .. }] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(*subject, format!("ClusterRoleBinding {READ}, {LABEL}"));
        assert!(evidence.contains("ServiceAccount backup/snapshot-coordinator and not to velero/snapshot-coordinator"));
        for name in [READ, LABEL] {
            let command =
                format!("kubectl set subject clusterrolebinding {name} --serviceaccount=velero:snapshot-coordinator\n");
            assert!(fix.contains(&command), "{fix}");
        }
    }

    #[test]
    fn without_an_install_they_are_what_the_next_apply_writes_anew() {
        assert!(found(&with([binding(READ, &["backup"])]), check).is_empty());
        // One elsewhere is another check's finding, and has its bindings.
        assert!(found(&with([install("backup"), binding(READ, &["backup"])]), check).is_empty());
        assert_eq!(found(&with([install("backup"), binding(READ, &["velero"])]), check), ["bindings-elsewhere"]);
        assert!(found(&with([install("a"), install("b"), binding(READ, &["c"])]), check).is_empty());
        // Who may not see Deployments looks for the one in Velero's namespace.
        let mut blind = with([binding(READ, &["backup"])]);
        blind.had.insert(Source::Deployments, Had::Forbidden);
        assert_eq!(found(&blind, check), ["bindings-elsewhere"]);
    }
}
