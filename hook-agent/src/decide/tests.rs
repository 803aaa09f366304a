//! What a waiting hook decides, by example and for any view.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shared::admission::Mode;
use shared::group_lease::AttemptEntry;
use shared::identity::{GroupKey, Nonce, PodName, PodUid};
use shared::time::WallTime;

use super::*;

const LIMITS: Limits = Limits {
    hook_timeout_ms: 60_000,
    deadline_ms: 54_000,
    silence_ms: 25_000,
    hold_s: 600,
    on_deadline: Policy::Go,
    on_unreachable: Policy::Fail,
};

fn word(verdict: AttemptVerdict) -> Word {
    Word { verdict, epoch: Epoch(7), unheld: false }
}

/// Hears each word at its time, with the API server answering at the last of them, then decides at `now_ms`.
#[track_caller]
fn check(heard: &[(u64, Option<AttemptVerdict>)], contact_ms: u64, now_ms: u64, expected: Next) {
    let mut view = View::new(0);
    for (at_ms, verdict) in heard {
        view.hear(verdict.map(word), *at_ms);
    }
    view.contact(contact_ms);
    assert_eq!(decide(&view, &LIMITS, now_ms), expected);
}

#[test]
fn a_verdict_decides_at_once_and_also_at_the_deadline() {
    for now_ms in [0, 53_999, 54_000, 99_999] {
        check(
            &[(0, Some(AttemptVerdict::Admitted))],
            0,
            now_ms,
            Next::Released(Release { epoch: Epoch(7), unheld: false }),
        );
        check(&[(0, Some(AttemptVerdict::Ended))], 0, now_ms, Next::Ended);
    }
    check(&[(0, Some(AttemptVerdict::Superseded))], 0, 1, Next::Follow);
}

#[test]
fn a_coordinator_that_never_spoke_is_unreachable() {
    check(&[], 24_000, 0, Next::Wait { until_ms: 25_000 });
    check(&[(3_000, None)], 24_000, 24_999, Next::Wait { until_ms: 25_000 });
    check(&[], 24_000, 25_000, Next::Unreleased(Unreleased::Unreachable));
    // Also when the deadline comes first: "raise the budget" would be the wrong advice.
    let mut short = LIMITS;
    short.deadline_ms = 2_000;
    assert_eq!(decide(&View::new(0), &short, 1_999), Next::Wait { until_ms: 2_000 });
    assert_eq!(decide(&View::new(0), &short, 2_000), Next::Unreleased(Unreleased::Unreachable));
}

#[test]
fn a_coordinator_that_spoke_may_take_its_time_while_the_api_server_lives() {
    let waiting = [(1_000, Some(AttemptVerdict::Waiting))];
    check(&waiting, 30_000, 30_000, Next::Wait { until_ms: 54_000 });
    check(&waiting, 53_000, 54_000, Next::Unreleased(Unreleased::Deadline));
    // The API server fell silent.
    check(&waiting, 10_000, 34_999, Next::Wait { until_ms: 35_000 });
    check(&waiting, 10_000, 35_000, Next::Unreleased(Unreleased::Unreachable));
}

#[test]
fn a_word_that_vanishes_starts_the_silence_anew() {
    let deleted = [(1_000, Some(AttemptVerdict::Waiting)), (20_000, None), (30_000, None)];
    check(&deleted, 40_000, 44_999, Next::Wait { until_ms: 45_000 });
    check(&deleted, 40_000, 45_000, Next::Unreleased(Unreleased::Unreachable));
    check(&deleted, 54_000, 54_000, Next::Unreleased(Unreleased::Deadline));
}

#[test]
fn a_refusal_is_not_waited_out() {
    let mut view = View::new(0);
    view.refuse();
    assert_eq!(decide(&view, &LIMITS, 1), Next::Unreleased(Unreleased::Refused));
}

#[test]
fn policies_and_records_follow_the_reason() {
    assert_eq!(Unreleased::Deadline.policy(&LIMITS), Policy::Go);
    assert_eq!(Unreleased::Refused.policy(&LIMITS), Policy::Fail);
    assert_eq!(Unreleased::Deadline.admission(), Admission::OverBudget);
    assert_eq!(Unreleased::Unreachable.admission(), Admission::Unreachable);
    assert_eq!(Unreleased::Refused.admission(), Admission::Unreachable);
}

fn attempt(bits: u64) -> AttemptId {
    AttemptId { pod_uid: PodUid::new("u-1").unwrap(), nonce: Nonce::from_bits(bits) }
}

fn group(phase: RoundPhase, verdict: AttemptVerdict) -> GroupLease {
    GroupLease {
        key: "prod/db".parse::<GroupKey>().unwrap(),
        epoch: Epoch(3),
        phase,
        mode: Mode::ArriveAndGo,
        degraded: false,
        call: None,
        attempts: BTreeMap::from([(attempt(1), AttemptEntry::new(PodName::new("db-0").unwrap(), verdict))]),
        weight: 1,
        wait: None,
        backup: None,
        writer: "coordinator".to_owned(),
        opened_at: WallTime::EPOCH,
        renewed_at: WallTime::EPOCH,
        round_duration_s: 600,
        receipt: None,
    }
}

#[test]
fn an_admission_counts_for_this_attempt_and_only_while_the_round_is_released() {
    let released = group(RoundPhase::Released, AttemptVerdict::Admitted);
    let word = Word { verdict: AttemptVerdict::Admitted, epoch: Epoch(3), unheld: false };
    assert_eq!(word_about(&released, &attempt(1)), Some(word));
    let mut unheld = released.clone();
    unheld.attempts.values_mut().for_each(|entry| entry.unheld = true);
    assert_eq!(word_about(&unheld, &attempt(1)), Some(Word { unheld: true, ..word }));
    assert_eq!(word_about(&released, &attempt(2)), None);
    for phase in [RoundPhase::Closed, RoundPhase::Waiting] {
        assert_eq!(word_about(&group(phase, AttemptVerdict::Admitted), &attempt(1)), None);
        assert!(word_about(&group(phase, AttemptVerdict::Ended), &attempt(1)).is_some());
    }
}

fn any_word() -> impl Strategy<Value = Option<AttemptVerdict>> {
    proptest::option::of(proptest::sample::select(AttemptVerdict::ALL))
}

proptest! {
    /// I4: whatever was heard, nobody waits past the deadline, and each wait ends after now.
    #[test]
    fn nobody_waits_past_the_deadline(
        words in proptest::collection::vec((0u64..100_000, any_word()), 0..6),
        contact_ms in 0u64..100_000,
        now_ms in 0u64..200_000,
        deadline_ms in 1_000u64..100_000,
        silence_ms in 1u64..100_000,
        refused: bool,
    ) {
        let limits = Limits { deadline_ms, silence_ms, ..LIMITS };
        let mut view = View::new(0);
        for (at_ms, verdict) in words {
            view.hear(verdict.map(word), at_ms.min(now_ms));
        }
        view.contact(contact_ms.min(now_ms));
        if refused {
            view.refuse();
        }
        match decide(&view, &limits, now_ms) {
            Next::Wait { until_ms } => prop_assert!(now_ms < until_ms && until_ms <= deadline_ms),
            Next::Follow => prop_assert!(now_ms < deadline_ms),
            Next::Released(_) => prop_assert_eq!(view.word.map(|w| w.verdict), Some(AttemptVerdict::Admitted)),
            Next::Ended => prop_assert_eq!(view.word.map(|w| w.verdict), Some(AttemptVerdict::Ended)),
            Next::Unreleased(_) => {}
        }
    }
}
