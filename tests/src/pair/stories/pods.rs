//! Pods that go, or come again under the same name, while their group is cut.

use anyhow::Result;
use shared::receipt::MemberEnd;
use shared::verdict::Verdict;

use super::shop;
use crate::pair::check::{exact, first_cut};
use crate::pair::{HookPlan, Night, Pair, compare, group_of_set};
use crate::velero::cluster::{Made, Workload, delete_pod, replace_pod};

/// A pod is deleted after the first cut.
///
/// # Panics
/// When the receipt does not say so.
pub async fn a_pod_is_deleted_in_mid_round(pair: Pair) -> Result<()> {
    let (made, spec) = shop(&pair).await?;
    pair.velero.submit("b", spec).await?;
    first_cut(&pair).await?;
    delete_pod(&pair.client, &made.pods[0].name).await?;
    let night = pair.finished("b").await?;
    ended_without_the_first(&pair, &night, &made).await
}

/// A pod is deleted after the first cut, and made anew under its name; the next Backup has a whole group again.
///
/// # Panics
/// When a receipt takes one for the other.
pub async fn a_pod_comes_again_in_mid_round(pair: Pair) -> Result<()> {
    let (mut made, spec) = shop(&pair).await?;
    let workload = pair.dressed(Workload::stateful_set("shop", "db", 3), &HookPlan::default());
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

/// The round whose first pod went away ended, claims no more than is true, and says of that pod that it is gone.
async fn ended_without_the_first(pair: &Pair, night: &Night, made: &Made) -> Result<()> {
    let receipt = pair.receipt("b", &group_of_set("shop", "db")).await?;
    compare(receipt.verdict, &night.truth(made))?;
    let first = receipt.members.iter().find(|member| member.pod.as_str() == "db-0");
    assert_eq!(first.map(|member| member.end), Some(MemberEnd::PodGone), "{receipt:?}\n{}", night.seen);
    pair.nothing_granted().await
}
