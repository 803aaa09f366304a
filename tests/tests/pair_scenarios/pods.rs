//! Pods that go, or come again under the same name, while their group is cut.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use shared::receipt::MemberEnd;
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Night, Pair, PairOptions, compare, group_of_set};
use testbed::velero::cluster::{Made, Workload, delete_pod, replace_pod};

use testbed::pair::check::{exact, first_cut};

const PATIENCE: Duration = Duration::from_mins(1);

struct Shop {
    pair: Pair,
    workload: Workload,
    made: Made,
    spec: Value,
}

async fn shop(name: &str) -> Result<Shop> {
    let mut options = PairOptions::new(name, 5);
    options.velero.csi_poll = Duration::from_secs(1);
    let pair = Pair::start(options).await?;
    let workload = pair.dressed(Workload::stateful_set("shop", "db", 3), &HookPlan::default());
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    Ok(Shop { pair, workload, made, spec })
}

/// The round whose first pod went away ended soon, claims no more than is true, and says of that pod that it is gone.
async fn ended_without_the_first(pair: &Pair, night: &Night, made: &Made) -> Result<()> {
    let receipt = pair.receipt("b", &group_of_set("shop", "db")).await?;
    compare(receipt.verdict, &night.truth(made))?;
    let first = receipt.members.iter().find(|member| member.pod.as_str() == "db-0");
    assert_eq!(first.map(|member| member.end), Some(MemberEnd::PodGone), "{receipt:?}\n{}", night.seen);
    tokio::time::timeout(PATIENCE, pair.nothing_granted()).await?
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_deleted_in_mid_round_frees_its_share() -> Result<()> {
    let Shop { pair, made, spec, .. } = shop("pod-deleted").await?;
    pair.velero.submit("b", spec).await?;
    first_cut(&pair).await?;
    delete_pod(&pair.client, &made.pods[0].name).await?;
    let night = pair.finished("b").await?;
    ended_without_the_first(&pair, &night, &made).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_comes_again_in_mid_round_is_another_pod() -> Result<()> {
    let Shop { pair, workload, mut made, spec } = shop("pod-replaced").await?;
    pair.velero.submit("b", spec.clone()).await?;
    first_cut(&pair).await?;
    let again = replace_pod(&pair.client, &workload, 0).await?;
    assert_ne!(again.uid, made.pods[0].uid);
    let night = pair.finished("b").await?;
    ended_without_the_first(&pair, &night, &made).await?;
    made.pods[0] = again;
    pair.labelled(&made.pods[0].name).await?;
    let next = pair.back_up("next", spec).await?;
    exact(&pair, &next, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
    pair.nothing_granted().await
}
