//! What is read of a `VolumeSnapshotContent`: whether and when its volume was cut.

use coordinator_core::objects::ObjectKey;
use kube::api::{ApiResource, GroupVersionKind, Object};
use serde::Deserialize;
use shared::time::WallTime;

/// The fields of a content that are read at all (external-snapshotter `client/apis/volumesnapshot/v1/types.go`).
pub type SlimContent = Object<ContentSpec, ContentStatus>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentSpec {
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
}

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

/// Cuts a content down; it is nothing before it has a handle and a time.
pub fn reduce(content: SlimContent) -> Option<Made> {
    let Object { types: _, metadata: _, spec, status } = content;
    let ContentStatus { snapshot_handle, creation_time } = status?;
    let ns = creation_time.filter(|_| snapshot_handle.is_some_and(|handle| !handle.is_empty()))?;
    let SnapshotRef { namespace, name } = spec.volume_snapshot_ref;
    Some(Made {
        snapshot: ObjectKey { namespace: namespace?.parse().ok()?, name: name? },
        at: WallTime::from_micros(ns.div_euclid(1_000)),
        resolution_ms: if ns.rem_euclid(1_000_000_000) == 0 { COARSE_MS } else { FINE_MS },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(status: &Value) -> Option<Made> {
        let content = json!({
            "metadata": {"name": "snapcontent-1"},
            "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotRef": {"namespace": "prod", "name": "s", "uid": "u"}},
            "status": status,
        });
        reduce(serde_json::from_value(content).unwrap())
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
