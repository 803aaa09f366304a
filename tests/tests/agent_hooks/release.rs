//! A group that is released: at once, after a wait, and with no more requests than promised.

use shared::admission::{Admission, AttemptVerdict, MemberPhase, RoundPhase};
use shared::group_lease::{Epoch, WaitReason};

use crate::bed::{Bed, GROUP, NAMESPACE, POD, POD_UID, group};

#[tokio::test]
async fn released_at_once_then_let_go_takes_four_requests() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    let ended = pre.ended().await;
    ended.check(0, &["registers and waits", "released in round 7", "nothing to freeze", "reported"]);
    ended.check_lines_name(&format!("hook-agent pre: {NAMESPACE}/{POD} ({GROUP}): "));

    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.attempt), (MemberPhase::Quiesced, attempt));
    assert_eq!((member.admission, member.epoch), (Some(Admission::Released), Some(Epoch(7))));
    assert!(member.quiesced_at >= Some(member.registered_at) && member.thawed_at.is_none());
    assert_eq!(member.lease_duration_s, 600);
    let object = bed.member_object().expect("a Lease");
    let owner = &object.metadata.owner_references.expect("an owner")[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str()), ("Pod", POD, POD_UID));

    let post = bed.hook("post").run().await;
    post.check(0, &["let go"]);
    post.check_lines_name(&format!("hook-agent post: {NAMESPACE}/{POD} ({GROUP}): "));
    let member = bed.member().expect("the registration stays");
    assert_eq!(member.phase, MemberPhase::Done);
    assert!(member.thawed_at >= member.quiesced_at);
    assert_eq!(bed.asked(), ["patch leases", "watch leases", "patch leases", "patch leases"]);
}

#[tokio::test]
async fn a_wait_is_explained_and_ends_with_the_release() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, Some(WaitReason::Budget { weight: 3, in_use: 5, limit: 5, ahead: 2 }));
    let line = pre.says("budget: 5 of 5 volumes in use, this group needs 3, 2 groups ahead").await;
    assert!(line.contains("goes on by itself in 1"), "the time that is left is missing: {line}");
    bed.say_waits(&attempt, Some(WaitReason::Members { arrived: 1, expected: 3 }));
    pre.says("barrier: 1 of 3 members arrived").await;
    bed.release(8, &[&attempt]);
    pre.ended().await.check(0, &["released in round 8"]);
}

#[tokio::test]
async fn who_fails_at_the_deadline_says_so_while_it_waits() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("ON_DEADLINE", "fail").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, Some(WaitReason::Grant));
    let line = pre.says("its grant is being written").await;
    assert!(line.contains("fails in 1"), "{line}");
    bed.release(8, &[&attempt]);
    pre.ended().await.check(0, &[]);
}

#[tokio::test]
async fn an_old_rounds_words_release_nobody() {
    let bed = Bed::start().await;
    let old = bed.hook("pre").start();
    let old_attempt = bed.waiting().await;
    bed.release(7, &[&old_attempt]);
    old.ended().await.check(0, &[]);
    bed.hook("post").run().await.check(0, &[]);

    let pre = bed.hook("pre").start();
    let attempt = bed.waiting_other_than(&old_attempt).await;
    pre.says("the coordinator has not answered yet").await;
    // An admission in a round that is over is none either.
    bed.say(&group(RoundPhase::Closed, 8, &[(&attempt, AttemptVerdict::Admitted)], None));
    bed.say(&group(RoundPhase::Waiting, 8, &[(&attempt, AttemptVerdict::Waiting)], None));
    pre.says("has not released it yet").await;
    assert_eq!(bed.waiting().await, attempt);
    bed.release(9, &[&attempt]);
    pre.ended().await.check(0, &["released in round 9"]);
}

#[tokio::test]
async fn a_release_that_is_there_before_the_watch_counts() {
    let bed = Bed::start().await;
    // The watch comes late: the Lease that it begins with is all that it will ever show.
    bed.api.faults().add(testbed::api::Fault::new(
        testbed::api::Target::any().verb(testbed::api::Verb::Watch).user(crate::bed::USER),
        testbed::api::Effect::Delay(std::time::Duration::from_millis(300)),
    ));
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
    assert_eq!(bed.asked(), ["patch leases", "watch leases", "patch leases"]);
}

#[tokio::test]
async fn flags_win_over_the_environment() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("SNAPSHOT_GROUP", "from-env").arg("--group").arg(GROUP).arg("--hold=90s").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7", "90s at most"]);
    assert_eq!(bed.member().expect("a registration").lease_duration_s, 90);
}
