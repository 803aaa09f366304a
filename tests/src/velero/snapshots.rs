//! How are CSI snapshots spelled in the API?

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};

const GROUP: &str = "snapshot.storage.k8s.io";

/// `VolumeSnapshot`s of one namespace.
pub fn snapshots(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource("VolumeSnapshot", "volumesnapshots"))
}

/// `VolumeSnapshot`s of all namespaces.
pub fn all_snapshots(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("VolumeSnapshot", "volumesnapshots"))
}

/// `VolumeSnapshotContent`s, which are cluster-scoped.
pub fn contents(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("VolumeSnapshotContent", "volumesnapshotcontents"))
}

/// `VolumeSnapshotClass`es.
pub fn classes(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("VolumeSnapshotClass", "volumesnapshotclasses"))
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", kind), plural)
}

/// A text inside an object, by JSON pointer; `None` when absent or empty.
pub fn text_at<'a>(object: &'a DynamicObject, pointer: &str) -> Option<&'a str> {
    object.data.pointer(pointer).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

/// Whether a snapshot or content says `status.readyToUse: true`.
pub fn is_ready(object: &DynamicObject) -> bool {
    object.data.pointer("/status/readyToUse").and_then(serde_json::Value::as_bool) == Some(true)
}
