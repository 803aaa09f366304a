//! The most important scenarios against a real kube-apiserver: real tokens, TLS, and no rights but those that the hooks are given.

use anyhow::Result;
use serde_json::{Value, json};
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Pair, PairOptions, Place, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};
use tokio::sync::{Mutex, MutexGuard};

use testbed::pair::check::{exact, first_cut, hooks_begun};

/// A coordinator watches the whole cluster; these tests share one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Real {
    pair: Pair,
    made: Made,
    namespace: String,
    ordered: Value,
    _alone: MutexGuard<'static, ()>,
}

async fn real(name: &str, pods: u32) -> Result<Option<Real>> {
    let alone = ONE_AT_A_TIME.lock().await;
    let Some(place) = Place::real(name).await else { return Ok(None) };
    let pair = Pair::start_on(place, PairOptions::new(name, 5)).await?;
    let namespace = pair.namespace("shop");
    let made = pair.with(Workload::stateful_set(&namespace, "db", pods), &HookPlan::default()).await?;
    let ordered = json!({"includedNamespaces": [namespace], "orderedResources": {"pods": made.ordered()}});
    Ok(Some(Real { pair, made, namespace, ordered, _alone: alone }))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_block_is_group_consistent() -> Result<()> {
    let Some(Real { pair, made, namespace, ordered, _alone }) = real("pair-ordered", 3).await? else { return Ok(()) };
    let night = pair.back_up("b", ordered).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &made, &group_of_set(&namespace, "db"), Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pod_alone_is_member_consistent() -> Result<()> {
    let Some(Real { pair, made, namespace, _alone, .. }) = real("pair-alone", 3).await? else { return Ok(()) };
    let night = pair.back_up("b", json!({"includedNamespaces": [namespace]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &made, &group_of_set(&namespace, "db"), Verdict::MemberConsistent).await?;
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_killed_in_mid_round_loses_nothing() -> Result<()> {
    let Some(mut real) = real("pair-killed", 3).await? else { return Ok(()) };
    real.pair.velero.submit("b", real.ordered.clone()).await?;
    hooks_begun(&real.pair, 2).await?;
    real.pair.coordinators.remove(0).kill();
    real.pair.start_coordinator("coordinator-a").await?;
    let night = real.pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&real.pair, &night, &real.made, &group_of_set(&real.namespace, "db"), Verdict::GroupConsistent).await?;
    real.pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn velero_dies_and_the_next_night_is_as_any_other() -> Result<()> {
    let Some(mut real) = real("pair-velero", 3).await? else { return Ok(()) };
    real.pair.velero.submit("b", real.ordered.clone()).await?;
    first_cut(&real.pair).await?;
    real.pair.restart_velero(|_| {}).await?;
    assert_eq!(real.pair.finished("b").await?.phase, Phase::Failed);
    real.pair.nothing_granted().await?;
    let next = real.pair.back_up("next", real.ordered.clone()).await?;
    exact(&real.pair, &next, &real.made, &group_of_set(&real.namespace, "db"), Verdict::GroupConsistent).await?;
    real.pair.nothing_granted().await
}
