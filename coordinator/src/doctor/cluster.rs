//! Facts from an API server: each kind listed by itself, so that one that cannot be had takes nothing else with it.

use std::sync::Arc;

use coordinator_core::doctor;
use coordinator_core::doctor::facts::{Facts, Had, Measured, Metrics, Source};
use coordinator_core::inventory;
use coordinator_core::objects::Selector;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use serde_json::Value;
use shared::limiter_lease::LimiterLease;
use shared::names::{FIELD_MANAGER_COORDINATOR, LIMITER_LEASE};

use super::{DoctorError, ask, put, rights};
use crate::api::{self, PAGE_OBJECTS, Trouble, Uncounted};
use crate::cli::DoctorFlags;

/// Pages of one kind: 500,000 objects. A list that has no end is none.
const PAGES_MAX: usize = 1_000;

/// Gathers everything.
pub async fn gather(flags: &DoctorFlags, facts: &mut Facts) -> Result<(), DoctorError> {
    let config = api::load(flags.kubeconfig.as_deref()).await?;
    let client = api::client(&config, Arc::new(Uncounted))?;
    // Eight kinds that are waited for one after another would be minutes of silence.
    ask::answers(&client, ask::ANSWER_MS).await.map_err(|trouble| DoctorError::Silent(trouble.to_string()))?;
    for source in Source::ALL {
        let had = kind(&client, source, facts).await;
        facts.had.insert(source, had);
    }
    if let Some(said) = all_failed(facts) {
        return Err(DoctorError::Silent(said));
    }
    facts.inventory = inventory::take(&facts.inventory_facts, &Selector::default());
    let installed = !facts.knows(Source::Deployments)
        || facts.deployments.iter().any(|it| it.metadata.name == FIELD_MANAGER_COORDINATOR);
    if flags.max_concurrent_snapshots.is_none()
        && let Some(ceiling) = ceiling(&client, &facts.velero_namespace).await
    {
        facts.budget = ceiling;
    }
    if installed {
        facts.metrics.push(metrics(&client, &facts.velero_namespace, Measured::Coordinator).await);
    }
    if doctor::has_server(facts) {
        facts.metrics.push(metrics(&client, &facts.velero_namespace, Measured::Velero).await);
    }
    rights::ask(&client, installed, facts).await;
    Ok(())
}

/// What every kind's failure says, where all of them failed.
fn all_failed(facts: &Facts) -> Option<String> {
    let mut said = None;
    for had in facts.had.values() {
        match had {
            Had::Failed(words) => said = Some(words.clone()),
            Had::Read | Had::Absent | Had::Forbidden => return None,
        }
    }
    said
}

async fn kind(client: &Client, source: Source, facts: &mut Facts) -> Had {
    let namespace = facts.velero_namespace.clone();
    let everywhere = list(client, source, &path(source, &namespace), facts).await;
    match everywhere {
        Ok(()) => Had::Read,
        Err(trouble) if source == Source::Deployments && ask::had(&trouble) == Had::Forbidden => {
            // The coordinator's own account may read Velero's namespace alone.
            let own = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
            list(client, source, &own, facts).await.map_or_else(|trouble| ask::had(&trouble), |()| Had::Read)
        }
        Err(trouble) => ask::had(&trouble),
    }
}

fn path(source: Source, velero_namespace: &str) -> String {
    match source {
        Source::Pods => "/api/v1/pods".to_owned(),
        Source::Claims => "/api/v1/persistentvolumeclaims".to_owned(),
        Source::Volumes => "/api/v1/persistentvolumes".to_owned(),
        Source::StatefulSets => "/apis/apps/v1/statefulsets".to_owned(),
        Source::Deployments => "/apis/apps/v1/deployments".to_owned(),
        Source::Schedules => format!("/apis/velero.io/v1/namespaces/{velero_namespace}/schedules"),
        Source::SnapshotClasses => "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses".to_owned(),
        Source::ClusterRoleBindings => "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings".to_owned(),
    }
}

async fn list(client: &Client, source: Source, path: &str, facts: &mut Facts) -> Result<(), Trouble> {
    let mut next = String::new();
    for _page in 0..PAGES_MAX {
        let text = ask::get(client, &format!("{path}?limit={PAGE_OBJECTS}{next}")).await?;
        let mut page: Value = serde_json::from_str(&text).map_err(|e| Trouble::of(&kube::Error::SerdeError(e)))?;
        let version = page.get("apiVersion").cloned().unwrap_or_default();
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            for mut item in items {
                // A list's entries do not repeat what they are.
                if let Some(fields) = item.as_object_mut() {
                    fields.insert("kind".to_owned(), Value::from(source.kind()));
                    fields.insert("apiVersion".to_owned(), version.clone());
                }
                put(item, facts);
            }
        }
        match page.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => next = format!("&continue={token}"),
            None => return Ok(()),
        }
    }
    Err(Trouble::timeout(0))
}

/// What the running coordinator's budget is at most.
async fn ceiling(client: &Client, namespace: &str) -> Option<u32> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LIMITER_LEASE}");
    let lease: Lease = serde_json::from_str(&ask::get(client, &path).await.ok()?).ok()?;
    LimiterLease::decode(&lease).ok().map(|limiter| limiter.ceiling)
}

/// Where metrics may be had, as `Service:port`.
const fn services(of: Measured) -> &'static [(&'static str, &'static str)] {
    match of {
        Measured::Coordinator => &[(FIELD_MANAGER_COORDINATOR, "http")],
        // What Velero's chart calls it, and what manifests/velero/kustomize does.
        Measured::Velero => &[("velero", "http-monitoring"), ("velero-metrics", "metrics")],
    }
}

async fn metrics(client: &Client, namespace: &str, of: Measured) -> Metrics {
    let answered = |service: &str, had| Metrics { of, service: format!("{namespace}/{service}"), had };
    for (service, port) in services(of) {
        let path = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/metrics");
        match ask::get(client, &path).await.map_err(|trouble| ask::had(&trouble)) {
            Ok(_text) => return answered(service, Had::Read),
            Err(Had::Absent) => {}
            Err(had) => return answered(service, had),
        }
    }
    answered(services(of).first().map_or("", |(service, _port)| service), Had::Absent)
}
