//! Do the manifests install something that works, with the rights it needs and no others?
//!
//! On a real kube-apiserver with RBAC: kubectl applies an overlay, the coordinator runs as its Deployment says with its own
//! ServiceAccount's token, and hooks run with their pods' tokens. Each test has a control plane of its own, because what it
//! applies is cluster-wide.

mod cluster;
mod forging;
mod hooks;
mod injected;
mod limits;
mod native;
mod needed;
mod overlays;
mod pages;
mod programs;
mod rendered;

use cluster::Installed;
use k8s_openapi::api::authorization::v1::ResourceAttributes;

#[tokio::test(flavor = "multi_thread")]
async fn the_default_overlay_carries_a_backup_through() {
    let Some(installed) = Installed::start("default").await else { return };
    // What is applied last the authorizer may not know yet.
    let list_schedules = ResourceAttributes {
        namespace: Some(cluster::SYSTEM.to_owned()),
        group: Some("velero.io".to_owned()),
        resource: Some("schedules".to_owned()),
        verb: Some("list".to_owned()),
        ..ResourceAttributes::default()
    };
    installed.until_allowed(&cluster::account(cluster::SYSTEM, "snapshot-coordinator"), &list_schedules, true).await;
    installed.pod_is_restricted().await;
    let coordinator = installed.coordinator().await;
    let answer = coordinator.get(&installed.probe_path("readiness").await).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(coordinator.get(&installed.probe_path("liveness").await).await.status, 200);
    let velero = installed.velero().await;
    installed.workload("db").await;
    installed.carry_through(&coordinator, &velero, "nightly").await;
    coordinator.line("schedule_created", cluster::PATIENCE, |_| true).await;
    programs::says_nothing_of_403(&coordinator);

    limits::check(&installed, "default").await;
    forging::check(&installed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_namespaces_are_enrolled_each_right_is_needed() {
    let Some(installed) = Installed::start("enrolled-namespaces").await else { return };
    let velero = installed.velero().await;
    installed.workload("db").await;
    {
        let coordinator = installed.coordinator().await;
        installed.carry_through(&coordinator, &velero, "nightly").await;
        programs::says_nothing_of_403(&coordinator);
        programs::stop(coordinator).await;
    }
    limits::check(&installed, "enrolled-namespaces").await;
    needed::check(&installed, &velero).await;
}

/// The overlay `minimal` beside a namespace that nobody enrolled: that one is left out, and said; the other is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_its_bindings_is_left_out_and_no_other() {
    let Some(installed) = Installed::start("minimal").await else { return };
    let velero = installed.velero().await;
    installed.workload_in("away", "db").await;
    installed.workload("db").await;
    let coordinator = installed.coordinator().await;
    let refused = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|said| said.contains("away") && said.contains("(403)"))
    };
    coordinator.line("write_failed", cluster::PATIENCE, refused).await;
    installed.carry_through(&coordinator, &velero, "nightly").await;
    assert_eq!(coordinator.get(&installed.probe_path("readiness").await).await.status, 200);
}

/// The overlay `default` with `components/native-snapshots`, which is in no overlay.
#[tokio::test(flavor = "multi_thread")]
async fn native_snapshots_need_a_right_of_their_own_and_no_other() {
    let Some(installed) = Installed::start("default").await else { return };
    native::check(&installed).await;
}
