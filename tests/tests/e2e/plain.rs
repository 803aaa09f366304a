//! One group, one Backup, the usual layouts: what does the receipt say, and is it true?

use std::time::Duration;

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
        // One pod after another; in 1.15 a pod's post hook may run beside the next pod's pre hook.
        let order = night.seen.order();
        for pod in ["db-0", "db-1", "db-2"] {
            let own: Vec<&str> = order.split(" · ").filter(|step| step.ends_with(pod)).collect();
            let expected = [format!("pre {pod}"), format!("cut data-{pod}"), format!("post {pod}")];
            assert_eq!(own, expected, "{}", night.seen);
        }
        let cuts: Vec<&str> = order.split(" · ").filter(|step| step.starts_with("cut")).collect();
        assert_eq!(cuts, ["cut data-db-0", "cut data-db-1", "cut data-db-2"], "{}", night.seen);
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

/// EC2 takes one snapshot of a volume in 15 s: the next Backup of the same volumes waits for that before anybody is held still, and says so.
#[test]
fn a_backup_right_after_another_waits_for_ec2_and_says_so() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("right-after", 5)).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        pair.back_up("first", spec.clone()).await?;
        let night = pair.back_up("second", spec).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        let said = night.seen.to_string();
        assert!(said.contains("EC2 takes no snapshot of its volume yet"), "{said}");
        let waits: Vec<Duration> = made.pods.iter().map(|pod| night.seen.wait(&pod.name).unwrap_or_default()).collect();
        assert!(waits[0] > Duration::from_secs(5) && waits[0] <= Duration::from_secs(16), "{waits:?}\n{said}");
        assert!(waits[1] < Duration::from_secs(5), "once released, the others go on at once: {waits:?}\n{said}");
        exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
        pair.nothing_granted().await
    });
}
