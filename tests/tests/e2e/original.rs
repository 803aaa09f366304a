//! What becomes of the users of the design that this product replaces, in the same bed? And is the model of its rules right?
//!
//! With times shorter than its own; `make bench-e2e` has the real ones.

use std::time::Duration;

use anyhow::ensure;
use testbed::original::{Layout, Reading, Scenario, play};
use testbed::original_real::{Measured, OriginalBed};
use testbed::velero::backup::Phase;

use crate::run::isolated;

/// Longer than one of the pre hook's pauses, far shorter than its 10 minutes.
const PRE_TIMEOUT_S: u64 = 15;

/// For the hook that is released, which must not be given up on by a busy machine.
const LONG_PRE_TIMEOUT_S: u64 = 90;

/// So that the coordinator looks while hooks wait.
const COORDINATOR_EVERY_S: u64 = 5;

const COORDINATOR_EVERY: Duration = Duration::from_secs(COORDINATOR_EVERY_S);

const MEMBERS: u32 = 3;

fn scenario(layout: Layout, reading: Reading) -> Scenario {
    Scenario {
        pre_timeout_s: PRE_TIMEOUT_S,
        coordinator_every_s: COORDINATOR_EVERY_S,
        ..Scenario::new(MEMBERS as usize, layout, reading)
    }
}

fn check(measured: &Measured, scenario: &Scenario) -> anyhow::Result<()> {
    let contradictions = measured.contradictions(&play(scenario));
    ensure!(contradictions.is_empty(), "{scenario:?}:\n{}\n{measured:#?}", contradictions.join("\n"));
    Ok(())
}

/// One group's Backup from begin to end, held against the model.
async fn play_out(bed: &OriginalBed, name: &str, scenario: Scenario) -> anyhow::Result<()> {
    let made = bed.put(name, MEMBERS, scenario.reading).await?;
    for _ in 0..scenario.completed_before {
        bed.leave_completed(name).await?;
    }
    check(&bed.back_up(name, &made, &scenario).await?, &scenario)
}

#[test]
fn with_one_worker_every_hook_waits_in_vain_and_nothing_is_consistent() {
    isolated(async || {
        let bed = OriginalBed::start(1, COORDINATOR_EVERY).await?;
        // Before the scripts are in the image.
        play_out(&bed, "installed", scenario(Layout::EachPodAlone, Reading::AsInstalled)).await?;
        // One marker "completed" is left from before, so the first to wait is matched.
        let lucky = scenario(Layout::EachPodAlone, Reading::Labelled);
        let lucky = Scenario { completed_before: 1, pre_timeout_s: LONG_PRE_TIMEOUT_S, ..lucky };
        tokio::try_join!(
            play_out(&bed, "literal", scenario(Layout::EachPodAlone, Reading::Literal)),
            play_out(&bed, "unquoted", scenario(Layout::OneBlock, Reading::Unquoted)),
            play_out(&bed, "lucky", lucky),
        )?;
        Ok(())
    });
}

#[test]
fn with_four_workers_every_hook_waits_in_vain_at_once() {
    isolated(async || {
        let bed = OriginalBed::start(4, COORDINATOR_EVERY).await?;
        tokio::try_join!(
            play_out(&bed, "labelled", scenario(Layout::ParallelWorkers(4), Reading::Labelled)),
            play_out(&bed, "literal", scenario(Layout::ParallelWorkers(4), Reading::Literal)),
        )?;
        Ok(())
    });
}

#[test]
fn its_own_schedule_stores_no_volume_and_calls_that_completed() {
    isolated(async || {
        let bed = OriginalBed::start(1, COORDINATOR_EVERY).await?;
        let made = bed.put("shop", MEMBERS, Reading::Labelled).await?;
        let (phase, seen) = bed.back_up_as_scheduled("auto-shop-db", "shop").await?;
        ensure!(phase == Phase::Completed, "{phase}:\n{seen}");
        ensure!(seen.hooks().is_empty() && seen.cuts().is_empty() && seen.stored_pods().is_empty(), "{seen}");
        ensure!(!made.pods.is_empty());
        Ok(())
    });
}
