//! Each way in which Velero may process a group: what does the receipt say?

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::admission::Mode;
use shared::verdict::{Verdict, VerdictReason};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;

use testbed::pair::check::{exact, honest};

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn each_pod_alone_is_member_consistent_and_said_to_be() -> Result<()> {
    let pair = Pair::start(PairOptions::new("alone", 5)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::MemberConsistent).await?;
    assert!(matches!(receipt.why, VerdictReason::QuiescesDoNotOverlap { .. }), "{receipt:?}");
    assert!(receipt.epoch.is_some() && receipt.weight == 3 && receipt.mode == Mode::ArriveAndGo, "{receipt:?}");
    pair.nothing_granted().await
}

async fn check_ordered(pods: u32) -> Result<()> {
    let pair = Pair::start(PairOptions::new(&format!("ordered-{pods}"), 5)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", pods), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    let night = pair.back_up("b", spec).await?;
    assert!(night.phase == Phase::Completed && night.seen.is_one_block(), "{}", night.seen);
    let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    let (said, seen) = (receipt.skew_ms.unwrap_or_default(), night.seen.skew().unwrap_or_default());
    let apart = u128::from(said).abs_diff(seen.as_millis());
    assert!(apart <= 20, "skew: {said} ms are said and {seen:?} were seen");
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_block_of_three_is_group_consistent() -> Result<()> {
    check_ordered(3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_block_of_twenty_is_group_consistent() -> Result<()> {
    check_ordered(20).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_is_released_by_one_write() -> Result<()> {
    let pair = Pair::start(PairOptions::new("barrier", 5).workers(8)).await?;
    pair.coordinator().line("velero_workers", PATIENCE, |line| line["workers"] == 8).await;
    let made = pair.with(Workload::stateful_set("shop", "db", 4), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    let receipt = honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
    assert!(receipt.mode == Mode::Barrier && !receipt.degraded, "{receipt:?}");
    let releases = pair.coordinator().lines_of("group_ready");
    assert!(releases.len() == 1 && releases[0]["pod_count"] == 4, "{releases:?}");
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_workers_without_a_barrier_hold_their_promise_too() -> Result<()> {
    let pair = Pair::start(PairOptions::new("go", 5).workers(8).flags(&["--mode", "arrive-and-go"])).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 4), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    let receipt = honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
    assert!(receipt.mode == Mode::ArriveAndGo && receipt.verdict <= Verdict::MemberConsistent, "{receipt:?}");
    pair.nothing_granted().await
}

/// A barrier of three that one worker can never fill.
async fn check_degraded(name: &str, flags: &[&str]) -> Result<()> {
    let pair = Pair::start(PairOptions::new(name, 5).flags(&["--mode", "barrier"]).flags(flags)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::MemberConsistent).await?;
    assert!(receipt.degraded, "{receipt:?}");
    let waits = made.pods.iter().filter_map(|pod| night.seen.wait(&pod.name)).max().unwrap_or_default();
    assert!(waits < Duration::from_secs(10), "it degrades in seconds: {waits:?}");
    assert_eq!(pair.coordinator().lines_of("barrier_degraded").len(), 1);
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_all_workers_wait_at_goes_on_at_once() -> Result<()> {
    check_degraded("degraded-workers", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_nobody_else_comes_to_goes_on_in_seconds() -> Result<()> {
    check_degraded("degraded-stall", &["--item-block-workers", "8", "--barrier-stall", "1s"]).await
}
