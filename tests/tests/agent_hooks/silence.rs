//! Deadlines and a coordinator that says nothing.

use std::time::Duration;

use shared::admission::{Admission, MemberPhase};

use crate::bed::Bed;

/// Velero's shortest workable timeout; the hook must end before it.
const HOOK_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn at_the_deadline_it_goes_on_and_says_so() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "3s").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    let ended = pre.ended().await;
    ended.check(0, &["GOES ON WITHOUT A RELEASE", "over-budget", "not released before the deadline", ", reported"]);
    assert!(ended.took < HOOK_TIMEOUT, "Velero's timeout came first: {:?}", ended.took);
    let member = bed.member().expect("a registration");
    assert_eq!(
        (member.phase, member.admission, member.epoch),
        (MemberPhase::Quiesced, Some(Admission::OverBudget), None)
    );
    bed.hook("post").run().await.check(0, &["let go"]);
}

#[tokio::test]
async fn at_the_deadline_it_fails_when_told_to() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("DEADLINE", "1500ms").arg("--on-deadline").arg("fail").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.ended().await.check(10, &["not released before the deadline", "exit code 10", "raise the budget"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.quiesced_at), (MemberPhase::Failed, None));
}

#[tokio::test]
async fn a_coordinator_that_never_speaks_does_not_stop_the_backup() {
    let bed = Bed::start().await;
    let ended = bed.hook("pre").env("COORDINATOR_TIMEOUT", "1s").run().await;
    ended.check(0, &["(unreachable)", "nobody answered", "the coordinator said nothing about this pod", ", reported"]);
    assert_eq!(bed.member().expect("a registration").admission, Some(Admission::Unreachable));
    bed.hook("post").run().await.check(0, &["let go"]);
}

#[tokio::test]
async fn a_coordinator_that_never_speaks_fails_the_hook_when_told_to() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("COORDINATOR_TIMEOUT", "1s").env("ON_UNREACHABLE", "fail");
    pre.run().await.check(11, &["nobody answered", "is the coordinator running?"]);
    assert_eq!(bed.member().expect("a registration").phase, MemberPhase::Failed);
}

#[tokio::test]
async fn a_silent_coordinator_is_named_even_when_the_deadline_is_shorter() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("DEADLINE", "1s").env("ON_DEADLINE", "fail").env("ON_UNREACHABLE", "fail");
    pre.run().await.check(11, &["the coordinator said nothing about this pod"]);
}
