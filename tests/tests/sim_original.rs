//! Does the model of the original process a group as the simulated Velero does when its hooks never return?

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use testbed::original::{Layout, Reading, Scenario, StepKind, play};
use testbed::velero::VeleroSettings;
use testbed::velero::bed::{Bed, back_up};
use testbed::velero::cluster::Workload;
use testbed::velero::hook_calls::HookPhase;
use testbed::velero::truth::{Consistency, truth_verdict};

/// Stands for the original's 10 minutes.
const TIMEOUT: Duration = Duration::from_millis(400);

const MEMBERS: u32 = 3;

/// Runs a hook that waits for ever and compares order, phase and verdict with the model's.
async fn check(layout: Layout) -> Result<()> {
    let bed = Bed::start().await?;
    let waits_for_ever = ["/bin/sh", "-c", "while true; do sleep 0.1; done"];
    let workload = Workload::stateful_set("db", "db", MEMBERS).shell_hooks("true", "true").hook(
        HookPhase::Pre,
        &waits_for_ever,
        "Fail",
        TIMEOUT,
    );
    let made = bed.with(&workload).await?;
    let workers = if let Layout::ParallelWorkers(workers) = layout { workers } else { 1 };
    let velero = bed.velero(VeleroSettings { item_block_workers: workers, ..VeleroSettings::quick() }).await?;
    let mut spec = json!({"includedNamespaces": ["db"]});
    if layout == Layout::OneBlock {
        spec["orderedResources"] = json!({"pods": made.ordered()});
    }
    let (phase, seen) = back_up(&velero, "b", spec).await?;

    let model = play(&Scenario::new(MEMBERS as usize, layout, Reading::Unquoted));
    let step = |kind: StepKind| match kind {
        StepKind::PreStarted(member) => Some(format!("pre db-{member}")),
        StepKind::Cut(member) => Some(format!("cut data-db-{member}")),
        StepKind::PostRan(member) => Some(format!("post db-{member}")),
        _ => None,
    };
    let mut expected: Vec<String> = model.steps.iter().filter_map(|s| step(s.kind)).collect();
    let mut order: Vec<String> = seen.order().split(" · ").map(str::to_owned).collect();
    if workers > 1 {
        // Which of the workers is first is nobody's promise: all wait, then all are cut.
        expected.sort_by_key(|step| (step.starts_with("cut"), step.clone()));
        let firsts = order.iter().take_while(|step| step.starts_with("pre")).count();
        assert_eq!(firsts, MEMBERS as usize, "{seen}");
        order.sort_by_key(|step| (step.starts_with("cut"), step.clone()));
    }
    assert_eq!(order, expected, "{layout:?}: {seen}");
    assert_eq!(phase, model.phase, "{layout:?}: {seen}");
    assert_eq!(
        truth_verdict(&seen, &made.names(), None).consistency,
        Consistency::CrashConsistent,
        "{layout:?}: {seen}"
    );
    assert_eq!(model.consistency, Consistency::CrashConsistent);
    Ok(())
}

#[tokio::test]
async fn each_pod_alone() -> Result<()> {
    check(Layout::EachPodAlone).await
}

#[tokio::test]
async fn one_block() -> Result<()> {
    check(Layout::OneBlock).await
}

#[tokio::test]
async fn parallel_workers() -> Result<()> {
    check(Layout::ParallelWorkers(4)).await
}
