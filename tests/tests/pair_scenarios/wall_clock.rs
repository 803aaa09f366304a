//! A pod whose wall clock is set while it is held: its receipt says that, and claims nothing.

use std::time::Duration;

use anyhow::Result;
use coordinator_core::verify::{Outcome, verify};
use serde_json::json;
use shared::verdict::{Verdict, VerdictReason};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::cluster::Workload;
use testbed::velero::hook_calls::HookPhase;
use testbed::velero::truth::{Fact, Timeline};
use testbed::wall_clock::WallClock;

const HOLDS: &str = "- exec: {freeze: [/bin/true], thaw: [/bin/true]}";

/// Time for the setting, between the return of the pre hook and the start of the post hook.
const CUT_DELAY: Duration = Duration::from_secs(3);

async fn is_unknown(by_s: i32, name: &str) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("pair-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let Some(clock) = WallClock::right(&folder) else { return Ok(()) };
    let mut options = PairOptions::new(name, 5);
    options.velero.cut_delay = CUT_DELAY;
    let pair = Pair::start(options).await?;
    let workload = Workload::stateful_set("shop", "db", 1)
        .env("STATE_DIR", &folder.display().to_string())
        .env("ALARM_FILE", &folder.join("alarm").display().to_string());
    let workload = clock.variables().iter().fold(workload, |workload, (name, value)| workload.env(name, value));
    pair.with(workload, &HookPlan::default().flags(&["--quiesce", HOLDS])).await?;
    pair.velero.submit("b", json!({"includedNamespaces": ["shop"]})).await?;
    let held = |seen: &Timeline| {
        let returned = |fact: &Fact| matches!(fact, Fact::HookReported { phase: HookPhase::Pre, .. });
        seen.entries().iter().any(|entry| returned(&entry.fact))
    };
    pair.velero.truth().wait_until("the pod is held", Duration::from_mins(1), held).await?;
    clock.set(by_s);
    let night = pair.finished("b").await?;
    let receipt = pair.receipt("b", &group_of_set("shop", "db")).await?;
    let VerdictReason::ClockJumped { pod, by_ms } = &receipt.why else { panic!("{receipt:?}\n{}", night.seen) };
    assert_eq!((receipt.verdict, pod.as_str()), (Verdict::Unknown, "db-0"));
    assert!(by_ms.abs_diff(u64::from(by_s.unsigned_abs()) * 1_000) < 10, "set by {by_s} s: {receipt:?}");
    assert_eq!(verify(&receipt).outcome(), Outcome::Agrees, "{receipt:?}");
    pair.nothing_granted().await?;
    drop(clock);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forth_while_its_pod_is_held_makes_it_unknown() -> Result<()> {
    is_unknown(3_600, "clock-forth").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_while_its_pod_is_held_makes_it_unknown() -> Result<()> {
    is_unknown(-3_600, "clock-back").await
}
