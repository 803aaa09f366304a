//! The judge and the verifier over random members and cuts: two implementations that can disagree (I3).

use coordinator_core::judge::{Evidence, judge, quiesce_skew_ms, skew_ms};
use coordinator_core::verify::{Outcome, verify};
use proptest::prelude::*;
use shared::admission::Mode;
use shared::identity::PodName;
use shared::quiesce::LetGo;
use shared::receipt::{CutReceipt, MemberEnd, MemberReceipt, Receipt};
use shared::time::WallTime;
use shared::verdict::Verdict;

const BASE: i64 = 1_800_000_000_000_000;

/// Odd µs beside whole seconds: a boundary is hit from both sides, and exactly.
fn moment(around_ms: std::ops::Range<i64>) -> impl Strategy<Value = WallTime> {
    let us = prop_oneof![Just(0i64), Just(0), Just(1), Just(-1), -999i64..999];
    (around_ms, us).prop_map(|(ms, us)| WallTime::from_micros(BASE + (ms / 50) * 50_000 + us))
}

fn resolution() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1u64), Just(1_000), Just(0), 0u64..1_500, Just(604_800_000)]
}

/// A member as a round leaves it: what a Lease proves is what `member_receipt` keeps of it.
fn member() -> impl Strategy<Value = (MemberReceipt, usize)> {
    let ends = [
        MemberEnd::Done,
        MemberEnd::Done,
        MemberEnd::Failed,
        MemberEnd::PodGone,
        MemberEnd::Expired,
        MemberEnd::Open,
        MemberEnd::NeverArrived,
        MemberEnd::Withdrawn,
    ];
    let let_go = prop::option::of(prop::sample::select(LetGo::ALL));
    let held = (prop::option::weighted(0.9, moment(0..500)), prop::option::weighted(0.9, moment(2_000..4_000)));
    let cuts = prop::collection::vec((moment(400..2_400), resolution()), 0..3);
    let uncut = prop_oneof![6 => Just(0usize), 1 => 1usize..3];
    // By how much the wall clock was set meanwhile; absent: nobody knows.
    let set =
        prop::option::of(prop_oneof![4 => Just(0i64), 1 => -600i64..600, 1 => Just(3_600_000), 1 => Just(-3_600_000)]);
    (prop::sample::select(ends.to_vec()), let_go, held, cuts, uncut, any::<bool>(), set).prop_map(
        |(end, let_go, (from, to), cuts, uncut, unheld, set)| {
            let proven = from.filter(|_| end != MemberEnd::NeverArrived && let_go != Some(LetGo::Unproven));
            let thawed_at = proven.and(to).filter(|_| end != MemberEnd::PodGone);
            let cuts: Vec<CutReceipt> = cuts
                .into_iter()
                .enumerate()
                .map(|(i, (at, resolution_ms))| CutReceipt { claim: format!("data-{i}"), at, resolution_ms })
                .collect();
            let member = MemberReceipt {
                pod: PodName::new("db").unwrap(),
                volumes: u32::try_from(cuts.len() + uncut).unwrap(),
                end,
                admission: None,
                waited_ms: None,
                quiesced_at: proven,
                thawed_at,
                steady_ms: from
                    .zip(to)
                    .zip(set)
                    .and_then(|((from, to), set)| u64::try_from(to.ms_since(from) - set).ok()),
                let_go: proven.and(let_go),
                unheld: unheld && proven.is_none(),
                failure: None,
                cuts,
            };
            (member, uncut)
        },
    )
}

/// What the product writes about these members.
fn written(members: &[(MemberReceipt, usize)], clock_error_ms: u64, frozen_max: Option<u32>) -> Receipt {
    let evidence: Vec<_> = members.iter().map(|(member, uncut)| Evidence { member, uncut: *uncut }).collect();
    let (verdict, why) = judge(&evidence, clock_error_ms, frozen_max);
    Receipt {
        namespace: "prod".parse().unwrap(),
        group: "db".parse().unwrap(),
        epoch: None,
        backup: Some("b".to_owned()),
        mode: Mode::Lead,
        way: None,
        degraded: false,
        weight: 1,
        opened_at: WallTime::from_micros(BASE),
        closed_at: WallTime::from_micros(BASE),
        members: members.iter().map(|(member, _)| member.clone()).collect(),
        members_omitted: 0,
        earlier_rounds: None,
        frozen_max,
        quiesce_skew_ms: quiesce_skew_ms(&evidence, clock_error_ms),
        clock_error_ms: Some(clock_error_ms),
        skew_ms: skew_ms(&evidence),
        verdict,
        why,
    }
}

fn clock_error() -> impl Strategy<Value = u64> {
    prop_oneof![Just(50u64), Just(0), 0u64..500, Just(u64::MAX)]
}

/// Members that mostly hold over all cuts, so that the strong verdicts come often.
fn members() -> impl Strategy<Value = Vec<(MemberReceipt, usize)>> {
    let sound = member().prop_filter("held", |(m, uncut)| m.thawed_at.is_some() && *uncut == 0);
    prop_oneof![prop::collection::vec(member(), 0..5), prop::collection::vec(sound, 1..4)]
}

/// All verdicts, the strongest first.
const STRONGEST_FIRST: [Verdict; 5] =
    [Verdict::GroupConsistent, Verdict::MemberConsistent, Verdict::CrashConsistent, Verdict::Unknown, Verdict::Failed];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_judge_writes_is_what_its_facts_prove(
        members in members(), error in clock_error(), frozen_max in prop::option::of(1u32..3)
    ) {
        let receipt = written(&members, error, frozen_max);
        let check = verify(&receipt);
        prop_assert_eq!(check.outcome(), Outcome::Agrees, "{:?} {:?}", check, receipt);
    }

    /// Whoever writes a stronger word into a receipt is caught, whichever, and so is who shortens a span.
    #[test]
    fn a_stronger_word_is_caught(members in members(), error in clock_error()) {
        let receipt = written(&members, error, None);
        for verdict in STRONGEST_FIRST.into_iter().take_while(|verdict| *verdict != receipt.verdict) {
            let check = verify(&Receipt { verdict, ..receipt.clone() });
            prop_assert_eq!(check.outcome(), Outcome::ClaimsMore, "{:?} {:?}", verdict, receipt);
        }
        let absent = verify(&Receipt { clock_error_ms: None, ..receipt.clone() });
        prop_assert!(absent.outcome() != Outcome::ClaimsLess, "{:?} {:?}", absent, receipt);
    }

    /// A receipt that was cut off to fit is contradicted by nothing that is left of it.
    #[test]
    fn what_is_left_of_a_long_receipt_contradicts_nothing(members in members(), error in clock_error(), keep in 0usize..4) {
        let mut receipt = written(&members, error, None);
        let left_out = receipt.members.len().saturating_sub(keep);
        receipt.members.truncate(keep);
        receipt.members_omitted = u32::try_from(left_out).unwrap();
        let check = verify(&receipt);
        prop_assert!(matches!(check.outcome(), Outcome::Agrees | Outcome::Unchecked), "{:?} {:?}", check, receipt);
    }

    /// Evidence that is taken away leaves the old word too strong, or leaves it true; never too weak.
    #[test]
    fn facts_that_are_worsened_never_prove_more(members in members(), error in clock_error(), coarser in 1u64..5_000) {
        let receipt = written(&members, error, None);
        let mut worse = receipt.clone();
        for cut in worse.members.iter_mut().flat_map(|member| &mut member.cuts) {
            cut.resolution_ms = cut.resolution_ms.saturating_add(coarser);
        }
        let (before, after) = (verify(&receipt).proof.strongest, verify(&worse).proof.strongest);
        let place = |verdict| STRONGEST_FIRST.iter().position(|v| *v == verdict);
        prop_assert!(place(before) <= place(after), "{:?} {:?} {:?}", before, after, receipt);
    }
}
