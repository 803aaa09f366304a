//! The post hook by itself: without a registration, twice, and late.

use shared::admission::MemberPhase;
use shared::identity::{AttemptId, Nonce, PodUid};
use testbed::api::{Effect, Fault, Target};

use crate::bed::{Bed, POD_UID, USER, eventually};

#[tokio::test]
async fn without_a_registration_there_is_nothing_to_end() {
    let bed = Bed::start().await;
    bed.hook("post").run().await.check(0, &["no registration: nothing to end"]);
    assert_eq!(bed.asked(), ["patch leases"]);
}

#[tokio::test]
async fn twice_is_as_good_as_once() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);
    for _ in 0..2 {
        bed.hook("post").run().await.check(0, &["let go"]);
    }
    assert_eq!(bed.member().expect("a registration").phase, MemberPhase::Done);
}

#[tokio::test]
async fn two_at_once_both_succeed() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);
    let (one, two) = (bed.hook("post").start(), bed.hook("post").start());
    one.ended().await.check(0, &["let go"]);
    two.ended().await.check(0, &["let go"]);
}

#[tokio::test]
async fn after_an_unreleased_pre_it_lets_go_too() {
    let bed = Bed::start().await;
    bed.hook("pre").env("DEADLINE", "1s").run().await.check(0, &[]);
    bed.hook("post").run().await.check(0, &["let go"]);
    assert_eq!(bed.member().expect("a registration").phase, MemberPhase::Done);
}

#[tokio::test]
async fn a_late_retry_leaves_a_newer_registration_alone() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);

    let slow = Fault::new(Target::any().user(USER), Effect::Refuse { code: 503, retry_after_s: Some(1) }).first(1);
    bed.api.faults().add(slow);
    let post = bed.hook("post").start();
    post.says("cannot end the registration yet").await;
    // While it pauses, the next backup's pre registers.
    let mut newer = bed.member().expect("a registration");
    newer.attempt = AttemptId { pod_uid: PodUid::new(POD_UID).expect("a uid"), nonce: Nonce::from_bits(99) };
    newer.phase = MemberPhase::Waiting;
    newer.quiesced_at = None;
    newer.registered_at = jiff::Timestamp::now().into();
    let mut object = serde_json::to_value(newer.encode().expect("a Lease")).expect("JSON");
    object["apiVersion"] = "coordination.k8s.io/v1".into();
    object["kind"] = "Lease".into();
    bed.put(object);
    post.ended().await.check(0, &["a newer run of pre has registered meanwhile: left alone"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.attempt, member.phase), (newer.attempt, MemberPhase::Waiting));
}

#[tokio::test]
async fn a_success_whose_answer_was_lost_is_recognised() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);
    let before = bed.asked().len();
    bed.api.faults().add(Fault::new(Target::any().user(USER), Effect::LoseAnswer).first(1));
    bed.hook("post").run().await.check(0, &["let go"]);
    eventually(|| (bed.asked()[before..] == ["patch leases", "get leases"]).then_some(()))
        .await
        .unwrap_or_else(|| panic!("it asked {:?}", &bed.asked()[before..]));
}

#[tokio::test]
async fn without_a_group_it_asks_nobody() {
    let bed = Bed::start().await;
    bed.write("podinfo/labels", "app=\"db\"\n");
    bed.hook("post").run().await.check(0, &["in no snapshot group", "prod/db-0"]);
    assert!(bed.asked().is_empty());
}

#[tokio::test]
async fn a_label_that_went_wrong_meanwhile_does_not_keep_the_registration() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);
    bed.write("podinfo/labels", "velero.io/snapshot-group=\"not a label\"\n");
    bed.hook("post").run().await.check(0, &["let go"]);
    bed.remove("podinfo/labels");
    bed.hook("post").run().await.check(0, &["let go"]);
}

#[tokio::test]
async fn an_earlier_pods_registration_is_not_ended_in_its_name() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);
    let before = bed.asked().len();
    // Velero finds the pod of a post hook by name: the pod of this name is another one by now.
    let post = bed.hook("post").env("POD_UID", "99999999-2222-3333-4444-555555555555");
    post.run().await.check(0, &["an earlier pod's of this name: left alone"]);
    assert_eq!(bed.member().map(|member| member.phase), Some(MemberPhase::Quiesced));
    assert_eq!(bed.asked()[before..], ["patch leases", "get leases"]);
}
