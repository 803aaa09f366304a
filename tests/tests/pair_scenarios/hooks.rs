//! Hooks that fail, come too late, or only seem to have succeeded.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::verdict::{Verdict, VerdictReason};
use testbed::pair::{HookPlan, Pair, PairOptions, compare, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};

use testbed::pair::check::{exact, hooks_begun};

/// One of two pods of a group has a command that cannot work.
async fn check_failing_pre(name: &str, on_error: &'static str) -> Result<()> {
    let pair = Pair::start(PairOptions::new(name, 5)).await?;
    let by_hand = |workload: Workload| workload.label(LABEL_SNAPSHOT_GROUP, "mine");
    let good = pair.with(by_hand(Workload::stateful_set("shop", "a", 1)), &HookPlan::default()).await?;
    let wrong = HookPlan::default().on_error(on_error).flags(&["--deadline", "soon"]);
    let bad = pair.with(by_hand(Workload::stateful_set("shop", "b", 1)), &wrong).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::PartiallyFailed, "{}", night.seen);
    let both = Made { pods: good.pods.iter().chain(&bad.pods).cloned().collect() };
    let group = GroupKey { namespace: Namespace::new("shop")?, group: GroupId::new("mine")? };
    let receipt = exact(&pair, &night, &both, &group, Verdict::CrashConsistent).await?;
    assert_eq!(receipt.why, VerdictReason::NeverQuiesced { pod: "b-0".to_owned() });
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pre_with_fail_is_in_the_receipt() -> Result<()> {
    check_failing_pre("fails-fail", "Fail").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pre_with_continue_is_in_the_receipt() -> Result<()> {
    check_failing_pre("fails-continue", "Continue").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pre_without_on_error_is_in_the_receipt() -> Result<()> {
    check_failing_pre("fails-unset", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_that_outlives_veleros_timeout_holds_nothing_for_long() -> Result<()> {
    let mut pair = Pair::start(PairOptions::new("outlives", 5).flags(&["--round-idle", "1s"])).await?;
    let plan = HookPlan::default().velero_timeout(Duration::from_secs(1)).flags(&["--hold", "3s"]);
    pair.with(Workload::stateful_set("shop", "db", 1), &plan).await?;
    // Nobody releases it until Velero has given up on it.
    pair.coordinators[0].kill();
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::PartiallyFailed, "{}", night.seen);
    pair.start_coordinator("coordinator-a").await?;
    let told = pair.coordinators[1].line("group_receipt", Duration::from_mins(1), |_| true).await;
    assert!(told["verdict"] != "group-consistent" && told["verdict"] != "member-consistent", "{told}");
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_never_was_is_not_believed() -> Result<()> {
    let mut pair = Pair::start(PairOptions::new("false-success", 5)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
    pair.coordinators[0].kill();
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    pair.velero.submit("b", spec).await?;
    for hook in 1..=2 {
        hooks_begun(&pair, hook).await?;
        pair.velero.node().lose_exec_streams();
    }
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "Velero noticed nothing: {}", night.seen);
    pair.start_coordinator("coordinator-a").await?;
    let group = group_of_set("shop", "db");
    // The next night is as any other, and what was never quiesced is nowhere said to have been.
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    let next = pair.back_up("next", spec).await?;
    let receipt = pair.receipt("next", &group).await?;
    compare(receipt.verdict, &next.truth(&made))?;
    assert_eq!(receipt.verdict, Verdict::GroupConsistent, "{receipt:?}\n{}", next.seen);
    for line in pair.coordinators[1].lines_of("group_receipt").iter().filter(|line| line["backup"] == "b") {
        assert!(line["verdict"] != "group-consistent" && line["verdict"] != "member-consistent", "{line}");
    }
    pair.nothing_granted().await
}
