//! Attempts that are ended from outside: by a signal, or by the post hook of a pre that still waits.

use std::time::Duration;

use shared::admission::{AttemptVerdict, MemberPhase, RoundPhase};
use testbed::api::{Effect, Fault, Target};

use crate::bed::{Bed, USER, group};

async fn withdraws_on(signal: &str) {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    pre.signal(signal);
    let ended = pre.ended().await;
    ended.check(20, &[&format!("SIG{signal} came"), "withdrawn", "exit code 20"]);
    let member = bed.member().expect("the registration");
    assert_eq!((member.attempt, member.phase), (attempt, MemberPhase::Withdrawn));
}

#[tokio::test]
async fn sigterm_withdraws_the_registration() {
    withdraws_on("TERM").await;
}

#[tokio::test]
async fn sigint_withdraws_the_registration() {
    withdraws_on("INT").await;
}

#[tokio::test]
async fn a_signal_ends_a_hook_that_cannot_reach_anybody() {
    let bed = Bed::start().await;
    bed.api.faults().add(Fault::new(Target::any().user(USER), Effect::Silence));
    let pre = bed.hook("pre").start();
    pre.says("registers and waits").await;
    pre.signal("TERM");
    let ended = pre.ended().await;
    ended.check(20, &["SIGTERM came", "could not be withdrawn and will expire"]);
    assert!(ended.took < Duration::from_secs(10), "it took {:?}", ended.took);
}

#[tokio::test]
async fn post_while_pre_waits_ends_both() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    bed.hook("post").run().await.check(0, &["done in group", "not proven to have been quiesced"]);
    bed.say(&group(RoundPhase::Closed, 6, &[(&attempt, AttemptVerdict::Ended)], None));
    pre.ended().await.check(15, &["ended while it waited", "exit code 15"]);
    assert_eq!(bed.member().expect("the registration").phase, MemberPhase::Done, "pre must not write over post");
}

#[tokio::test]
async fn post_while_pre_waits_is_noticed_without_a_coordinator() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    bed.waiting().await;
    bed.hook("post").run().await.check(0, &[]);
    pre.ended().await.check(15, &["its Lease says `done`"]);
    assert_eq!(bed.member().expect("the registration").phase, MemberPhase::Done);
}

#[tokio::test]
async fn post_between_release_and_report_is_not_written_over() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.hook("post").run().await.check(0, &[]);
    bed.release(7, &[&attempt]);
    pre.ended().await.check(15, &["its Lease says `done`"]);
    assert_eq!(bed.member().expect("the registration").phase, MemberPhase::Done);
}
