//! A night over an EC2 that throttles: does the budget fall with a reason, do groups wait before anybody is held still, does everything
//! complete, and does the budget recover?

use std::time::Duration;

use serde_json::json;
use shared::admission::Admission;
use shared::verdict::Verdict;
use testbed::aws::ec2::RequestBucket;
use testbed::ebs::Ebs;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::real_velero::SnapshotChain;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};
use testbed::velero::truth::CutWay;

use crate::run::isolated_with_chain;

const PATIENCE: Duration = Duration::from_mins(2);

/// A hook that waits for the budget may wait for all the others.
const HOOK_TIMEOUT: Duration = Duration::from_mins(5);

/// The driver's metrics are where the chain serves them. A real night has minutes where this one has seconds.
const FLAGS: [&str; 6] =
    ["--driver-metrics", "http://127.0.0.1:3301/metrics", "--throttle-cool-down", "5s", "--throttle-calm-period", "2s"];

/// So many further nights may be needed until the budget is what it was.
const NIGHTS_MAX: usize = 3;

/// Backs all shops up at once; every Backup completes, every member was released, none went over budget.
async fn wait_for_all(pair: &Pair, shops: &[(&str, Made)], night: &str) -> anyhow::Result<()> {
    for (shop, _) in shops {
        let backup = format!("{shop}-{night}");
        let seen = pair.finished_within(&backup, PATIENCE).await?;
        assert_eq!(seen.phase, Phase::Completed, "{backup}: {}", seen.seen);
        let receipt = pair.receipt(&backup, &group_of_set(shop, "db")).await?;
        assert!(receipt.members.iter().all(|member| member.admission == Some(Admission::Released)), "{receipt:?}");
        assert_eq!(receipt.verdict, Verdict::GroupConsistent, "{receipt:?}");
    }
    Ok(())
}

async fn submit_all(pair: &Pair, shops: &[(&str, Made)], night: &str) -> anyhow::Result<()> {
    for (shop, made) in shops {
        let spec = json!({"includedNamespaces": [shop], "orderedResources": {"pods": made.ordered()}});
        pair.velero.submit(&format!("{shop}-{night}"), spec).await?;
    }
    Ok(())
}

#[test]
fn the_budget_falls_while_ec2_throttles_and_recovers_and_every_backup_completes() {
    isolated_with_chain(async || {
        let ebs = Ebs::start(CutWay::Csi);
        let mut options = ebs.chain(PairOptions::real("throttled-night", 4).flags(&FLAGS), false);
        options.velero.concurrent_backups = 4;
        let pair = Pair::start_real(options).await?;
        let _chain = SnapshotChain::start(pair.velero.real().bed(), &ebs.ec2.url()).await?;
        let mut shops = Vec::new();
        for shop in ["north", "east", "south", "west"] {
            let hooks = HookPlan::default().timeout(HOOK_TIMEOUT);
            shops.push((shop, pair.with(Workload::stateful_set(shop, "db", 2), &hooks).await?));
        }
        ebs.lay(&pair.client).await?;
        // A neighbour in the account takes nearly all of its calls.
        ebs.ec2.change(|settings| settings.limits.requests = Some(RequestBucket { burst: 1, refill_per_s: 0.1 }));
        submit_all(&pair, &shops, "hot").await?;
        let coordinator = pair.coordinator();
        let lowered = coordinator.line("concurrency_adjusted", PATIENCE, |line| line["reason"] == "throttled").await;
        println!("{lowered}");
        assert_eq!(
            (&lowered["original"], &lowered["previous"], &lowered["adjusted"]),
            (&json!(4), &json!(4), &json!(2))
        );
        // Two groups were released into the whole budget; the others wait, and their members are not held still.
        let waits = |line: &serde_json::Value| line["wait"]["for"] == "budget" && line["wait"]["limit"] == 2;
        println!("{}", coordinator.line("group_status", PATIENCE, waits).await);
        let released = coordinator.lines_of("group_granted").len();
        assert!(released <= 2, "{released} groups were granted into a budget of two groups");
        // The neighbour is done.
        ebs.ec2.change(|settings| settings.limits.requests = None);
        wait_for_all(&pair, &shops, "hot").await?;
        let recovered = || coordinator.lines_of("concurrency_adjusted").iter().any(|line| line["adjusted"] == 4);
        for night in 1..=NIGHTS_MAX {
            if recovered() {
                break;
            }
            submit_all(&pair, &shops, &night.to_string()).await?;
            wait_for_all(&pair, &shops, &night.to_string()).await?;
        }
        let adjusted = coordinator.lines_of("concurrency_adjusted");
        assert!(recovered(), "{adjusted:#?}");
        let raised = adjusted.iter().filter(|line| line["adjusted"].as_u64() > line["previous"].as_u64());
        assert!(raised.clone().count() >= 2 && raised.clone().all(|line| line["reason"] == "calm"), "{adjusted:#?}");
        pair.nothing_granted().await
    });
}
