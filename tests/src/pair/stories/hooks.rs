//! Hooks that fail, or come too late: is it in the receipt, and is nothing held?

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::verdict::{Verdict, VerdictReason};

use crate::pair::check::exact;
use crate::pair::{HookPlan, Pair};
use crate::velero::backup::Phase;
use crate::velero::cluster::{Made, Workload};

/// A coordinator says what it has to say within this, or never.
const PATIENCE: Duration = Duration::from_mins(1);

/// In `namespace`, one of two pods of a group has hooks that cannot work: the Backup is `PartiallyFailed`, the receipt names the pod.
///
/// # Panics
/// When the Backup's phase or the receipt is another.
pub async fn one_of_two_is_never_quiesced(pair: &Pair, namespace: &str, wrong: &HookPlan) -> Result<()> {
    let by_hand = |name: &str| Workload::stateful_set(namespace, name, 1).label(LABEL_SNAPSHOT_GROUP, "mine");
    let good = pair.with(by_hand("a"), &HookPlan::default()).await?;
    let bad = pair.with(by_hand("b"), wrong).await?;
    let night = pair.back_up(namespace, json!({"includedNamespaces": [namespace]})).await?;
    assert_eq!(night.phase, Phase::PartiallyFailed, "{}", night.seen);
    let both = Made { pods: good.pods.iter().chain(&bad.pods).cloned().collect() };
    let group = GroupKey { namespace: Namespace::new(namespace)?, group: GroupId::new("mine")? };
    let receipt = exact(pair, &night, &both, &group, Verdict::CrashConsistent).await?;
    assert_eq!(receipt.why, VerdictReason::NeverQuiesced { pod: "b-0".to_owned() });
    pair.nothing_granted().await
}

/// Nobody releases a hook until Velero has given up on it, goes on and cuts. Wants `--round-idle` of a second or so.
///
/// # Panics
/// When the Backup's phase is another, or the receipt calls the cut consistent.
pub async fn a_pre_outlives_veleros_timeout(mut pair: Pair) -> Result<()> {
    let plan = HookPlan::default().velero_timeout(Duration::from_secs(1)).flags(&["--hold", "3s"]);
    pair.with(Workload::stateful_set("shop", "db", 1), &plan).await?;
    pair.coordinators[0].kill();
    let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
    assert_eq!(night.phase, Phase::PartiallyFailed, "{}", night.seen);
    pair.start_coordinator("coordinator-a").await?;
    let told = pair.coordinators[1].line("group_receipt", PATIENCE, |_| true).await;
    assert!(told["verdict"] != "group-consistent" && told["verdict"] != "member-consistent", "{told}");
    pair.nothing_granted().await
}
