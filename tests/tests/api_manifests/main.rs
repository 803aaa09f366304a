//! Do the manifests install something that works, with the rights it needs and no others?
//!
//! On a real kube-apiserver with RBAC: kubectl applies an overlay, the coordinator runs as its Deployment says with its own
//! ServiceAccount's token, and hooks run with their pods' tokens. Each test has a control plane of its own, because what it
//! applies is cluster-wide.

mod cluster;
mod hooks;
mod kubectl;
mod limits;
mod needed;
mod programs;
mod rendered;

use cluster::Installed;

#[tokio::test(flavor = "multi_thread")]
async fn the_default_overlay_carries_a_backup_through() {
    let Some(installed) = Installed::start("default").await else { return };
    installed.pod_is_restricted().await;
    let coordinator = installed.coordinator().await;
    let answer = coordinator.get(&installed.probe_path("readiness").await).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(coordinator.get(&installed.probe_path("liveness").await).await.status, 200);
    let velero = installed.velero().await;
    installed.workload("db").await;
    installed.carry_through(&coordinator, &velero, "nightly").await;
    programs::says_nothing_of_403(&coordinator);

    limits::check(&installed, "default").await;
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
