//! More than one group or Backup: does everybody get through, and never too many at once?

use std::time::Duration;

use serde_json::json;
use shared::verdict::Verdict;
use testbed::pair::check::{exact, held_at_most};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_namespace, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;
use testbed::velero::hook_calls::HookPhase;

use crate::run::isolated;

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn two_groups_at_once_share_a_budget_of_one() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("budget-one", 1).workers(4)).await?;
        pair.coordinator().line("velero_workers", PATIENCE, |line| line["workers"] == 4).await;
        let one = pair.with(Workload::deployment("one", "a"), &HookPlan::default()).await?;
        let two = pair.with(Workload::deployment("two", "b"), &HookPlan::default()).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["one", "two"]})).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        exact(&pair, &night, &one, &group_of_namespace("one"), Verdict::GroupConsistent).await?;
        exact(&pair, &night, &two, &group_of_namespace("two"), Verdict::GroupConsistent).await?;
        assert_eq!(held_at_most(&night.seen, &[&one, &two]), 1, "{}", night.seen);
        pair.nothing_granted().await
    });
}

#[test]
fn two_backups_of_one_namespace_are_two_rounds() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("two-backups", 5)).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        for name in ["first", "second"] {
            pair.velero.submit(name, spec.clone()).await?;
        }
        let group = group_of_set("shop", "db");
        let mut epochs = Vec::new();
        for name in ["first", "second"] {
            // The queue of 1.18 may hand over as late as a minute after the first has ended.
            let night = pair.finished_within(name, 3 * PATIENCE).await?;
            assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
            epochs.push(exact(&pair, &night, &made, &group, Verdict::GroupConsistent).await?.epoch);
        }
        assert!(epochs[0] < epochs[1], "{epochs:?}");
        pair.nothing_granted().await
    });
}

#[test]
fn backups_that_run_at_once_are_told_apart() {
    isolated(async || {
        let mut options = PairOptions::real("concurrent", 5);
        options.velero.concurrent_backups = 2;
        let pair = Pair::start_real(options).await?;
        let mut shops = Vec::new();
        for namespace in ["one", "two"] {
            let made = pair.with(Workload::stateful_set(namespace, "db", 2), &HookPlan::default()).await?;
            let spec = json!({"includedNamespaces": [namespace], "orderedResources": {"pods": made.ordered()}});
            pair.velero.submit(namespace, spec).await?;
            shops.push((namespace, made));
        }
        for (namespace, made) in &shops {
            let night = pair.finished(namespace).await?;
            assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
            exact(&pair, &night, made, &group_of_set(namespace, "db"), Verdict::GroupConsistent).await?;
        }
        // They really ran side by side: the second's first hook came before the first's last.
        let seen = pair.velero.timeline();
        let pre_of_two = seen.hooks_of(&shops[1].1.pods[0].name, HookPhase::Pre);
        let post_of_one = seen.hooks_of(&shops[0].1.pods[1].name, HookPhase::Post);
        assert!(pre_of_two[0].started < post_of_one[0].started, "{seen}");
        pair.nothing_granted().await
    });
}
