//! What these tests stand on: a bed with a leading coordinator, and the limiter Lease as it stands.

use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

use serde_json::{Value, json};
use shared::limiter_lease::{LimiterLease, SignalNote};
use shared::names::LIMITER_LEASE;
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, coordinator_command, eventually};

/// Whatever is waited for comes within this, or never.
pub const SOON: Duration = Duration::from_mins(2);

/// A bed without a coordinator.
pub async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

/// A coordinator with further flags and variables, that leads.
pub async fn leading(bed: &CoordinatorBed, flags: &[&str], variables: &[(&str, &str)]) -> CoordinatorProcess {
    let mut command = coordinator_command();
    command.args(["run", "--http-address", "127.0.0.1:0", "--identity", "c-0", "--kubeconfig"]);
    command.arg(bed.kubeconfig("c-0")).args(flags).envs(variables.iter().copied());
    let coordinator = CoordinatorProcess::spawn(command);
    coordinator.line("leading", SOON, |_| true).await;
    coordinator
}

/// The limiter Lease, once it `fits`.
pub async fn limiter(bed: &CoordinatorBed, what: &str, fits: impl Fn(&LimiterLease) -> bool) -> LimiterLease {
    let read = || LimiterLease::decode(&bed.lease("velero", LIMITER_LEASE)?).ok();
    eventually(what, SOON, || read().filter(|lease| fits(lease))).await
}

/// What a source says, once it `fits`.
pub async fn signal(bed: &CoordinatorBed, source: &str, fits: impl Fn(&SignalNote) -> bool) -> SignalNote {
    let of = |lease: &LimiterLease| lease.signals.iter().find(|note| note.source == source && fits(note)).cloned();
    of(&limiter(bed, source, |lease| of(lease).is_some()).await).unwrap()
}

/// An Event with this reason, once there is one.
pub async fn told(bed: &CoordinatorBed, reason: &str) -> Event {
    let events: Api<Event> = Api::namespaced(bed.server.client(), "velero");
    let begin = Instant::now();
    loop {
        let all = events.list(&ListParams::default()).await.expect("Events").items;
        if let Some(found) = all.iter().find(|event| event.reason.as_deref() == Some(reason)) {
            return found.clone();
        }
        assert!(
            begin.elapsed() < SOON,
            "no Event {reason}, but {:?}",
            all.iter().map(|e| &e.reason).collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A VolumeSnapshotContent of a snapshot in `prod`.
pub fn put_content(bed: &CoordinatorBed, name: &str, being_created: bool, status: &Value) {
    let annotations = if being_created {
        json!({"snapshot.storage.kubernetes.io/volumesnapshot-being-created": "yes"})
    } else {
        json!({})
    };
    let content = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
        "metadata": {"name": format!("content-{name}"), "annotations": annotations},
        "spec": {"driver": "ebs.csi.aws.com", "deletionPolicy": "Delete", "source": {"volumeHandle": "vol-1"},
            "volumeSnapshotRef": {"namespace": "prod", "name": name}},
        "status": status,
    });
    bed.server.put(content).unwrap_or_else(|e| panic!("{e:?}"));
}
