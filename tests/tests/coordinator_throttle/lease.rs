//! The limiter Lease: over restarts, under hands, and with another setting.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use shared::names::LIMITER_LEASE;
use testbed::coordinator_bed::CoordinatorBed;

use crate::place::{SOON, bed, leading, limiter, put_content};

async fn edit(bed: &CoordinatorBed, limit: &str) {
    let leases: Api<Lease> = Api::namespaced(bed.server.client(), "velero");
    let patch = json!({"metadata": {"annotations": {"snapshot-group.velero.io/limit": limit}}});
    leases.patch(LIMITER_LEASE, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_limit_survives_the_coordinator_and_a_new_setting_counts() {
    let bed = bed().await;
    let mut first = leading(&bed, &["--max-concurrent-snapshots", "8"], &[]).await;
    put_content(
        &bed,
        "a",
        true,
        &json!({"error": {"message": "api error RequestLimitExceeded: Request limit exceeded."}}),
    );
    limiter(&bed, "a halved limit", |lease| lease.limit == 4).await;
    first.kill();
    // What was seen before is still there; it is not halved for once more.
    let mut second = leading(&bed, &["--max-concurrent-snapshots", "20"], &[]).await;
    let lease = limiter(&bed, "the new ceiling", |lease| lease.ceiling == 20).await;
    assert_eq!(lease.limit, 4, "{lease:?}");
    second.kill();
    let _third = leading(&bed, &["--max-concurrent-snapshots", "3"], &[]).await;
    limiter(&bed, "below the new ceiling", |lease| (lease.limit, lease.ceiling) == (3, 3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_is_obeyed_and_nonsense_is_told_and_replaced() {
    let bed = bed().await;
    let coordinator = leading(&bed, &["--max-concurrent-snapshots", "8"], &[]).await;
    limiter(&bed, "the Lease", |lease| lease.limit == 8).await;
    edit(&bed, "2").await;
    let line = coordinator.line("concurrency_adjusted", SOON, |line| line["adjusted"] == 2).await;
    assert_eq!(line["reason"], "adopted");
    for nonsense in ["lots", "-1", "0", "1e9", "NaN"] {
        edit(&bed, nonsense).await;
        let named =
            |line: &serde_json::Value| line["message"].as_str().is_some_and(|m| m.contains(&format!("`{nonsense}`")));
        coordinator.line("lease_invalid", SOON, named).await;
        limiter(&bed, "its own limit again", |lease| lease.limit == 2).await;
    }
    let leases: Api<Lease> = Api::namespaced(bed.server.client(), "velero");
    leases.delete(LIMITER_LEASE, &kube::api::DeleteParams::default()).await.unwrap();
    limiter(&bed, "a new Lease", |lease| lease.limit == 2).await;
}
