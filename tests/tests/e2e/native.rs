//! Native EBS snapshots by Velero's own plugin: how short is the freeze, and does the receipt agree with EC2's own log?

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use shared::admission::Admission;
use shared::receipt::Receipt;
use shared::verdict::{Verdict, VerdictReason};
use testbed::aws::ec2::Cut;
use testbed::ebs::Ebs;
use testbed::pair::check::{held_at_most, honest};
use testbed::pair::stories::{self, Cloud, NATIVE_FLAGS};
use testbed::pair::{HookPlan, Night, Pair, PairOptions, group_of_namespace, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;
use testbed::velero::truth::{Consistency, CutWay};

use crate::run::isolated;

/// A CSI block of three is held for fifteen seconds, for want of a poll in between; a native one was seen at 0.2 s. Between the two is room
/// for a busy machine.
const HELD_MAX: Duration = Duration::from_secs(5);

/// One machine has one clock; times in receipts are cut off to microseconds.
const CLOCK_ERROR_US: i64 = 1_000;

#[test]
fn a_native_block_of_three_is_held_for_a_fraction_of_a_second() {
    isolated(async || {
        let ebs = Ebs::start(CutWay::Native);
        let pair = Pair::start_real(ebs.native(PairOptions::real("native", 5))).await?;
        ebs.put_location(&pair.client).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
        ebs.lay(&pair.client).await?;
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        let night = pair.back_up("b", spec).await?;
        let night = ebs.told(&pair, night)?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        assert!(night.seen.is_one_block() && night.seen.cuts().len() == 3, "{}", night.seen);
        assert_eq!(night.truth(&made).consistency, Consistency::GroupConsistent, "{}", night.seen);
        for cut in ebs.ec2.cuts() {
            assert_eq!(cut.tags.get("velero.io/backup").map(String::as_str), Some("b"), "{cut:?}");
        }

        // Nothing in the cluster tells when a native cut was, so nothing is claimed; but what the members say bounds the truth.
        let receipt = honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
        assert_eq!(receipt.verdict, Verdict::Unknown, "{receipt:?}");
        assert!(matches!(receipt.why, VerdictReason::CutNotObserved { .. }), "{receipt:?}");
        assert_eq!(receipt.skew_ms, None, "{receipt:?}");
        check_bounds(&receipt, &ebs.ec2.cuts())?;
        let held = receipt.members.iter().filter_map(shared::receipt::MemberReceipt::held_ms).max();
        let held = Duration::from_millis(held.context("every member was held")?);
        println!("skew {:?}, held at most {held:?}", night.seen.skew());
        assert!(held < HELD_MAX, "held for {held:?}: {}", night.seen);
        pair.nothing_granted().await
    });
}

/// EC2 knows the volumes before the first cut, and tells of the cuts.
struct Real(Ebs);

impl Cloud for Real {
    async fn laid(&self, pair: &Pair) -> Result<()> {
        self.0.lay(&pair.client).await
    }

    fn told(&self, pair: &Pair, night: Night) -> Result<Night> {
        self.0.told(pair, night)
    }
}

#[test]
fn a_generated_schedule_cuts_a_group_together_by_the_label_of_its_claims() {
    isolated(async || {
        let ebs = Ebs::start(CutWay::Native);
        let options = ebs.native(PairOptions::real("native-generated", 5).flags(&NATIVE_FLAGS));
        let pair = Pair::start_real(options).await?;
        ebs.put_location(&pair.client).await?;
        stories::a_generated_schedule_cuts_a_group_together(&pair, &Real(ebs)).await
    });
}

/// Every cut that EC2 made lies between the last quiesce and the first thaw that the receipt tells of.
fn check_bounds(receipt: &Receipt, cuts: &[Cut]) -> Result<()> {
    let quiesced = receipt.members.iter().map(|m| m.quiesced_at).collect::<Option<Vec<_>>>();
    let thawed = receipt.members.iter().map(|m| m.thawed_at).collect::<Option<Vec<_>>>();
    let first = quiesced.and_then(|all| all.into_iter().max()).context("all members were quiesced")?;
    let last = thawed.and_then(|all| all.into_iter().min()).context("all members were let go")?;
    for cut in cuts {
        let at_us = cut.at.as_microsecond();
        let is_inside = at_us >= first.as_micros() - CLOCK_ERROR_US && at_us <= last.as_micros() + CLOCK_ERROR_US;
        assert!(is_inside, "{cut:?} is not within {first:?} to {last:?}");
    }
    Ok(())
}

#[test]
fn a_group_whose_native_cuts_nobody_sees_does_not_keep_its_share_from_the_next() {
    isolated(async || {
        let ebs = Ebs::start(CutWay::Native);
        let pair = Pair::start_real(ebs.native(PairOptions::real("native-two", 1))).await?;
        ebs.put_location(&pair.client).await?;
        let one = pair.with(Workload::deployment("one", "a"), &HookPlan::default()).await?;
        let two = pair.with(Workload::deployment("two", "b"), &HookPlan::default()).await?;
        ebs.lay(&pair.client).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["one", "two"]})).await?;
        let night = ebs.told(&pair, night)?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        for (made, namespace) in [(&one, "one"), (&two, "two")] {
            assert_eq!(night.truth(made).consistency, Consistency::GroupConsistent, "{}", night.seen);
            let receipt = honest(&pair, &night, made, &group_of_namespace(namespace)).await?;
            let admitted: Vec<_> = receipt.members.iter().map(|member| (member.admission, member.waited_ms)).collect();
            println!("{namespace}: {admitted:?}");
            assert!(admitted.iter().all(|(how, _)| *how == Some(Admission::Released)), "{receipt:?}");
        }
        assert_eq!(held_at_most(&night.seen, &[&one, &two]), 1, "{}", night.seen);
        pair.nothing_granted().await
    });
}
