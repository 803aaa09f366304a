//! Pods that go, or come again under the same name, while their group is cut.

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
async fn a_pod_deleted_in_mid_round_frees_its_share() -> Result<()> {
    stories::a_pod_is_deleted_in_mid_round(slow("pod-deleted").await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_comes_again_in_mid_round_is_another_pod() -> Result<()> {
    stories::a_pod_comes_again_in_mid_round(slow("pod-replaced").await?).await
}
