//! Receipts whose proof can be told beforehand, and such as no judge would write.

use super::*;
use shared::admission::{Admission, Mode};
use shared::identity::PodName;
use shared::quiesce::LetGo;
use shared::receipt::{CutReceipt, EarlierRounds, MemberEnd, MemberReceipt};
use shared::time::WallTime;
use shared::verdict::{Verdict, VerdictReason};

fn at(ms: i64) -> WallTime {
    WallTime::from_micros(1_000_000_000_000).plus_ms(ms)
}

/// Held over a span of ms, with one volume, cut at a ms that is known to 10 ms.
fn member(i: usize, held: (i64, i64), cut: i64) -> MemberReceipt {
    MemberReceipt {
        pod: PodName::new(format!("db-{i}")).unwrap(),
        volumes: 1,
        end: MemberEnd::Done,
        admission: Some(Admission::Released),
        waited_ms: None,
        quiesced_at: Some(at(held.0)),
        thawed_at: Some(at(held.1)),
        steady_ms: None,
        let_go: Some(LetGo::Asked),
        unheld: false,
        failure: None,
        cuts: vec![CutReceipt { claim: format!("data-{i}"), at: at(cut), resolution_ms: 10 }],
    }
}

/// A receipt that says group-consistent, with clocks that are at most 50 ms apart.
fn group_consistent(members: Vec<MemberReceipt>) -> Receipt {
    Receipt {
        namespace: "prod".parse().unwrap(),
        group: "db".parse().unwrap(),
        epoch: None,
        backup: Some("nightly".to_owned()),
        mode: Mode::ArriveAndGo,
        way: None,
        degraded: false,
        weight: 2,
        opened_at: at(0),
        closed_at: at(2_000),
        members,
        members_omitted: 0,
        earlier_rounds: None,
        frozen_max: None,
        quiesce_skew_ms: None,
        clock_error_ms: Some(50),
        skew_ms: None,
        verdict: Verdict::GroupConsistent,
        why: VerdictReason::QuiescesCoverAllCuts,
    }
}

fn good() -> Receipt {
    group_consistent(vec![member(0, (0, 1_000), 100), member(1, (50, 1_000), 900)])
}

fn saying(verdict: Verdict, why: VerdictReason, receipt: Receipt) -> Receipt {
    Receipt { verdict, why, ..receipt }
}

#[test]
fn a_span_that_covers_every_cut_by_exactly_the_error_is_enough_and_one_ms_less_is_not() {
    assert_eq!(verify(&good()).findings, []);
    for held in [(51, 1_000), (50, 959)] {
        let short = group_consistent(vec![member(0, (0, 1_000), 100), member(1, held, 900)]);
        let proven = if held.1 == 959 { Verdict::Unknown } else { Verdict::MemberConsistent };
        let says = Verdict::GroupConsistent;
        assert_eq!(verify(&short).findings, [Finding::VerdictTooStrong { says, proven }], "{held:?}");
    }
}

#[test]
fn what_nobody_vouches_for_is_no_hold() {
    for (change, proven) in [
        ((|m| m.let_go = Some(LetGo::Unproven)) as fn(&mut MemberReceipt), Verdict::CrashConsistent),
        (|m| m.end = MemberEnd::NeverArrived, Verdict::CrashConsistent),
        (|m| m.quiesced_at = None, Verdict::CrashConsistent),
        (|m| m.cuts[0].at = at(1_051), Verdict::CrashConsistent),
        (|m| m.end = MemberEnd::PodGone, Verdict::Unknown),
        (|m| m.thawed_at = None, Verdict::Unknown),
        (|m| m.steady_ms = Some(950 + 53), Verdict::Unknown),
        (|m| (m.steady_ms, m.thawed_at) = (Some(950), Some(at(3_600_000))), Verdict::Unknown),
        (|m| m.volumes = 2, Verdict::Unknown),
        (|m| m.cuts[0].resolution_ms = 1_000, Verdict::Unknown),
        (|m| m.cuts[0].resolution_ms = u64::MAX, Verdict::Unknown),
    ] {
        let mut receipt = good();
        change(&mut receipt.members[1]);
        let check = verify(&receipt);
        assert_eq!(check.proof, Proof { weakest: proven, strongest: proven }, "{receipt:?}");
        assert_eq!(check.outcome(), Outcome::ClaimsMore);
    }
    // A claim that is listed twice is one volume's cut.
    let mut twice = good();
    twice.members[1].volumes = 2;
    let again = twice.members[1].cuts[0].clone();
    twice.members[1].cuts.push(again);
    assert_eq!(verify(&twice).proof.strongest, Verdict::Unknown);
    // As much as clocks may be apart, and what is cut off at both ends, is no jump.
    let mut close = good();
    close.members[1].steady_ms = Some(950 + 52);
    assert_eq!(verify(&close).outcome(), Outcome::Agrees);
    // What it was told matters to nobody: it held.
    let mut told = good();
    (told.members[1].unheld, told.members[0].admission) = (true, Some(Admission::OverBudget));
    assert_eq!(verify(&told).outcome(), Outcome::Agrees);
}

#[test]
fn one_that_claims_less_is_told_apart() {
    let why = VerdictReason::CutNotObserved { pod: "db-0".to_owned() };
    let check = verify(&saying(Verdict::Unknown, why, good()));
    assert_eq!(check.outcome(), Outcome::ClaimsLess);
    assert_eq!(check.findings[0].to_string(), "it says unknown, and its facts prove group-consistent");
    let nothing = verify(&saying(Verdict::Failed, VerdictReason::NothingHappened, group_consistent(vec![])));
    assert_eq!(nothing.outcome(), Outcome::Agrees, "no member, nothing claimed");
}

#[test]
fn without_the_clocks_error_only_what_depends_on_it_is_left_open() {
    let mut old = good();
    old.clock_error_ms = None;
    let check = verify(&old);
    assert_eq!(check.findings, [Finding::CannotTell(Missing::ClockError)]);
    assert_eq!(check.outcome(), Outcome::Unchecked);
    // A cut outside the hold by clocks that agree exactly is no better by clocks that do not.
    old.members[1].cuts[0].at = at(995);
    assert_eq!(verify(&old).outcome(), Outcome::ClaimsMore);
    // Who never held still is torn by any clock.
    old.members[1].quiesced_at = None;
    let torn = saying(Verdict::CrashConsistent, VerdictReason::NeverQuiesced { pod: "db-1".to_owned() }, old);
    assert_eq!(verify(&torn).outcome(), Outcome::Agrees);
}

#[test]
fn members_that_did_not_fit_leave_open_what_they_could_change() {
    let mut cut_off = good();
    cut_off.members_omitted = 3;
    assert_eq!(verify(&cut_off).findings, [Finding::CannotTell(Missing::Members(3))]);
    cut_off.members[0].thawed_at = Some(at(500));
    assert_eq!(verify(&cut_off).outcome(), Outcome::ClaimsMore, "who is listed lets go before the last cut");
    cut_off.members[0].quiesced_at = None;
    let torn = VerdictReason::NeverQuiesced { pod: "db-0".to_owned() };
    assert_eq!(verify(&saying(Verdict::CrashConsistent, torn, cut_off)).outcome(), Outcome::Agrees);
}

#[test]
fn earlier_rounds_lower_what_is_proven_and_never_raise_it() {
    let why = VerdictReason::NeverQuiesced { pod: "db-1".to_owned() };
    let torn = EarlierRounds { count: 2, worst: Verdict::CrashConsistent, why: why.clone() };
    let kept = Receipt { earlier_rounds: Some(Box::new(torn)), ..good() };
    assert_eq!(verify(&kept).outcome(), Outcome::ClaimsMore, "the last round by itself");
    assert_eq!(verify(&saying(Verdict::CrashConsistent, why, kept)).outcome(), Outcome::Agrees);
    let fine = EarlierRounds { count: 1, worst: Verdict::GroupConsistent, why: VerdictReason::QuiescesCoverAllCuts };
    let mut let_go = Receipt { earlier_rounds: Some(Box::new(fine)), ..good() };
    assert_eq!(verify(&let_go).outcome(), Outcome::Agrees);
    let_go.members[1].thawed_at = Some(at(500));
    assert_eq!(verify(&let_go).outcome(), Outcome::ClaimsMore);
}

#[test]
fn a_reason_of_another_verdict_is_a_contradiction() {
    let why = VerdictReason::NeverQuiesced { pod: "db-1".to_owned() };
    let check = verify(&saying(Verdict::GroupConsistent, why, good()));
    assert_eq!(check.outcome(), Outcome::ClaimsMore);
    assert_eq!(check.findings[0].to_string(), "it says group-consistent and gives a reason for crash-consistent");
}

#[test]
fn spans_may_be_longer_than_the_facts_and_never_shorter() {
    // Cuts at 100 and 900 ms, each known to 10 ms; quiesces at 0 and 50 ms, by clocks that are 50 ms off.
    for (cuts, quiesces, outcome) in [
        (Some(810), Some(150), Outcome::Agrees),
        (Some(900), Some(900), Outcome::Agrees),
        (None, None, Outcome::Agrees),
        (Some(809), None, Outcome::ClaimsMore),
        (None, Some(149), Outcome::ClaimsMore),
    ] {
        let check = verify(&Receipt { skew_ms: cuts, quiesce_skew_ms: quiesces, ..good() });
        assert_eq!(check.outcome(), outcome, "{cuts:?} {quiesces:?}");
    }
    let mut unseen = Receipt { skew_ms: Some(5_000), ..good() };
    unseen.members[0].volumes = 2;
    assert!(verify(&unseen).findings.contains(&Finding::CutSkewUnfounded));
    let mut unheld = Receipt { quiesce_skew_ms: Some(5_000), ..good() };
    unheld.members[0].quiesced_at = None;
    assert!(verify(&unheld).findings.contains(&Finding::QuiesceSkewUnfounded));
    let alone = group_consistent(vec![member(0, (0, 1_000), 100)]);
    assert_eq!(verify(&Receipt { skew_ms: Some(0), quiesce_skew_ms: Some(0), ..alone }).findings, []);
}
