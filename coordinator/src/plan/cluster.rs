//! The cluster's facts from its API server: every kind listed once, page by page.

use std::sync::Arc;

use coordinator_core::inventory::facts::{FactKind, Facts};
use http::Request;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::Api;
use shared::identity::Namespace;
use shared::limiter_lease::LimiterLease;
use shared::names::LIMITER_LEASE;

use crate::api::{self, PAGE_OBJECTS, Trouble, TroubleKind, Uncounted, within};
use crate::inventory_files::Content as _;
use crate::inventory_files::document::Document;

/// One page takes no longer than this, ms: 500 pods are some MB.
const PAGE_TIMEOUT_MS: u64 = 60_000;

/// So many pages pass before it is said how far the list is: 5,000 objects, some seconds.
const PAGES_TOLD: usize = 10;

/// What keeps the cluster from being read.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No way to the API server is configured.
    #[error(transparent)]
    Config(#[from] api::ConfigError),
    /// What is configured cannot be used.
    #[error(transparent)]
    Client(#[from] api::ClientError),
    /// The API server refuses or does not answer.
    #[error("cannot list {resource}: {trouble}: {}", trouble.advice("list", resource))]
    Api {
        /// What was asked for.
        resource: &'static str,
        /// What came.
        trouble: Trouble,
    },
}

/// Reads the cluster of a kubeconfig: its facts, and what the coordinator's limiter reckons with where the account was hot for days.
pub async fn read(
    kubeconfig: Option<&str>,
    velero_namespace: &Namespace,
) -> Result<(Facts, Option<u32>), ClusterError> {
    let config = api::load(kubeconfig).await?;
    let client = api::client(&config, Arc::new(Uncounted))?;
    let facts = kinds(&client, velero_namespace, &FactKind::ALL, &|line| eprintln!("{line}")).await?;
    Ok((facts, hot_budget(&client, velero_namespace).await))
}

/// Reads some kinds of a cluster; `tell` hears how far it is.
pub async fn kinds(
    client: &Client,
    velero_namespace: &Namespace,
    kinds: &[FactKind],
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Facts, ClusterError> {
    let mut facts = Facts::default();
    for kind in kinds {
        let resource = kind.kubectl();
        match list(client, *kind, &path(*kind, velero_namespace), &mut facts, tell).await {
            Ok(()) => facts.pack(),
            // A cluster without Velero can be planned all the same.
            Err(Trouble { kind: TroubleKind::NotFound, .. }) if velero(*kind) => tell(&format!(
                "{resource} are not there (is Velero installed?): nothing is known of past backups and present Schedules"
            )),
            Err(trouble) => return Err(ClusterError::Api { resource, trouble }),
        }
    }
    Ok(facts)
}

/// What stands in the limiter Lease. Where that cannot be read, or says nothing, the plan is made by the setting alone.
async fn hot_budget(client: &Client, namespace: &Namespace) -> Option<u32> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace.as_str());
    let read = within(PAGE_TIMEOUT_MS, leases.get_opt(LIMITER_LEASE)).await;
    let lease = LimiterLease::decode(&read.ok()??).ok()?;
    (lease.plan_budget < lease.ceiling).then_some(lease.plan_budget)
}

const fn velero(kind: FactKind) -> bool {
    matches!(kind, FactKind::Schedule | FactKind::Backup)
}

fn path(kind: FactKind, velero_namespace: &Namespace) -> String {
    match kind {
        FactKind::Volume => "/api/v1/persistentvolumes".to_owned(),
        FactKind::Claim => "/api/v1/persistentvolumeclaims".to_owned(),
        FactKind::StatefulSet => "/apis/apps/v1/statefulsets".to_owned(),
        FactKind::Pod => "/api/v1/pods".to_owned(),
        FactKind::Schedule => format!("/apis/velero.io/v1/namespaces/{velero_namespace}/schedules"),
        FactKind::Backup => format!("/apis/velero.io/v1/namespaces/{velero_namespace}/backups"),
    }
}

async fn list(
    client: &Client,
    kind: FactKind,
    path: &str,
    facts: &mut Facts,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<(), Trouble> {
    let mut next: Option<String> = None;
    for number in 1.. {
        let page = page(client, path, next.as_deref()).await?;
        next = page.next_page().map(str::to_owned);
        page.give(facts);
        if next.is_none() {
            break;
        }
        if number % PAGES_TOLD == 0 {
            tell(&format!("listing {}: {}", kind.kubectl(), facts.count(kind)));
        }
    }
    Ok(())
}

async fn page(client: &Client, path: &str, next: Option<&str>) -> Result<Document, Trouble> {
    let mut uri = format!("{path}?limit={PAGE_OBJECTS}");
    if let Some(token) = next {
        // A token is base64 of the URL alphabet; `=` at its end is allowed in a query.
        uri.push_str("&continue=");
        uri.push_str(token);
    }
    let request = Request::get(uri).body(Vec::new()).map_err(|error| Trouble::of(&kube::Error::HttpError(error)))?;
    within(PAGE_TIMEOUT_MS, client.request::<Document>(request)).await
}
