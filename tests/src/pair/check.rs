//! What must hold after every round, whichever Velero it was?

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use shared::identity::GroupKey;
use shared::receipt::Receipt;
use shared::verdict::Verdict;

use super::{Night, Pair, compare};
use crate::velero::cluster::Made;
use crate::velero::hook_calls::HookPhase;
use crate::velero::truth::{Fact, StepKind, Timeline};

/// Velero comes to a pod within this, or never: a real one needs seconds, two cores may be busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// The receipt that a group left on a Backup, which claims no more than is true and names every member.
///
/// # Panics
/// When it names others.
pub async fn honest(pair: &Pair, night: &Night, made: &Made, group: &GroupKey) -> Result<Receipt> {
    let receipt = pair.receipt(&night.backup, group).await.with_context(|| night.seen.to_string())?;
    compare(receipt.verdict, &night.truth(made)).with_context(|| night.seen.to_string())?;
    assert_eq!(receipt.members.len(), made.pods.len(), "{receipt:?}");
    Ok(receipt)
}

/// The same, and it says what is true, and that is `verdict`; it was told once.
///
/// # Panics
/// When it says anything else, or was told twice.
pub async fn exact(pair: &Pair, night: &Night, made: &Made, group: &GroupKey, verdict: Verdict) -> Result<Receipt> {
    let receipt = honest(pair, night, made, group).await?;
    assert_eq!(receipt.verdict, verdict, "{receipt:?}\n{}", night.seen);
    assert_eq!(night.truth(made).consistency.as_str(), verdict.as_str(), "{}", night.seen);
    // The annotation may be seen before the line arrives.
    let is_it = |line: &Value| is_receipt_of(line, night, group);
    pair.coordinator().line("group_receipt", PATIENCE, is_it).await;
    let told = pair.logged_receipts(group);
    assert_eq!(told.iter().filter(|line| is_receipt_of(line, night, group)).count(), 1, "{told:?}");
    Ok(receipt)
}

fn is_receipt_of(line: &Value, night: &Night, group: &GroupKey) -> bool {
    line["backup"] == night.backup.as_str()
        && line["namespace"] == group.namespace.as_str()
        && line["group_id"] == group.group.as_str()
}

/// The most volumes that were at once between the return of their pod's pre hook and the start of its post hook.
pub fn held_at_most(seen: &Timeline, workloads: &[&Made]) -> usize {
    let volumes: BTreeMap<_, _> =
        workloads.iter().flat_map(|made| &made.pods).map(|pod| (pod.name.clone(), pod.claims.len())).collect();
    let (mut held, mut most) = (0_usize, 0_usize);
    for entry in seen.entries() {
        match &entry.fact {
            Fact::HookReported { pod, phase: HookPhase::Pre, reported, .. } if reported.is_success() => {
                held += volumes.get(pod).copied().unwrap_or(0);
            }
            Fact::HookStarted { pod, phase: HookPhase::Post, .. } => held -= volumes.get(pod).copied().unwrap_or(0),
            _ => {}
        }
        most = most.max(held);
    }
    most
}

/// Waits until Velero has begun to cut.
pub async fn first_cut(pair: &Pair) -> Result<()> {
    pair.velero.truth().wait_until("a volume is cut", PATIENCE, |seen| !seen.cuts().is_empty()).await?;
    Ok(())
}

/// Waits until so many pre hooks run or have run.
pub async fn hooks_begun(pair: &Pair, count: usize) -> Result<()> {
    let begun = |seen: &Timeline| seen.steps().iter().filter(|step| step.kind == StepKind::Pre).count() >= count;
    pair.velero.truth().wait_until("pre hooks run", PATIENCE, begun).await?;
    Ok(())
}
