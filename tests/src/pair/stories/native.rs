//! Native snapshots by what the coordinator writes for them: the label on the claims, and the Schedule that names it.

use anyhow::Result;
use serde_json::Value;

use super::super::check::honest;
use super::super::{HookPlan, Night, Pair, group_of_set, without};
use crate::velero::backup::Phase;
use crate::velero::cluster::{Made, Workload};
use crate::velero::truth::Consistency;

/// Flags of a coordinator for this story, beside those of its bed.
pub const NATIVE_FLAGS: [&str; 6] =
    ["--schedules", "apply", "--check-interval-seconds", "10", "--snapshot-way", "native"];

/// What the bed has to do before the first Backup, and with each night before the next one begins.
pub trait Cloud {
    /// The volumes are in the cluster.
    fn laid(&self, pair: &Pair) -> impl Future<Output = Result<()>>;

    /// A night is over.
    fn told(&self, pair: &Pair, night: Night) -> Result<Night>;
}

/// As the Schedule says, a group's pods are one block. Without the list of its pods too, as for one that came after the Schedule was written: the
/// label joins them. Without a word of the label, with the same claims, each is cut by itself.
///
/// # Panics
/// When it is otherwise.
pub async fn a_generated_schedule_cuts_a_group_together(pair: &Pair, cloud: &impl Cloud) -> Result<()> {
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::by_schedule()).await?;
    cloud.laid(pair).await?;
    let template = pair.generated("shop-db").await?;
    pair.claims_labelled(&made, &group_of_set("shop", "db")).await?;
    let mut unlisted = template.clone();
    without(&mut unlisted, "orderedResources");
    let mut apart = unlisted.clone();
    without(&mut apart, "volumeGroupSnapshotLabelKey");

    for (backup, spec) in [("as-generated", template), ("by-label", unlisted)] {
        let night = three_cuts(pair, cloud, backup, spec).await?;
        assert!(night.seen.is_one_block(), "{}", night.seen);
        is_true(pair, &night, &made, Consistency::GroupConsistent).await?;
    }
    let night = three_cuts(pair, cloud, "apart", apart).await?;
    assert!(!night.seen.is_one_block(), "{}", night.seen);
    is_true(pair, &night, &made, Consistency::MemberConsistent).await?;
    pair.nothing_granted().await
}

async fn three_cuts(pair: &Pair, cloud: &impl Cloud, backup: &str, spec: Value) -> Result<Night> {
    let night = cloud.told(pair, pair.back_up(backup, spec).await?)?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    assert_eq!(night.seen.cuts().len(), 3, "{}", night.seen);
    Ok(night)
}

async fn is_true(pair: &Pair, night: &Night, made: &Made, expected: Consistency) -> Result<()> {
    assert_eq!(night.truth(made).consistency, expected, "{}", night.seen);
    let receipt = honest(pair, night, made, &group_of_set("shop", "db")).await?;
    let held = receipt.members.iter().filter_map(shared::receipt::MemberReceipt::held_ms).max();
    println!("{}: skew {:?}, held at most {held:?} ms", night.backup, night.seen.skew());
    Ok(())
}
