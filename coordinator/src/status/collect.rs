//! Reads what the status is made of: Leases and pods, once.

use std::fmt::Debug;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use shared::identity::Namespace;
use shared::names::{BUDGET_LEASE, LABEL_ROLE, LABEL_SNAPSHOT_GROUP, LEADER_LEASE, LIMITER_LEASE};

use crate::api::{PAGE_OBJECTS, Trouble, within};
use crate::watch::pods::{self, SlimPod};

/// One page takes no longer than this, ms: a person waits.
const PAGE_TIMEOUT_MS: u64 = 15_000;

/// What was read.
#[derive(Debug, Default)]
pub struct Found {
    /// Member and group Leases, as filtered.
    pub leases: Vec<Lease>,
    /// The budget Lease.
    pub budget: Option<Lease>,
    /// The limiter Lease.
    pub limiter: Option<Lease>,
    /// The leader Lease.
    pub leader: Option<Lease>,
    /// Pods with a group label, as filtered.
    pub pods: Vec<coordinator_core::objects::Pod>,
}

/// Reads it; errs with the resource that could not be read, and why.
pub async fn collect(
    client: &Client,
    coordinator_namespace: &Namespace,
    only: Option<&Namespace>,
) -> Result<Found, (&'static str, Trouble)> {
    let leases =
        only.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace.as_str()));
    let pods = only.map_or_else(
        || Api::all_with(client.clone(), &pods::resource()),
        |namespace| Api::namespaced_with(client.clone(), namespace.as_str(), &pods::resource()),
    );
    let own: Api<Lease> = Api::namespaced(client.clone(), coordinator_namespace.as_str());
    let of_leases = |trouble| ("leases", trouble);
    Ok(Found {
        leases: all(&leases, LABEL_ROLE).await.map_err(of_leases)?,
        budget: within(PAGE_TIMEOUT_MS, own.get_opt(BUDGET_LEASE)).await.map_err(of_leases)?,
        limiter: within(PAGE_TIMEOUT_MS, own.get_opt(LIMITER_LEASE)).await.map_err(of_leases)?,
        leader: within(PAGE_TIMEOUT_MS, own.get_opt(LEADER_LEASE)).await.map_err(of_leases)?,
        pods: all::<SlimPod>(&pods, LABEL_SNAPSHOT_GROUP)
            .await
            .map_err(|trouble| ("pods", trouble))?
            .into_iter()
            .filter_map(|pod| pods::reduce(pod).ok())
            .collect(),
    })
}

async fn all<K>(api: &Api<K>, label: &str) -> Result<Vec<K>, Trouble>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut params = ListParams::default().labels(label).limit(PAGE_OBJECTS);
    let mut items = Vec::new();
    loop {
        let page = within(PAGE_TIMEOUT_MS, api.list(&params)).await?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(items),
        }
    }
}
