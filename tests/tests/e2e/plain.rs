//! One group, one Backup, the usual layouts: what does the receipt say, and is it true?

use anyhow::Result;
use serde_json::json;
use shared::admission::Mode;
use shared::verdict::{Verdict, VerdictReason};
use testbed::pair::check::exact;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;

use crate::run::isolated;

#[test]
fn each_pod_alone_is_member_consistent_and_said_to_be() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("alone", 5)).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        let pods = ["db-0", "db-1", "db-2"].map(|pod| format!("pre {pod} · cut data-{pod} · post {pod}"));
        assert_eq!(night.seen.order(), pods.join(" · "), "{}", night.seen);
        let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::MemberConsistent).await?;
        assert!(matches!(receipt.why, VerdictReason::QuiescesDoNotOverlap { .. }), "{receipt:?}");
        assert!(receipt.epoch.is_some() && receipt.weight == 3 && receipt.mode == Mode::ArriveAndGo, "{receipt:?}");
        pair.nothing_granted().await
    });
}

async fn check_ordered(pods: u32) -> Result<()> {
    let pair = Pair::start_real(PairOptions::real(&format!("ordered-{pods}"), 5)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", pods), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    let night = pair.back_up("b", spec).await?;
    assert!(night.phase == Phase::Completed && night.seen.is_one_block(), "{}", night.seen);
    let steps = night.seen.steps();
    assert_eq!(steps.len(), 3 * made.pods.len(), "{}", night.seen);
    let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    let (said, seen) = (receipt.skew_ms.unwrap_or_default(), night.seen.skew().unwrap_or_default());
    let apart = u128::from(said).abs_diff(seen.as_millis());
    assert!(apart <= SKEW_TOLERANCE_MS, "skew: {said} ms are said and {seen:?} were seen");
    pair.nothing_granted().await
}

/// Both sides round to whole milliseconds, and the receipt adds the clock error that it was told.
const SKEW_TOLERANCE_MS: u128 = 20;

#[test]
fn an_ordered_block_of_three_is_group_consistent() {
    isolated(async || check_ordered(3).await);
}

#[test]
fn an_ordered_block_of_twenty_is_group_consistent() {
    isolated(async || check_ordered(20).await);
}
