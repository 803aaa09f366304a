//! Writes Leases: create what must not exist, replace or delete what must still be the version that was read.

use coordinator_core::event::{Event, Version};
use coordinator_core::objects::ObjectKey;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use shared::identity::Namespace;
use shared::names::{FIELD_MANAGER_COORDINATOR, pod_of_member_lease};

use super::Done;
use super::call::{bounded, conflict, failed, written};
use crate::api::{Trouble, TroubleKind};
use crate::watch::leases::{LeaseKey, key_of};

const RESOURCE: &str = "leases";

/// Creates a Lease.
pub async fn create(client: &Client, own: &Namespace, lease: Lease) -> Done {
    let api = api_of(client, &lease);
    match bounded(api.create(&params(), &lease)).await {
        Ok(created) => written(created.metadata),
        Err(trouble) => not_done(&api, own, &lease, &trouble, "create").await,
    }
}

/// Replaces a Lease that still has `version`.
pub async fn update(client: &Client, own: &Namespace, mut lease: Lease, version: Version) -> Done {
    let api = api_of(client, &lease);
    let Version { resource, uid } = version;
    lease.metadata.resource_version = Some(resource);
    lease.metadata.uid = Some(uid);
    let name = lease.metadata.name.clone().unwrap_or_default();
    match bounded(api.replace(&name, &params(), &lease)).await {
        Ok(updated) => written(updated.metadata),
        Err(trouble) => not_done(&api, own, &lease, &trouble, "update").await,
    }
}

/// Deletes a Lease that still has `version`.
pub async fn delete(client: &Client, own: &Namespace, key: &ObjectKey, version: Version) -> Done {
    let api: Api<Lease> = Api::namespaced(client.clone(), key.namespace.as_str());
    let Version { resource, uid } = version.clone();
    let expected = Preconditions { resource_version: Some(resource), uid: Some(uid) };
    match bounded(api.delete(&key.name, &DeleteParams::background().preconditions(expected))).await {
        Ok(_deleted) => {
            let meta = kube::api::ObjectMeta {
                resource_version: Some(version.resource),
                uid: Some(version.uid),
                ..kube::api::ObjectMeta::default()
            };
            Done { events: gone(key), ..written(meta) }
        }
        Err(trouble) => match read(&api, own, key).await {
            Ok(events) if lost_the_race(&trouble) => conflict(events),
            Ok(events) => failed(events, &trouble, "delete", RESOURCE),
            Err(_unread) => failed(Vec::new(), &trouble, "delete", RESOURCE),
        },
    }
}

/// Reads a Lease again after a write that was not done: the next decision must rest on what is there.
async fn not_done(api: &Api<Lease>, own: &Namespace, lease: &Lease, trouble: &Trouble, verb: &str) -> Done {
    let name = lease.metadata.name.clone().unwrap_or_default();
    let read = bounded(api.get_opt(&name)).await;
    // What the Lease at this name stands for is known from what was to be written, whatever it says now.
    let events = match (read, key_of(lease, own)) {
        (Ok(Some(found)), Ok(key)) => vec![key.observed(&found)],
        (Ok(None), Ok(key)) => vec![key.gone()],
        (Ok(_), Err(_)) | (Err(_), _) => return failed(Vec::new(), trouble, verb, RESOURCE),
    };
    // A create that finds no namespace would find none again at once: that is no race to be run again without a pause.
    if lost_the_race(trouble) && !(verb == "create" && trouble.kind == TroubleKind::NotFound) {
        conflict(events)
    } else {
        failed(events, trouble, verb, RESOURCE)
    }
}

async fn read(api: &Api<Lease>, own: &Namespace, key: &ObjectKey) -> Result<Vec<Event>, Trouble> {
    Ok(match bounded(api.get_opt(&key.name)).await? {
        Some(found) => key_of(&found, own).map(|known| known.observed(&found)).into_iter().collect(),
        None => gone(key),
    })
}

/// That a Lease is gone, where its name says whose it was. (A group's name may be a hash; then the watch says it.)
fn gone(key: &ObjectKey) -> Vec<Event> {
    pod_of_member_lease(&key.name).map(|_pod| LeaseKey::Member(key.clone()).gone()).into_iter().collect()
}

fn lost_the_race(trouble: &Trouble) -> bool {
    matches!(trouble.kind, TroubleKind::Conflict | TroubleKind::NotFound)
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER_COORDINATOR.to_owned()), ..PostParams::default() }
}

fn api_of(client: &Client, lease: &Lease) -> Api<Lease> {
    Api::namespaced(client.clone(), lease.metadata.namespace.as_deref().unwrap_or_default())
}
