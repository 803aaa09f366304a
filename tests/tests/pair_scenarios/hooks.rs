//! Hooks that fail, come too late, or only seem to have succeeded.

use anyhow::Result;
use serde_json::json;
use shared::verdict::Verdict;
use testbed::pair::check::hooks_begun;
use testbed::pair::{HookPlan, Pair, PairOptions, compare, group_of_set, stories};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;

/// One of two pods of a group has a command that cannot work.
async fn check_failing_pre(name: &str, on_error: &'static str) -> Result<()> {
    let pair = Pair::start(PairOptions::new(name, 5)).await?;
    let wrong = HookPlan::default().on_error(on_error).flags(&["--deadline", "soon"]);
    stories::one_of_two_is_never_quiesced(&pair, "shop", &wrong).await
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
    let options = PairOptions::new("outlives", 5).flags(&["--round-idle", "1s"]);
    stories::a_pre_outlives_veleros_timeout(Pair::start(options).await?).await
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
