//! Somebody deletes Leases or writes nonsense into them in mid-round: does the night end, and the next one go well?

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use shared::identity::GroupKey;
use shared::names::{BUDGET_LEASE, group_lease};
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Pair, PairOptions, compare, group_of_set};
use testbed::velero::cluster::{Made, Workload};

use testbed::pair::check::{exact, first_cut};

/// What is done to the Leases.
enum Meddling {
    DeleteGroup,
    DeleteBudget,
    Group(Value),
    Member(Value),
    Budget(Value),
}

async fn meddle(pair: &Pair, group: &GroupKey, meddling: Meddling) -> Result<()> {
    let leases = |namespace: &str| -> Api<Lease> { Api::namespaced(pair.client.clone(), namespace) };
    let name = group_lease(&group.group);
    let (api, name, patch) = match meddling {
        Meddling::DeleteGroup => {
            leases("shop").delete(name.as_str(), &DeleteParams::default()).await?;
            return Ok(());
        }
        Meddling::DeleteBudget => {
            leases("velero").delete(BUDGET_LEASE, &DeleteParams::default()).await?;
            return Ok(());
        }
        Meddling::Group(patch) => (leases("shop"), name.to_string(), patch),
        Meddling::Member(patch) => (leases("shop"), "snapshot-member-db-1".to_owned(), patch),
        Meddling::Budget(patch) => (leases("velero"), BUDGET_LEASE.to_owned(), patch),
    };
    api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

async fn check(name: &str, meddling: Meddling) -> Result<()> {
    let mut options = PairOptions::new(name, 5);
    options.velero.csi_poll = Duration::from_millis(600);
    let pair = Pair::start(options).await?;
    let made: Made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    let group = group_of_set("shop", "db");
    pair.velero.submit("b", spec.clone()).await?;
    first_cut(&pair).await?;
    meddle(&pair, &group, meddling).await?;
    let night = pair.finished("b").await?;
    for line in pair.logged_receipts(&group) {
        let verdict: Verdict = serde_json::from_value(line["verdict"].clone())?;
        compare(verdict, &night.truth(&made))?;
    }
    pair.nothing_granted().await?;
    let next = pair.back_up("next", spec).await?;
    exact(&pair, &next, &made, &group, Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}

fn annotation(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {(format!("snapshot-group.velero.io/{key}")): value}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_lease_is_deleted() -> Result<()> {
    check("lease-deleted", Meddling::DeleteGroup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_deleted() -> Result<()> {
    check("budget-deleted", Meddling::DeleteBudget).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_lease_says_nonsense() -> Result<()> {
    check("lease-nonsense", Meddling::Group(annotation("attempts", "{\"a\":7}"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_lease_says_that_the_round_is_over() -> Result<()> {
    check("lease-closed", Meddling::Group(annotation("phase", "closed"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_lease_says_nonsense() -> Result<()> {
    check("member-nonsense", Meddling::Member(annotation("phase", "asleep"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_says_nonsense() -> Result<()> {
    check("budget-nonsense", Meddling::Budget(annotation("grants", "all of it"))).await
}
