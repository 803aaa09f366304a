//! Asks the API server's authorizer what the coordinator and the pods' agents may do.
//!
//! Somebody who may ask about others (`subjectaccessreviews`, an administrator) hears of the coordinator's ServiceAccount and of the pods'.
//! Whoever may not hears of themselves (`selfsubjectaccessreviews`): that is the coordinator's own pod.

use std::collections::BTreeSet;

use coordinator_core::doctor::facts::{Facts, Right};
use kube::Client;
use serde_json::{Value, json};
use shared::names::{FIELD_MANAGER_COORDINATOR, LABEL_SNAPSHOT_GROUP};

use super::ask;
use crate::api::{Trouble, TroubleKind};

/// Accounts that are asked about: each costs three questions of some ms. A cluster has more pods than accounts.
const ACCOUNTS_MAX: usize = 200;

/// What the coordinator must do in all namespaces.
const EVERYWHERE: [(&str, &str, &str); 7] = [
    ("list", "", "pods"),
    ("list", "", "persistentvolumeclaims"),
    ("list", "", "persistentvolumes"),
    ("list", "apps", "statefulsets"),
    ("list", "coordination.k8s.io", "leases"),
    ("list", "snapshot.storage.k8s.io", "volumesnapshots"),
    ("list", "snapshot.storage.k8s.io", "volumesnapshotcontents"),
];

/// What it must do beside Velero.
const IN_VELEROS: [(&str, &str, &str); 3] =
    [("create", "coordination.k8s.io", "leases"), ("list", "velero.io", "backups"), ("patch", "velero.io", "backups")];

/// What it must do in a workload's namespace.
const IN_WORKLOADS: [(&str, &str, &str); 4] = [
    ("patch", "", "pods"),
    ("create", "coordination.k8s.io", "leases"),
    ("update", "coordination.k8s.io", "leases"),
    ("create", "events.k8s.io", "events"),
];

/// What it must do where groups are backed up by native snapshots: label their claims.
const IN_NATIVE: [(&str, &str, &str); 1] = [("patch", "", "persistentvolumeclaims")];

/// What a pod's agent must do in its namespace.
const OF_AGENTS: [(&str, &str, &str); 3] = [
    ("create", "coordination.k8s.io", "leases"),
    ("patch", "coordination.k8s.io", "leases"),
    ("watch", "coordination.k8s.io", "leases"),
];

/// Asks about all of them; the first question that gets no answer is the last one.
pub async fn ask(client: &Client, installed: bool, facts: &mut Facts) {
    let mut asked = Vec::new();
    let accounts = accounts(facts);
    let coordinator = format!("{}/{FIELD_MANAGER_COORDINATOR}", facts.velero_namespace);
    let mut want =
        |account: &str, agent: bool, of: &[(&'static str, &'static str, &'static str)], namespace: Option<&str>| {
            asked.extend(of.iter().map(|(verb, group, resource)| Right {
                account: Some(account.to_owned()),
                agent,
                verb,
                group,
                resource,
                namespace: namespace.map(str::to_owned),
                allowed: false,
            }));
        };
    if installed {
        want(&coordinator, false, &EVERYWHERE, None);
        want(&coordinator, false, &IN_VELEROS, Some(&facts.velero_namespace));
        let namespaces: BTreeSet<&str> = accounts.iter().map(|(namespace, _)| namespace.as_str()).collect();
        for namespace in namespaces {
            want(&coordinator, false, &IN_WORKLOADS, Some(namespace));
        }
        let native: BTreeSet<&str> = facts.schedules.iter().filter_map(|it| it.native_namespace()).collect();
        for namespace in native.into_iter().take(ACCOUNTS_MAX) {
            want(&coordinator, false, &IN_NATIVE, Some(namespace));
        }
    }
    for (namespace, account) in &accounts {
        want(&format!("{namespace}/{account}"), true, &OF_AGENTS, Some(namespace));
    }
    for right in asked {
        match review(client, right).await {
            Ok(Some(right)) => {
                facts.rights.insert(right);
            }
            Ok(None) => {}
            Err(trouble) => {
                facts.rights_unknown.push(trouble.to_string());
                return;
            }
        }
    }
}

/// Accounts of pods that take part.
fn accounts(facts: &Facts) -> BTreeSet<(String, String)> {
    let takes_part = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get(LABEL_SNAPSHOT_GROUP).is_some_and(|it| !it.is_empty())
    };
    let pods = facts.pods.iter().filter(|pod| pod.lives() && takes_part(&pod.metadata.labels));
    let all: BTreeSet<_> = pods.map(|pod| (pod.metadata.namespace.clone(), pod.account().to_owned())).collect();
    all.into_iter().take(ACCOUNTS_MAX).collect()
}

/// The right with its answer; nothing where we may ask neither about the account nor speak for it.
async fn review(client: &Client, right: Right) -> Result<Option<Right>, Trouble> {
    let attributes =
        json!({"verb": right.verb, "group": right.group, "resource": right.resource, "namespace": right.namespace});
    let user = right
        .account
        .as_deref()
        .and_then(|it| it.split_once('/'))
        .map(|(namespace, name)| format!("system:serviceaccount:{namespace}:{name}"));
    let of_other = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": ["system:authenticated", "system:serviceaccounts"], "resourceAttributes": attributes}});
    match ask::post(client, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &of_other).await {
        Ok(answer) => Ok(Some(Right { allowed: allowed(&answer), ..right })),
        Err(trouble) if trouble.kind == TroubleKind::Forbidden && right.agent => Ok(None),
        Err(trouble) if trouble.kind == TroubleKind::Forbidden => {
            let of_us = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
            let answer = ask::post(client, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &of_us).await?;
            Ok(Some(Right { allowed: allowed(&answer), account: None, ..right }))
        }
        Err(trouble) => Err(trouble),
    }
}

fn allowed(answer: &Value) -> bool {
    answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default()
}
