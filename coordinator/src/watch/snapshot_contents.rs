//! What is read of a `VolumeSnapshotContent`: whether and when its volume was cut, and what holds it up.

use coordinator_core::objects::ObjectKey;
use coordinator_core::throttle::contents::Content;
use kube::api::{ApiResource, GroupVersionKind, Object};
use serde::Deserialize;
use shared::names::EBS_CSI_DRIVER;
use shared::time::WallTime;

/// The fields of a content that are read at all (external-snapshotter `client/apis/volumesnapshot/v1/types.go`).
pub type SlimContent = Object<ContentSpec, ContentStatus>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentSpec {
    driver: Option<String>,
    volume_snapshot_ref: SnapshotRef,
}

/// `spec.volumeSnapshotRef`.
#[derive(Clone, Debug, Deserialize)]
struct SnapshotRef {
    namespace: Option<String>,
    name: Option<String>,
}

/// `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentStatus {
    snapshot_handle: Option<String>,
    /// ns since the Unix epoch.
    creation_time: Option<i64>,
    ready_to_use: Option<bool>,
    error: Option<ContentError>,
}

/// `status.error`. Its time is not read: it stands still while the same text is repeated.
#[derive(Clone, Debug, Deserialize)]
struct ContentError {
    message: Option<String>,
}

/// What a content says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The `VolumeSnapshot` that it is of.
    pub snapshot: ObjectKey,
    /// Its cut, once there is one.
    pub made: Option<Made>,
    /// What it tells about throttling, if it is the EBS CSI driver's.
    pub content: Option<Content>,
}

/// The sidecar's annotation while the driver was asked and has not answered for good (external-snapshotter `pkg/utils/util.go`).
const BEING_CREATED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-created";

/// An error's text is read up to here, bytes: the code stands within the first 600 or so.
const ERROR_BYTES_MAX: usize = 2_048;

/// A snapshot that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The `VolumeSnapshot` that it is of.
    pub snapshot: ObjectKey,
    /// When, by EC2's clock.
    pub at: WallTime,
    /// How coarse `at` is, ms.
    pub resolution_ms: u64,
}

/// EC2 says when a snapshot began in whole seconds at times; a time that has a fraction is exact to the ms at least.
const COARSE_MS: u64 = 1_000;
const FINE_MS: u64 = 1;

/// Where contents are.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshotContent");
    ApiResource::from_gvk_with_plural(&kind, "volumesnapshotcontents")
}

/// Cuts a content down; one that names no snapshot is none.
pub fn reduce(content: SlimContent) -> Option<Seen> {
    let Object { types: _, metadata, spec, status } = content;
    let ContentSpec { driver, volume_snapshot_ref: SnapshotRef { namespace, name } } = spec;
    let snapshot = ObjectKey { namespace: namespace?.parse().ok()?, name: name? };
    let ContentStatus { snapshot_handle, creation_time, ready_to_use, error } = status.unwrap_or_default();
    let handle = snapshot_handle.is_some_and(|handle| !handle.is_empty());
    let made = creation_time.filter(|_| handle).map(|ns| Made {
        snapshot: snapshot.clone(),
        at: WallTime::from_micros(ns.div_euclid(1_000)),
        resolution_ms: if ns.rem_euclid(1_000_000_000) == 0 { COARSE_MS } else { FINE_MS },
    });
    let annotations = metadata.annotations.unwrap_or_default();
    let content = (driver.as_deref() == Some(EBS_CSI_DRIVER)).then(|| Content {
        snapshot: snapshot.clone(),
        being_created: annotations.get(BEING_CREATED).is_some_and(|value| value == "yes"),
        handle,
        ready: ready_to_use,
        error: error.and_then(|error| error.message).map(shortened),
    });
    Some(Seen { snapshot, made, content })
}

fn shortened(mut text: String) -> String {
    if text.len() > ERROR_BYTES_MAX {
        let end = (0..=ERROR_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn seen(status: &Value) -> Seen {
        let content = json!({
            "metadata": {"name": "snapcontent-1", "annotations": {BEING_CREATED: "yes"}},
            "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotRef": {"namespace": "prod", "name": "s", "uid": "u"}},
            "status": status,
        });
        reduce(serde_json::from_value(content).unwrap()).unwrap()
    }

    fn read(status: &Value) -> Option<Made> {
        seen(status).made
    }

    #[test]
    fn what_holds_it_up_is_read_as_it_stands() {
        let content =
            seen(&json!({"readyToUse": false, "error": {"message": "boom", "time": "2026-01-01T00:00:00Z"}})).content;
        let content = content.unwrap();
        assert_eq!((content.being_created, content.handle, content.ready), (true, false, Some(false)));
        assert_eq!(content.error.as_deref(), Some("boom"));
        let long = seen(&json!({"error": {"message": "ä".repeat(5_000)}})).content.unwrap().error.unwrap();
        assert_eq!(long.len(), ERROR_BYTES_MAX);
        let pending =
            seen(&json!({"snapshotHandle": "snap-1", "creationTime": 1, "readyToUse": false})).content.unwrap();
        assert!(pending.handle && pending.error.is_none());
        let other = json!({"metadata": {"name": "c"}, "spec": {"driver": "disk.csi.example",
            "volumeSnapshotRef": {"namespace": "prod", "name": "s"}}});
        assert_eq!(reduce(serde_json::from_value(other).unwrap()).unwrap().content, None);
    }

    #[test]
    fn a_cut_is_one_once_it_has_handle_and_time() {
        let made = read(&json!({"snapshotHandle": "snap-1", "creationTime": 1_700_000_000_123_456_789_i64})).unwrap();
        assert_eq!((made.snapshot.to_string().as_str(), made.resolution_ms), ("prod/s", 1));
        assert_eq!(made.at.to_string(), "2023-11-14T22:13:20.123456Z");
        for status in [
            json!(null),
            json!({}),
            json!({"creationTime": 1_700_000_000_123_456_789_i64}),
            json!({"snapshotHandle": "snap-1"}),
            json!({"snapshotHandle": "", "creationTime": 1}),
        ] {
            assert_eq!(read(&status), None, "{status}");
        }
    }

    #[test]
    fn whole_seconds_are_coarse() {
        let made = read(&json!({"snapshotHandle": "snap-1", "creationTime": 1_700_000_000_000_000_000_i64})).unwrap();
        assert_eq!(made.resolution_ms, 1_000);
    }
}
