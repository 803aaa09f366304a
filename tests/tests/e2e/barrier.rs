//! Many hooks at once, where Velero can run them and where it cannot: who waits for whom, and for how long?

use std::time::Duration;

use serde_json::json;
use shared::admission::Mode;
use shared::verdict::Verdict;
use testbed::pair::check::{exact, honest};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;
use testbed::velero::truth::StepKind;

use crate::run::isolated;

const PATIENCE: Duration = Duration::from_mins(1);

/// A barrier that cannot be filled is given up within this: seconds, where a hook's timeout is a minute and more.
const DEGRADED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_barrier_of_four_is_released_by_one_write() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("barrier", 5).workers(4)).await?;
        pair.coordinator().line("velero_workers", PATIENCE, |line| line["workers"] == 4).await;
        let made = pair.with(Workload::stateful_set("shop", "db", 4), &HookPlan::default()).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        let steps = night.seen.steps();
        assert!(steps[..4].iter().all(|step| step.kind == StepKind::Pre), "{}", night.seen);
        let receipt = honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
        assert!(receipt.mode == Mode::Barrier && !receipt.degraded, "{receipt:?}\n{}", night.seen);
        let releases = pair.coordinator().lines_of("group_ready");
        assert!(releases.len() == 1 && releases[0]["pod_count"] == 4, "{releases:?}");
        pair.nothing_granted().await
    });
}

#[test]
fn a_barrier_that_one_worker_can_never_fill_is_given_up_in_seconds() {
    isolated(async || {
        let options = PairOptions::real("degraded", 5).flags(&["--mode", "barrier"]);
        let pair = Pair::start_real(options).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        let receipt = exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::MemberConsistent).await?;
        assert!(receipt.degraded, "{receipt:?}");
        let waits = made.pods.iter().filter_map(|pod| night.seen.wait(&pod.name)).max();
        assert!(waits.is_some_and(|wait| wait < DEGRADED_WITHIN), "{waits:?}\n{}", night.seen);
        assert_eq!(pair.coordinator().lines_of("barrier_degraded").len(), 1);
        pair.nothing_granted().await
    });
}
