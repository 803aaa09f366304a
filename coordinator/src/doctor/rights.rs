//! Asks the API server's authorizer what the coordinator and the pods' agents may do.
//!
//! Somebody who may ask about others (`subjectaccessreviews`, an administrator) hears of the coordinator's ServiceAccount and of the pods'.
//! The coordinator's own account, which may not, hears of itself (`selfsubjectaccessreviews`). Whoever else may not is told so: what they
//! may do themselves says nothing of either.

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
    let (accounts, all) = accounts(facts);
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
    if all > accounts.len() {
        facts.rights_not_asked.push(format!(
            "the rights of {} of {all} ServiceAccounts of pods in groups, and their namespaces: {ACCOUNTS_MAX} are asked about at most",
            all - accounts.len()
        ));
    }
    for (number, right) in asked.iter().enumerate() {
        match of_other(client, right).await {
            Ok(allowed) => {
                facts.rights.insert(Right { allowed, ..right.clone() });
            }
            Err(trouble) if trouble.kind == TroubleKind::Forbidden => {
                return of_oneself(client, &coordinator, &asked[number..], facts).await;
            }
            Err(trouble) => {
                facts.rights_unknown.push(trouble.to_string());
                return;
            }
        }
    }
}

/// Asks what who asks may do, if that is the coordinator.
async fn of_oneself(client: &Client, coordinator: &str, asked: &[Right], facts: &mut Facts) {
    const REVIEWS: &str = "(`create` subjectaccessreviews.authorization.k8s.io)";
    let us = us(client).await.unwrap_or_else(|trouble| format!("who runs doctor ({trouble})"));
    if us != user(coordinator) {
        facts.rights_unknown.push(format!("{us} may not ask what other accounts may do {REVIEWS}"));
        return;
    }
    for right in asked.iter().filter(|right| !right.agent) {
        match of_us(client, right).await {
            Ok(allowed) => {
                facts.rights.insert(Right { allowed, ..right.clone() });
            }
            Err(trouble) => {
                facts.rights_unknown.push(trouble.to_string());
                return;
            }
        }
    }
    if asked.iter().any(|right| right.agent) {
        facts
            .rights_not_asked
            .push(format!("the rights of pods' agents: the coordinator may not ask about other accounts {REVIEWS}"));
    }
}

/// Accounts of pods that take part, as many as are asked about, and how many there are.
fn accounts(facts: &Facts) -> (BTreeSet<(String, String)>, usize) {
    let takes_part = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get(LABEL_SNAPSHOT_GROUP).is_some_and(|it| !it.is_empty())
    };
    let pods = facts.pods.iter().filter(|pod| pod.lives() && takes_part(&pod.metadata.labels));
    let all: BTreeSet<_> = pods.map(|pod| (pod.metadata.namespace.clone(), pod.account().to_owned())).collect();
    let count = all.len();
    (all.into_iter().take(ACCOUNTS_MAX).collect(), count)
}

/// A ServiceAccount `namespace/name` as the API server calls it.
fn user(account: &str) -> String {
    format!("system:serviceaccount:{}", account.replacen('/', ":", 1))
}

fn attributes(right: &Right) -> Value {
    json!({"verb": right.verb, "group": right.group, "resource": right.resource, "namespace": right.namespace})
}

async fn of_other(client: &Client, right: &Right) -> Result<bool, Trouble> {
    let account = right.account.as_deref().unwrap_or_default();
    let namespace = account.split('/').next().unwrap_or_default();
    // The groups that the API server puts a ServiceAccount into: rights may be bound to any of them.
    let groups = ["system:authenticated", "system:serviceaccounts", &format!("system:serviceaccounts:{namespace}")];
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user(account), "groups": groups, "resourceAttributes": attributes(right)}});
    let answer = ask::post(client, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await?;
    Ok(allowed(&answer))
}

async fn of_us(client: &Client, right: &Right) -> Result<bool, Trouble> {
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes(right)}});
    let answer = ask::post(client, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?;
    Ok(allowed(&answer))
}

/// Who asks, as the API server knows them.
async fn us(client: &Client) -> Result<String, Trouble> {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = ask::post(client, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await?;
    Ok(answer.pointer("/status/userInfo/username").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn allowed(answer: &Value) -> bool {
    answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default()
}
