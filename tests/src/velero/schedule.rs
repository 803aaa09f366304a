//! Where Velero's Schedules are.

use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};

/// The API resource `schedules.velero.io/v1` in Velero's namespace.
pub fn schedules(client: Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("velero.io", "v1", "Schedule");
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk_with_plural(&kind, "schedules"))
}
