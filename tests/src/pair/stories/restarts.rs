//! Velero or a coordinator dies in the middle: does the round end, and is the next night as any other?

use anyhow::Result;
use shared::verdict::Verdict;

use super::shop;
use crate::pair::check::{exact, first_cut, hooks_begun};
use crate::pair::{Pair, compare, group_of_set};
use crate::velero::backup::Phase;

/// Velero is killed after the first cut and started again: its Backup is lost, nothing stays granted, the next one is whole.
///
/// # Panics
/// When a phase or a verdict is another.
pub async fn velero_dies_in_mid_backup(mut pair: Pair) -> Result<()> {
    let (made, spec) = shop(&pair).await?;
    pair.velero.submit("b", spec.clone()).await?;
    first_cut(&pair).await?;
    pair.restart_velero(|_| {}).await?;
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Failed, "{}", night.seen);
    let group = group_of_set("shop", "db");
    let receipt = pair.receipt("b", &group).await?;
    compare(receipt.verdict, &night.truth(&made))?;
    pair.nothing_granted().await?;
    let next = pair.back_up("next", spec).await?;
    assert_eq!(next.phase, Phase::Completed, "{}", next.seen);
    exact(&pair, &next, &made, &group, Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}

/// The only coordinator is killed while hooks run, and started again.
///
/// # Panics
/// When the round is not as if nothing had happened.
pub async fn a_coordinator_is_killed_in_mid_round(mut pair: Pair) -> Result<()> {
    let (made, spec) = shop(&pair).await?;
    pair.velero.submit("b", spec).await?;
    hooks_begun(&pair, 2).await?;
    pair.coordinators.remove(0).kill();
    pair.start_coordinator("coordinator-a").await?;
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}

/// The leader of two coordinators is killed while hooks run.
///
/// # Panics
/// When the round is not as if nothing had happened.
pub async fn the_second_coordinator_takes_over(mut pair: Pair) -> Result<()> {
    let (made, spec) = shop(&pair).await?;
    pair.start_coordinator("coordinator-b").await?;
    pair.velero.submit("b", spec).await?;
    hooks_begun(&pair, 2).await?;
    pair.coordinators.remove(0).kill();
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}
