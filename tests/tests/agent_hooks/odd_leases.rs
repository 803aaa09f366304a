//! Leases that people edit into nonsense, or delete, while a hook waits.

use serde_json::json;
use shared::admission::{Admission, MemberPhase};

use crate::bed::{Bed, GROUP, NAMESPACE, POD, group_lease_name};

/// The group Lease with this of it changed by hand.
fn edit_group_lease(bed: &Bed, edit: impl FnOnce(&mut serde_json::Value)) {
    let stored = bed.api.get("coordination.k8s.io/v1", "Lease", NAMESPACE, &group_lease_name()).expect("a group Lease");
    let mut value = stored.value.clone();
    edit(&mut value);
    bed.put(value);
}

#[tokio::test]
async fn nonsense_in_the_group_lease_is_no_word_until_it_is_repaired() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    let annotation =
        |name: &str, text: &str| (format!("/metadata/annotations/snapshot-group.velero.io~1{name}"), json!(text));
    for (pointer, value) in [
        annotation("attempts", "{broken"),
        annotation("phase", "released!"),
        annotation("protocol", "99"),
        ("/metadata/labels".to_owned(), json!({})),
        ("/spec".to_owned(), json!({})),
    ] {
        bed.say_waits(&attempt, None);
        edit_group_lease(&bed, |lease| *lease.pointer_mut(&pointer).expect("it is there") = value);
    }
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
}

#[tokio::test]
async fn nonsense_that_stays_ends_as_unreachable_and_is_named() {
    let bed = Bed::start().await;
    let pre = bed
        .hook("pre")
        .env("COORDINATOR_TIMEOUT", "1s")
        .env("ON_UNREACHABLE", "fail")
        .env("HOOK_TIMEOUT", "30s")
        .start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    edit_group_lease(&bed, |v| v["metadata"]["annotations"]["snapshot-group.velero.io/mode"] = "loud".into());
    pre.ended().await.check(11, &["nobody answered", "snapshot-group.velero.io/mode", "loud", "delete the Lease"]);
    let member = bed.member().expect("a registration");
    assert_eq!(member.phase, MemberPhase::Failed);
    assert!(member.failure.expect("a reason").contains("nobody answered"));
}

#[tokio::test]
async fn a_foreign_lease_under_the_groups_name_is_not_obeyed() {
    let bed = Bed::start().await;
    bed.put(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": group_lease_name(), "namespace": NAMESPACE}, "spec": {"holderIdentity": "somebody"},
    }));
    let pre = bed.hook("pre").env("COORDINATOR_TIMEOUT", "1s").run().await;
    pre.check(0, &["unreachable", "is not a group Lease of this product"]);
}

#[tokio::test]
async fn a_group_lease_that_is_deleted_in_mid_wait_is_silence_then_a_new_one_counts() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    bed.delete_group_lease();
    pre.says("the coordinator has not answered yet").await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
}

#[tokio::test]
async fn a_group_lease_that_stays_deleted_leaves_nobody_waiting() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("COORDINATOR_TIMEOUT", "1s").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    bed.delete_group_lease();
    pre.ended().await.check(0, &["GOES ON WITHOUT A RELEASE", "unreachable"]);
    assert_eq!(bed.member().expect("a registration").admission, Some(Admission::Unreachable));
}

#[tokio::test]
async fn a_deletion_during_a_broken_watch_is_noticed_at_the_next_one() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("COORDINATOR_TIMEOUT", "2s").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    bed.api.go_down().await;
    bed.delete_group_lease();
    bed.api.come_back().await.expect("the same port");
    pre.ended().await.check(0, &["GOES ON WITHOUT A RELEASE", "unreachable"]);
}

#[tokio::test]
async fn nonsense_in_the_own_lease_is_written_over() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    let name = format!("snapshot-member-{POD}");
    let stored = bed.api.get("coordination.k8s.io/v1", "Lease", NAMESPACE, &name).expect("a registration");
    let mut edited = stored.value.clone();
    edited["spec"]["holderIdentity"] = "kubectl edit".into();
    edited["metadata"]["annotations"]["snapshot-group.velero.io/phase"] = "🙂".into();
    edited["metadata"]["labels"] = json!({});
    bed.put(edited);
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7", ", reported"]);
    let member = bed.member().expect("it can be read again");
    assert_eq!((member.attempt, member.phase, member.group.as_str()), (attempt, MemberPhase::Quiesced, GROUP));
}

#[tokio::test]
async fn an_own_lease_that_was_deleted_is_registered_again() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let one = bed.waiting().await;
    let name = format!("snapshot-member-{POD}");
    assert!(bed.api.delete("coordination.k8s.io/v1", "Lease", NAMESPACE, &name).expect("deletable"));
    bed.release(7, &[&one]);
    pre.says("registers again: its Lease was deleted").await;
    let two = bed.waiting_other_than(&one).await;
    bed.release(8, &[&two]);
    pre.ended().await.check(0, &["released in round 8"]);
}
