//! More work than budget: does everybody get through, and never too many at once?

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::admission::Admission;
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_namespace, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};

use testbed::pair::check::{exact, held_at_most, honest};

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn two_groups_share_a_budget_of_one() -> Result<()> {
    let pair = Pair::start(PairOptions::new("budget-one", 1).workers(4)).await?;
    let one = pair.with(Workload::deployment("one", "a"), &HookPlan::default()).await?;
    let two = pair.with(Workload::deployment("two", "b"), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["one", "two"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &one, &group_of_namespace("one"), Verdict::GroupConsistent).await?;
    exact(&pair, &night, &two, &group_of_namespace("two"), Verdict::GroupConsistent).await?;
    assert_eq!(held_at_most(&night.seen, &[&one, &two]), 1, "{}", night.seen);
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_bigger_than_the_budget_goes_alone() -> Result<()> {
    let pair = Pair::start(PairOptions::new("budget-big", 2).workers(8)).await?;
    let small = pair.with(Workload::deployment("one", "a"), &HookPlan::default()).await?;
    let big = pair.with(Workload::stateful_set("two", "db", 3), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["one", "two"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &small, &group_of_namespace("one"), Verdict::GroupConsistent).await?;
    let receipt = honest(&pair, &night, &big, &group_of_set("two", "db")).await?;
    let released = |m: &shared::receipt::MemberReceipt| m.admission == Some(Admission::Released);
    assert!(receipt.members.iter().all(released), "{receipt:?}");
    assert!(held_at_most(&night.seen, &[&small, &big]) <= 3, "never both: {}", night.seen);
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_released_by_its_deadline_goes_on_and_it_is_said() -> Result<()> {
    let mut options = PairOptions::new("budget-late", 1).workers(4);
    options.velero.cut_delay = Duration::from_secs(6);
    let pair = Pair::start(options).await?;
    let patient = pair.with(Workload::deployment("one", "a"), &HookPlan::default()).await?;
    let hasty = HookPlan::default().flags(&["--deadline", "2s"]);
    let late = pair.with(Workload::deployment("two", "b"), &hasty).await?;
    // The first must have the budget before the second asks.
    pair.velero.submit("first", json!({"includedNamespaces": ["one"]})).await?;
    pair.coordinator().line("group_granted", PATIENCE, |_| true).await;
    pair.velero.submit("second", json!({"includedNamespaces": ["two"]})).await?;
    // Velero runs one Backup at a time, so the second waits in the queue, not at the gate.
    let (first, second) = (pair.finished("first").await?, pair.finished("second").await?);
    assert_eq!((first.phase, second.phase), (Phase::Completed, Phase::Completed), "{}", second.seen);
    exact(&pair, &first, &patient, &group_of_namespace("one"), Verdict::GroupConsistent).await?;
    exact(&pair, &second, &late, &group_of_namespace("two"), Verdict::GroupConsistent).await?;
    // Both in one Backup: now the second is at the gate while the first is cut.
    let both = pair.back_up("both", json!({"includedNamespaces": ["one", "two"]})).await?;
    let receipts = [
        honest(&pair, &both, &patient, &group_of_namespace("one")).await?,
        honest(&pair, &both, &late, &group_of_namespace("two")).await?,
    ];
    let admissions: Vec<_> = receipts.iter().filter_map(|receipt| receipt.members[0].admission).collect();
    let over = admissions.iter().filter(|admission| **admission == Admission::OverBudget).count();
    // Whoever came first was released; the hasty one is over budget unless it was the first.
    assert!(over <= 1 && admissions.len() == 2 && admissions[0] == Admission::Released, "{receipts:?}");
    pair.nothing_granted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_backups_of_one_namespace_are_two_rounds() -> Result<()> {
    let pair = Pair::start(PairOptions::new("budget-two", 5)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    for name in ["first", "second"] {
        pair.velero.submit(name, spec.clone()).await?;
    }
    let group = group_of_set("shop", "db");
    let mut epochs = Vec::new();
    for name in ["first", "second"] {
        let night = pair.finished(name).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        epochs.push(exact(&pair, &night, &made, &group, Verdict::GroupConsistent).await?.epoch);
    }
    assert!(epochs[0] < epochs[1], "{epochs:?}");
    pair.nothing_granted().await
}

/// One worker goes through a namespace by name: `a-cache`, `db-0`, `db-1`, `web`. The first and the last are one group, which has its
/// share while the other asks for its own: too much together, and Velero comes to `web` only after `db`.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_interleave_do_not_wait_for_each_other() -> Result<()> {
    let pair = Pair::start(PairOptions::new("budget-interleaved", 2)).await?;
    let plan = HookPlan::default().timeout(Duration::from_secs(20));
    let first = pair.with(Workload::deployment("shop", "a-cache"), &plan).await?;
    let db = pair.with(Workload::stateful_set("shop", "db", 2), &plan).await?;
    let last = pair.with(Workload::deployment("shop", "web"), &plan).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    let others = Made { pods: first.pods.into_iter().chain(last.pods).collect() };
    exact(&pair, &night, &others, &group_of_namespace("shop"), Verdict::MemberConsistent).await?;
    exact(&pair, &night, &db, &group_of_set("shop", "db"), Verdict::MemberConsistent).await?;
    let waits = db.pods.iter().chain(&others.pods).filter_map(|pod| night.seen.wait(&pod.name)).max();
    assert!(waits < Some(Duration::from_secs(10)), "{waits:?}\n{}", night.seen);
    assert!(held_at_most(&night.seen, &[&db, &others]) <= 2, "{}", night.seen);
    pair.nothing_granted().await
}
