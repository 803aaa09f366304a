//! Native snapshots, which leave no object in the cluster: what may a receipt say of cuts that nobody sees?

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::admission::Admission;
use shared::names::BUDGET_LEASE;
use shared::receipt::Receipt;
use shared::verdict::{Verdict, VerdictReason};
use testbed::api::{Effect, Fault, Target};
use testbed::binaries;
use testbed::pair::check::{first_cut, held_at_most, honest, hooks_begun};
use testbed::pair::stories::{self, Cloud, NATIVE_FLAGS};
use testbed::pair::{HookPlan, Night, Pair, PairOptions, group_of_namespace, group_of_set};
use testbed::velero::VolumeMode;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;
use testbed::velero::truth::Consistency;

fn native(name: &str, budget: u32) -> PairOptions {
    let mut options = PairOptions::new(name, budget);
    options.velero.volume_mode = VolumeMode::Native;
    options
}

fn is_unseen(receipt: &Receipt) -> bool {
    receipt.verdict == Verdict::Unknown && matches!(receipt.why, VerdictReason::CutNotObserved { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_cuts_nobody_sees_does_not_keep_its_share_from_the_next() -> Result<()> {
    let pair = Pair::start(native("native-two", 1)).await?;
    let one = pair.with(Workload::deployment("one", "a"), &HookPlan::default()).await?;
    let two = pair.with(Workload::deployment("two", "b"), &HookPlan::default()).await?;
    let night = pair.back_up("b", json!({"includedNamespaces": ["one", "two"]})).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    for (made, namespace) in [(&one, "one"), (&two, "two")] {
        assert_eq!(night.truth(made).consistency, Consistency::GroupConsistent, "{}", night.seen);
        let receipt = honest(&pair, &night, made, &group_of_namespace(namespace)).await?;
        assert!(is_unseen(&receipt), "{receipt:?}");
        let released = receipt.members.iter().all(|member| member.admission == Some(Admission::Released));
        assert!(released, "{receipt:?}\n{}", night.seen);
    }
    assert_eq!(held_at_most(&night.seen, &[&one, &two]), 1, "{}", night.seen);
    pair.nothing_granted().await
}

/// Nothing is to be done: the simulator itself knows its cuts.
struct Simulated;

impl Cloud for Simulated {
    async fn laid(&self, _pair: &Pair) -> Result<()> {
        Ok(())
    }

    fn told(&self, _pair: &Pair, night: Night) -> Result<Night> {
        Ok(night)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_schedule_cuts_a_group_together_by_the_label_of_its_claims() -> Result<()> {
    let program = binaries::hook_agent().display().to_string();
    let options = native("native-generated", 5).flags(&NATIVE_FLAGS).flags(&["--hook-command", &program]);
    let pair = Pair::start(options).await?;
    stories::a_generated_schedule_cuts_a_group_together(&pair, &Simulated).await
}

/// Why hooks do not bound a native cut: Velero takes a lost exec stream for success and cuts, while the hook still waits. It quiesces later,
/// post lets go, and both are in the Lease in good order, with the cut before the first of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_before_a_quiesce_that_velero_did_not_wait_for_is_not_claimed() -> Result<()> {
    let mut options = native("native-lost", 5);
    // Long enough that the hooks quiesce between the first cut and the second, on a busy machine too.
    options.velero.native_cut = Duration::from_secs(10);
    let pair = Pair::start(options).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
    let nobody_is_granted = Target::any().resource("leases").name(BUDGET_LEASE).user("coordinator-a");
    let fault =
        pair.server().faults().add(Fault::new(nobody_is_granted, Effect::Refuse { code: 503, retry_after_s: None }));
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    pair.velero.submit("b", spec).await?;
    for hook in 1..=2 {
        hooks_begun(&pair, hook).await?;
        pair.velero.node().lose_exec_streams();
    }
    first_cut(&pair).await?;
    pair.server().faults().remove(fault);
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "Velero noticed nothing: {}", night.seen);
    assert_eq!(night.truth(&made).consistency, Consistency::CrashConsistent, "{}", night.seen);
    let receipt = honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
    let looks_good =
        receipt.members.iter().all(|member| member.quiesced_at < member.thawed_at && member.quiesced_at.is_some());
    assert!(looks_good && is_unseen(&receipt), "{receipt:?}\n{}", night.seen);
    pair.nothing_granted().await
}
