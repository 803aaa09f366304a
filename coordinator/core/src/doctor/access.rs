//! May the coordinator and the pods' agents do what they must?

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Right};
use super::finding::Finding;

/// Whether it is an agent's, whose account, and in which namespace.
type Whose<'a> = (bool, Option<&'a str>, Option<&'a str>);

/// Asked about in a namespace, they are there to be labelled: `list` is asked for everywhere.
const CLAIMS: &str = "persistentvolumeclaims";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    let refused = |right: &&Right| !right.allowed;
    let mut missing: BTreeMap<Whose<'_>, Vec<String>> = BTreeMap::new();
    let mut unlabelled: BTreeSet<(Option<&str>, &str)> = BTreeSet::new();
    for right in facts.rights.iter().filter(refused) {
        let Right { account, agent, verb, group, resource, namespace, allowed: _ } = right;
        if let Some(namespace) = namespace.as_deref().filter(|_| *resource == CLAIMS) {
            unlabelled.insert((account.as_deref(), namespace));
            continue;
        }
        let named = if group.is_empty() { (*resource).to_owned() } else { format!("{resource}.{group}") };
        missing.entry((*agent, account.as_deref(), namespace.as_deref())).or_default().push(format!("{verb} {named}"));
    }
    for ((agent, account, namespace), rights) in missing {
        let rights = rights.join(", ");
        let place = namespace.map_or_else(|| "in all namespaces".to_owned(), |it| format!("in the namespace {it}"));
        let who = subject(account);
        findings.push(if agent {
            Finding::error("no-role-binding", who, format!("its pods are in a group, and it may not {rights} {place}: they go on as `unreachable`, unreleased"), binding(account, namespace))
        } else {
            Finding::error("right-missing", who, format!("it may not {rights} {place}"), "kubectl apply -k YOUR-OVERLAY   # again; or components/workload-access for one namespace (docs/install.md, step 5)")
        });
    }
    for (account, namespace) in unlabelled {
        findings.push(Finding::warning(
            "claims-not-labelled",
            subject(account),
            format!(
                "Schedules here rest on native snapshots, and it may not patch {CLAIMS} in the namespace {namespace}: claims get no label, \
                 and Velero cuts pods that a Schedule does not name yet in blocks of their own"
            ),
            "add manifests/components/native-snapshots to your overlay   # or label claims yourself: coordinator plan -o yaml says how",
        ));
    }
    for said in &facts.rights_unknown {
        findings.push(Finding::warning(
            "rights-unknown",
            "rights",
            format!("the API server did not say: {said}"),
            "run doctor as cluster-admin, or as the coordinator's ServiceAccount",
        ));
    }
    for said in &facts.rights_not_asked {
        findings.push(Finding::note("rights-not-asked", "rights", format!("not looked at: {said}"), ""));
    }
}

fn subject(account: Option<&str>) -> String {
    account.map_or_else(|| "who runs doctor".to_owned(), |it| format!("ServiceAccount {it}"))
}

fn binding(account: Option<&str>, namespace: Option<&str>) -> String {
    let name = account.and_then(|it| it.split_once('/')).map_or("default", |(_, name)| name);
    let namespace = namespace.unwrap_or("default");
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: hook-agent-register, namespace: {namespace}}}
rules:
- {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, patch, watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: hook-agent-register-{name}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: hook-agent-register}}
subjects:
- {{kind: ServiceAccount, name: {name}, namespace: {namespace}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{facts, found};
    use super::*;

    fn right(agent: bool, allowed: bool) -> Right {
        Right {
            account: Some("shop/db".to_owned()),
            agent,
            verb: "patch",
            group: "coordination.k8s.io",
            resource: "leases",
            namespace: Some("shop".to_owned()),
            allowed,
        }
    }

    #[test]
    fn rights() {
        let mut facts = facts();
        facts.rights.extend([right(true, true), right(false, true)]);
        assert!(found(&facts, check).is_empty());
        facts.rights = [right(true, false), right(false, false)].into();
        facts.rights_unknown.push("no answer".to_owned());
        facts.rights_not_asked.push("agents' rights".to_owned());
        assert_eq!(found(&facts, check), ["right-missing", "no-role-binding", "rights-unknown", "rights-not-asked"]);
    }

    #[test]
    fn claims_that_native_snapshots_cannot_label_are_told_once_a_namespace() {
        let mut facts = facts();
        let claims = |verb| Right { verb, group: "", resource: CLAIMS, ..right(false, false) };
        facts.rights = [claims("patch"), Right { namespace: Some("bank".to_owned()), ..claims("patch") }].into();
        assert_eq!(found(&facts, check), ["claims-not-labelled", "claims-not-labelled"]);
        facts.rights = [Right { namespace: None, ..claims("list") }].into();
        assert_eq!(found(&facts, check), ["right-missing"], "which is not about labels");
    }
}
