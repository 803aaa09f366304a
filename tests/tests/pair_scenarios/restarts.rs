//! Velero or a coordinator dies in the middle: does the round end, and is the next night as any other?

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Pair, PairOptions, compare, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};

use testbed::pair::check::{exact, first_cut, hooks_begun};

/// A group of three in one block, whose cuts take their time.
async fn slow(name: &str) -> Result<(Pair, Made, Value)> {
    let mut options = PairOptions::new(name, 5);
    options.velero.csi_poll = Duration::from_secs(1);
    let pair = Pair::start(options).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    Ok((pair, made, spec))
}

#[tokio::test(flavor = "multi_thread")]
async fn velero_dies_in_mid_backup_and_nothing_stays_granted() -> Result<()> {
    let (mut pair, made, spec) = slow("velero-dies").await?;
    pair.velero.submit("b", spec.clone()).await?;
    first_cut(&pair).await?;
    pair.restart_velero(|_| {}).await?;
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Failed, "{}", night.seen);
    let group = group_of_set("shop", "db");
    let receipt = pair.receipt("b", &group).await?;
    compare(receipt.verdict, &night.truth(&made))?;
    pair.nothing_granted().await?;
    let next = pair.back_up("next", spec).await?;
    exact(&pair, &next, &made, &group, Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_killed_in_mid_round_loses_nothing() -> Result<()> {
    let (mut pair, made, spec) = slow("coordinator-dies").await?;
    pair.velero.submit("b", spec).await?;
    hooks_begun(&pair, 2).await?;
    pair.coordinators.remove(0).kill();
    pair.start_coordinator("coordinator-a").await?;
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_coordinator_takes_over_in_mid_round() -> Result<()> {
    let (mut pair, made, spec) = slow("takes-over").await?;
    pair.start_coordinator("coordinator-b").await?;
    pair.velero.submit("b", spec).await?;
    hooks_begun(&pair, 2).await?;
    pair.coordinators.remove(0).kill();
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}
