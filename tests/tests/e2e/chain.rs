//! The real snapshot chain over an EC2 that throttles or takes its time: does every round end, and does no receipt claim too much?

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use shared::verdict::Verdict;
use testbed::aws::ec2::{Log, RequestBucket};
use testbed::ebs::Ebs;
use testbed::pair::check::{exact, held_at_most, honest};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::real_velero::SnapshotChain;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};
use testbed::velero::truth::CutWay;

use crate::run::isolated_with_chain;

/// A throttled snapshot is asked for again after up to 20 s, and there are three.
const THROTTLED_MAX: Duration = Duration::from_mins(3);

/// Longer than Velero looks each second for a handle with early polling (10 s).
const SLOW_HANDLE: Duration = Duration::from_secs(12);

const SOON: Duration = Duration::from_mins(1);

async fn with_group(ebs: &Ebs, options: PairOptions, pods: u32) -> Result<(Pair, SnapshotChain, Made)> {
    let pair = Pair::start_real(options).await?;
    let chain = SnapshotChain::start(pair.velero.real().bed(), &ebs.ec2.url()).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", pods), &HookPlan::default()).await?;
    ebs.lay(&pair.client).await?;
    Ok((pair, chain, made))
}

#[test]
fn a_throttled_ec2_delays_a_group_and_the_receipt_agrees_with_it() {
    isolated_with_chain(async || {
        let ebs = Ebs::start(CutWay::Csi);
        let options = ebs.chain(PairOptions::real("throttled", 3), false);
        let (pair, _chain, made) = with_group(&ebs, options, 3).await?;
        // Slower than Velero's polls, which ask for the next snapshot each fifth second: as in an account that others use, too.
        ebs.ec2.change(|settings| settings.limits.requests = Some(RequestBucket { burst: 1, refill_per_s: 0.1 }));
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        pair.velero.submit("b", spec).await?;
        // While EC2 refuses, the group's whole share stays with it: nobody else may come in between.
        let refused = |log: &Log| (log.refused("RequestLimitExceeded") > 0).then_some(());
        ebs.ec2.until("a snapshot is refused", THROTTLED_MAX, refused).await?;
        let granted = pair.budget().await?.context("the budget is written down")?.granted();
        assert_eq!(granted, 3, "{:?}", pair.budget().await?);
        let night = pair.finished_within("b", THROTTLED_MAX).await?;
        let night = ebs.told(&pair, night)?;
        let log = ebs.ec2.log();
        println!("{log}\n{}", night.seen);
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        assert!(night.seen.is_one_block() && log.cuts.len() == 3, "{log}");
        let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
        for cut in receipt.members.iter().flat_map(|member| &member.cuts) {
            let is_true = |at_us: i64| {
                let from = cut.at.as_micros();
                (from..=from + i64::try_from(cut.resolution_ms).unwrap_or(i64::MAX) * 1_000).contains(&at_us)
            };
            let seen = log.cuts.iter().any(|seen| is_true(seen.at.as_microsecond()));
            assert!(seen, "EC2 made no cut when the receipt says {cut:?}: {log}");
        }
        assert_eq!(held_at_most(&night.seen, &[&made]), 3, "{}", night.seen);
        pair.nothing_granted().await
    });
}

/// One pod, and an EC2 that needs twelve seconds before it cuts.
async fn check_slow_handle(early_polling: bool) -> Result<()> {
    let ebs = Ebs::start(CutWay::Csi);
    let name = if early_polling { "slow-early" } else { "slow" };
    let options = ebs.chain(PairOptions::real(name, 3), early_polling);
    let (pair, _chain, made) = with_group(&ebs, options, 1).await?;
    ebs.ec2.change(|settings| settings.wait_before_cut = SLOW_HANDLE);
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    // Velero may have given up: EC2 has not.
    ebs.ec2.until("the volume is cut", SOON, |log| log.cuts.first().cloned()).await?;
    let night = ebs.told(&pair, night)?;
    println!("{}: {}", night.phase.as_str(), night.seen);
    let group = group_of_set("shop", "db");
    let receipt = honest(&pair, &night, &made, &group).await?;
    if !early_polling {
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    }
    if night.phase == Phase::Completed {
        assert_eq!(receipt.verdict, Verdict::GroupConsistent, "{receipt:?}");
    } else {
        // Post ran when Velero gave up, and the cut came later: whatever is said of it, it is not consistent.
        let is_modest = !matches!(receipt.verdict, Verdict::GroupConsistent | Verdict::MemberConsistent);
        assert!(is_modest, "{receipt:?}\n{}", night.seen);
    }
    pair.nothing_granted().await
}

#[test]
fn a_handle_that_needs_twelve_seconds_is_waited_for() {
    isolated_with_chain(async || check_slow_handle(false).await);
}

#[test]
fn a_cut_that_early_polling_gave_up_on_is_never_called_consistent() {
    isolated_with_chain(async || check_slow_handle(true).await);
}
