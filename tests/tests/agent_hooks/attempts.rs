//! More than one run of the hook in one pod: one after another, at once, after a crash.

use shared::admission::{AttemptVerdict, MemberPhase, RoundPhase};

use crate::bed::{Bed, group};

#[tokio::test]
async fn pre_after_pre_registers_anew() {
    let bed = Bed::start().await;
    let first = bed.hook("pre").start();
    let one = bed.waiting().await;
    bed.release(7, &[&one]);
    first.ended().await.check(0, &[]);

    let second = bed.hook("pre").start();
    let two = bed.waiting_other_than(&one).await;
    let waiting = bed.member().expect("a registration");
    assert!(waiting.quiesced_at.is_none() && waiting.admission.is_none(), "the first run shines through: {waiting:?}");
    bed.release(8, &[&two]);
    second.ended().await.check(0, &["released in round 8"]);
}

#[tokio::test]
async fn two_at_once_both_get_through_and_only_one_reports() {
    let bed = Bed::start().await;
    let first = bed.hook("pre").start();
    let one = bed.waiting().await;
    let second = bed.hook("pre").start();
    let two = bed.waiting_other_than(&one).await;
    bed.say(&group(
        RoundPhase::Waiting,
        6,
        &[(&one, AttemptVerdict::Superseded), (&two, AttemptVerdict::Waiting)],
        None,
    ));
    first.says("a later run of the hook has taken over").await;
    bed.say(&group(
        RoundPhase::Released,
        7,
        &[(&one, AttemptVerdict::Superseded), (&two, AttemptVerdict::Admitted)],
        None,
    ));
    second.ended().await.check(0, &["released in round 7"]);
    first.ended().await.check(0, &["a later run of the hook got through (quiesced)"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.attempt, member.phase), (two, MemberPhase::Quiesced));
}

#[tokio::test]
async fn an_overtaken_run_that_is_admitted_does_not_write_over_the_later_one() {
    let bed = Bed::start().await;
    let first = bed.hook("pre").start();
    let one = bed.waiting().await;
    let second = bed.hook("pre").start();
    let two = bed.waiting_other_than(&one).await;
    // The coordinator wrote this before it saw the second registration.
    bed.release(7, &[&one]);
    first.says("a later run of the hook has taken over").await;
    assert_eq!(bed.member().expect("a registration").attempt, two);
    bed.release(7, &[&two]);
    second.ended().await.check(0, &["released in round 7"]);
    first.ended().await.check(0, &["got through (quiesced)"]);
}

#[tokio::test]
async fn pre_after_a_killed_pre_takes_its_place() {
    let bed = Bed::start().await;
    let killed = bed.hook("pre").start();
    let one = bed.waiting().await;
    killed.signal("KILL");
    assert!(killed.ended().await.status.code().is_none(), "a kill leaves no exit code");
    assert_eq!(bed.member().expect("what it left").phase, MemberPhase::Waiting);

    let pre = bed.hook("pre").start();
    let two = bed.waiting_other_than(&one).await;
    bed.release(7, &[&two]);
    pre.ended().await.check(0, &["released in round 7"]);
}

#[tokio::test]
async fn an_overtaken_run_takes_its_place_back_when_the_later_one_withdraws() {
    let bed = Bed::start().await;
    let first = bed.hook("pre").start();
    let one = bed.waiting().await;
    let second = bed.hook("pre").start();
    let two = bed.waiting_other_than(&one).await;
    bed.say(&group(RoundPhase::Waiting, 6, &[(&one, AttemptVerdict::Superseded)], None));
    first.says("a later run of the hook has taken over").await;
    second.signal("TERM");
    second.ended().await.check(20, &[]);
    first.says("registers again: it was told to stop").await;
    let three = bed.waiting_other_than(&two).await;
    assert_ne!(three, one, "a superseded attempt's name is used up");
    bed.release(7, &[&three]);
    first.ended().await.check(0, &["released in round 7"]);
}

#[tokio::test]
async fn an_overtaken_run_waits_no_longer_than_its_own_deadline() {
    let bed = Bed::start().await;
    let first = bed.hook("pre").env("HOOK_TIMEOUT", "3s").start();
    let one = bed.waiting().await;
    let second = bed.hook("pre").start();
    let two = bed.waiting_other_than(&one).await;
    bed.say(&group(RoundPhase::Waiting, 6, &[(&one, AttemptVerdict::Superseded)], None));
    let ended = first.ended().await;
    ended.check(0, &["GOES ON WITHOUT A RELEASE", "over-budget", "a later run of the hook still waits"]);
    assert!(ended.took.as_millis() < 3_000, "Velero's timeout came first: {:?}", ended.took);
    assert_eq!(bed.member().expect("a registration").attempt, two, "the later run's Lease was touched");
    bed.release(7, &[&two]);
    second.ended().await.check(0, &[]);
}

#[tokio::test]
async fn a_verdict_that_makes_no_sense_does_not_turn_into_a_loop() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let one = bed.waiting().await;
    // Superseded by nobody: the Lease is still this run's own.
    bed.say(&group(RoundPhase::Waiting, 6, &[(&one, AttemptVerdict::Superseded)], None));
    let two = bed.waiting_other_than(&one).await;
    bed.say(&group(RoundPhase::Waiting, 6, &[(&two, AttemptVerdict::Superseded)], None));
    let three = bed.waiting_other_than(&two).await;
    bed.say(&group(RoundPhase::Waiting, 6, &[(&three, AttemptVerdict::Superseded)], None));
    pre.ended().await.check(15, &["registered 3 times"]);
}
