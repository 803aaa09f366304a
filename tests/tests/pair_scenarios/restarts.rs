//! Velero or a coordinator dies in the middle: does the round end, and is the next night as any other?

use std::time::Duration;

use anyhow::Result;
use testbed::pair::{Pair, PairOptions, stories};

/// Cuts that take their time.
async fn slow(name: &str) -> Result<Pair> {
    let mut options = PairOptions::new(name, 5);
    options.velero.csi_poll = Duration::from_secs(1);
    Pair::start(options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn velero_dies_in_mid_backup_and_nothing_stays_granted() -> Result<()> {
    stories::velero_dies_in_mid_backup(slow("velero-dies").await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_killed_in_mid_round_loses_nothing() -> Result<()> {
    stories::a_coordinator_is_killed_in_mid_round(slow("coordinator-dies").await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_coordinator_takes_over_in_mid_round() -> Result<()> {
    stories::the_second_coordinator_takes_over(slow("takes-over").await?).await
}
