//! Lead mode in one pod: the resident stands by in the pod's Lease, holds still when a round calls, and hooks go on at the release.

use std::collections::BTreeSet;

use shared::admission::{Admission, AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::deadline::STANDBY_LEASE_S;
use shared::group_lease::{Call, Epoch};
use shared::identity::AttemptId;
use shared::member_lease::MemberLease;
use shared::quiesce::LetGo;

use crate::bed::{Bed, POD, group};
use crate::held::{exec_plan, exec_plan_with, signal};
use crate::hook::{Hook, Running};

/// A resident that serves this plan, and stands by.
async fn standing_by(bed: &Bed, plan: &str) -> Running {
    let resident = bed.hook("sidecar").env("QUIESCE", plan).start();
    bed.member_that("stands by", MemberLease::stands_by).await;
    resident
}

/// Another plan than [`exec_plan`].
const OTHER_PLAN: &str = "- exec: {freeze: [/bin/true], thaw: [/bin/true]}";

/// A pre hook that has nothing to hold itself: the resident does.
fn pre(bed: &Bed) -> Hook {
    bed.hook("pre").env("HOOK_TIMEOUT", "5m")
}

/// What the coordinator writes when it calls the pod; `said` are attempts that it knows.
pub fn call(bed: &Bed, epoch: u32, said: &[(&AttemptId, AttemptVerdict)]) {
    let mut lease = group(RoundPhase::Calling, epoch, said, None);
    lease.mode = Mode::Lead;
    lease.call = Some(Call { pods: BTreeSet::from([POD.parse().expect("a pod's name")]), within_ms: 30_000 });
    bed.say(&lease);
}

pub fn say(bed: &Bed, phase: RoundPhase, epoch: u32, attempt: &AttemptId, cut: bool) {
    let mut lease = group(phase, epoch, &[(attempt, AttemptVerdict::Admitted)], None);
    lease.mode = Mode::Lead;
    lease.attempts.values_mut().for_each(|entry| entry.cut = cut);
    bed.say(&lease);
}

pub async fn called(bed: &Bed, epoch: u32) -> MemberLease {
    let is_still = |m: &MemberLease| m.phase == MemberPhase::Quiesced && m.epoch == Some(Epoch(epoch));
    bed.member_that("is still in the round that called", is_still).await
}

#[tokio::test]
async fn a_resident_stands_by_holds_still_when_called_and_lets_go_at_the_cut() {
    let bed = Bed::start().await;
    let resident = standing_by(&bed, &exec_plan(&bed)).await;
    let standby = bed.member().expect("a Lease");
    assert_eq!((standby.phase, standby.lease_duration_s), (MemberPhase::Done, STANDBY_LEASE_S));
    assert_eq!((standby.quiesced_at, standby.thawed_at, standby.let_go), (None, None, None), "nothing was held yet");

    call(&bed, 7, &[]);
    let member = called(&bed, 7).await;
    assert_ne!(member.attempt, standby.attempt);
    assert_eq!((member.admission, &member.failure), (Some(Admission::Released), &None));
    assert!(member.quiesced_at.is_some() && member.resident.as_ref().is_some_and(|r| r.ready), "{member:?}");
    bed.logs(&["freeze"]).await;

    let hook = pre(&bed).start();
    hook.says("the pod's resident was called in round 7: held still (exec").await;
    assert_eq!(bed.member().expect("a Lease").attempt, member.attempt, "the hook registers nothing");
    say(&bed, RoundPhase::Released, 7, &member.attempt, false);
    hook.ended().await.check(0, &["released in round 7", "held still (exec"]);
    assert_eq!(bed.log(), ["freeze"], "what the resident holds is not the hook's to let go");

    say(&bed, RoundPhase::Released, 7, &member.attempt, true);
    bed.logs(&["freeze", "thaw"]).await;
    bed.member_that("was let go at its cut", |m| m.let_go == Some(LetGo::Cut)).await;
    bed.hook("post").run().await.check(0, &["done in group", "let go before: exec"]);
    say(&bed, RoundPhase::Closed, 7, &member.attempt, true);
    let after = bed.member_that("stands by again", |m| m.lease_duration_s == STANDBY_LEASE_S).await;
    assert!(after.stands_by(), "{after:?}");
    assert_eq!((&after.attempt, after.let_go), (&member.attempt, Some(LetGo::Cut)), "nothing is taken back");
    assert_eq!((after.quiesced_at, after.epoch), (member.quiesced_at, member.epoch));
    bed.nobody_is_left().await;

    call(&bed, 7, &[]);
    call(&bed, 8, &[]);
    let again = called(&bed, 8).await;
    assert_ne!(again.attempt, after.attempt);
    assert_eq!((again.thawed_at, again.let_go), (None, None));
    bed.logs(&["freeze", "thaw", "freeze"]).await;
    resident.signal("TERM");
    resident.ended().await.check(0, &["SIGTERM came: let go of exec"]);
    bed.member_that("has no resident any more", |m| m.resident.is_none()).await;
}

#[tokio::test]
async fn a_keeper_and_its_guard_stand_by_for_calls_and_for_nothing_else() {
    let bed = Bed::start().await;
    let resident = standing_by(&bed, &exec_plan(&bed)).await;
    let keeper = bed.stands_by("keep").await;
    let guard = bed.stands_by("guard").await;
    // A hook's hold is none of theirs: its programs are in its own container.
    bed.holding(&exec_plan(&bed)).await;
    assert!(bed.the("keep") != keeper && bed.the("guard") != guard);
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.nobody_is_left().await;

    call(&bed, 8, &[]);
    let member = called(&bed, 8).await;
    assert_eq!((bed.the("keep"), bed.the("guard")), (keeper, guard));
    say(&bed, RoundPhase::Closed, 8, &member.attempt, true);
    bed.logs(&["freeze", "thaw", "freeze", "thaw"]).await;
    let next = bed.stands_by("keep").await;
    assert_ne!(next, keeper);

    // Killed before anybody wanted it, it is missed by nobody.
    signal("KILL", bed.stands_by("guard").await);
    call(&bed, 9, &[]);
    let member = called(&bed, 9).await;
    assert!(member.quiesced_at.is_some(), "{member:?}");
    assert_eq!(bed.the("keep"), next);
    say(&bed, RoundPhase::Closed, 9, &member.attempt, true);
    signal("KILL", bed.stands_by("keep").await);
    call(&bed, 10, &[]);
    let member = called(&bed, 10).await;
    assert!(member.quiesced_at.is_some(), "{member:?}");
    say(&bed, RoundPhase::Closed, 10, &member.attempt, true);

    bed.stands_by("keep").await;
    resident.signal("KILL");
    resident.ended().await;
    let gone =
        || ["keep", "guard"].iter().all(|who| testbed::agent_processes::standing_by(who, &bed.place()).is_empty());
    assert!(crate::bed::eventually(|| gone().then_some(())).await.is_some(), "they outlive their resident");
}

#[tokio::test]
async fn a_hook_that_waits_obeys_the_call_itself_under_its_own_attempt() {
    let bed = Bed::start().await;
    let _resident = standing_by(&bed, OTHER_PLAN).await;
    let hook = bed.pre_with(&exec_plan(&bed)).start();
    let attempt = bed.waiting().await;
    assert!(
        bed.member().expect("a Lease").resident.is_some_and(|r| r.ready),
        "the coordinator must know of the resident"
    );
    call(&bed, 7, &[(&attempt, AttemptVerdict::Waiting)]);
    let member = called(&bed, 7).await;
    assert_eq!(member.attempt, attempt);
    hook.says("round 7 calls: held still (exec").await;
    // Admitted while the round still calls: the others are not still yet.
    call(&bed, 7, &[(&attempt, AttemptVerdict::Admitted)]);
    say(&bed, RoundPhase::Released, 7, &attempt, false);
    hook.ended().await.check(0, &["released in round 7", "with all who were called", "quiesced (exec"]);
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.logs(&["freeze", "thaw"]).await;
    assert_eq!(bed.member().expect("a Lease").let_go, Some(LetGo::Asked));
}

#[tokio::test]
async fn a_hook_without_steps_claims_nothing_where_the_resident_that_has_them_did_not_hold() {
    let bed = Bed::start().await;
    let resident = standing_by(&bed, &exec_plan(&bed)).await;
    let claims_nothing = async |why: &str| {
        let (_, ended) = bed.released(pre(&bed)).await;
        ended.check(0, &["NOT HELD STILL", why]);
        let member = bed.member().expect("a Lease");
        assert_eq!((member.phase, member.quiesced_at), (MemberPhase::Quiesced, None), "{member:?}");
        assert_eq!(bed.log(), [""; 0]);
    };
    // Released without a call: as when the round's mode is another one.
    claims_nothing("did not hold it for this hook").await;
    resident.signal("STOP");
    claims_nothing("did not answer").await;
    resident.signal("CONT");
    resident.signal("KILL");
    resident.ended().await;
    claims_nothing("did not answer").await;
}

#[tokio::test]
async fn a_call_that_a_hook_obeyed_is_not_obeyed_again_when_the_hook_is_gone() {
    let bed = Bed::start().await;
    let _resident = standing_by(&bed, &exec_plan(&bed)).await;
    let hook = bed.pre_with(&exec_plan(&bed)).start();
    let attempt = bed.waiting().await;
    call(&bed, 7, &[(&attempt, AttemptVerdict::Waiting)]);
    hook.says("round 7 calls: held still").await;
    hook.signal("KILL");
    hook.ended().await;
    bed.logs(&["freeze", "thaw"]).await;
    // The round still calls. What comes next the resident hears later than that the hook is gone.
    call(&bed, 8, &[]);
    called(&bed, 8).await;
    assert_eq!(bed.log(), ["freeze", "thaw", "freeze"]);
}

#[tokio::test]
async fn a_waiting_hook_without_steps_has_its_resident_hold_the_pod() {
    let bed = Bed::start().await;
    let _resident = standing_by(&bed, &exec_plan(&bed)).await;
    let hook = pre(&bed).start();
    let attempt = bed.waiting().await;
    call(&bed, 7, &[(&attempt, AttemptVerdict::Waiting)]);
    let member = called(&bed, 7).await;
    assert_ne!(member.attempt, attempt, "the resident holds under an attempt of its own");
    assert!(member.quiesced_at.is_some() && member.quiesce.hold(), "{member:?}");
    hook.says("the pod's resident was called in round 7: held still (exec").await;
    say(&bed, RoundPhase::Released, 7, &member.attempt, false);
    hook.ended().await.check(0, &["released in round 7", "held still (exec"]);
    assert_eq!(bed.log(), ["freeze"]);
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.logs(&["freeze", "thaw"]).await;
}

#[tokio::test]
async fn steps_of_a_hooks_own_are_never_left_to_a_resident_that_has_others() {
    let bed = Bed::start().await;
    let without = bed.hook("sidecar").env("QUIESCE", "none").start();
    let member = bed.member_that("has a resident", |m| m.resident.is_some()).await;
    let why = member.resident.and_then(|resident| (!resident.ready).then_some(resident.why)).flatten();
    assert!(why.is_some_and(|why| why.contains("no steps")), "nobody may call it");
    without.signal("TERM");
    without.ended().await.check(0, &[]);

    let _other = standing_by(&bed, OTHER_PLAN).await;
    call(&bed, 7, &[]);
    let member = called(&bed, 7).await;
    say(&bed, RoundPhase::Released, 7, &member.attempt, false);
    let (attempt, ended) = bed.released(bed.pre_with(&exec_plan(&bed))).await;
    ended.check(0, &["holds by other steps", "registers by itself", "quiesced (exec"]);
    assert_ne!(attempt, member.attempt);
    assert_eq!(bed.log(), ["freeze"]);
}

#[tokio::test]
async fn what_is_held_for_a_round_that_releases_nobody_is_let_go() {
    let bed = Bed::start().await;
    let _resident = standing_by(&bed, &exec_plan(&bed)).await;
    call(&bed, 7, &[]);
    let member = called(&bed, 7).await;
    bed.say(&group(RoundPhase::Closed, 7, &[], None));
    bed.logs(&["freeze", "thaw"]).await;
    let after = bed.member_that("stands by again", MemberLease::stands_by).await;
    assert_eq!((&after.attempt, after.phase), (&member.attempt, MemberPhase::Done));
    assert!(after.thawed_at.is_some() && after.let_go.is_some(), "{after:?}");

    // A hook that waits in such a round registers anew.
    let hook = bed.pre_with("none").start();
    let attempt = bed.waiting().await;
    call(&bed, 8, &[(&attempt, AttemptVerdict::Waiting)]);
    called(&bed, 8).await;
    bed.say(&group(RoundPhase::Closed, 8, &[(&attempt, AttemptVerdict::Waiting)], None));
    let again = bed.waiting_other_than(&attempt).await;
    bed.release(9, &[&again]);
    hook.ended().await.check(0, &["ended before it was released", "released in round 9"]);

    // The same where the round that called gave its share back, and stays so.
    let hook = bed.pre_with("none").start();
    let attempt = bed.waiting_other_than(&again).await;
    call(&bed, 10, &[(&attempt, AttemptVerdict::Waiting)]);
    called(&bed, 10).await;
    bed.say(&group(RoundPhase::Waiting, 10, &[(&attempt, AttemptVerdict::Waiting)], None));
    let again = bed.waiting_other_than(&attempt).await;
    bed.release(11, &[&again]);
    hook.ended().await.check(0, &["ended before it was released", "released in round 11"]);
}

#[tokio::test]
async fn a_resident_that_cannot_hold_still_says_so_as_its_policy_wants() {
    let bed = Bed::start().await;
    let broken = exec_plan_with(&bed, "exit 3", "");
    let resident = standing_by(&bed, &broken).await;
    call(&bed, 7, &[]);
    let member = called(&bed, 7).await;
    assert_eq!(member.quiesced_at, None);
    assert!(member.failure.as_ref().is_some_and(|why| why.contains('3')), "{member:?}");
    let hook = pre(&bed).start();
    hook.says("NOT HELD STILL").await;
    say(&bed, RoundPhase::Released, 7, &member.attempt, false);
    hook.ended().await.check(0, &["released in round 7", "NOT HELD STILL"]);
    // No post hook comes.
    say(&bed, RoundPhase::Closed, 7, &member.attempt, false);
    let after = bed.member_that("is over", |m| m.phase == MemberPhase::Done).await;
    assert_eq!((after.attempt, after.quiesced_at, after.failure), (member.attempt, None, member.failure));
    resident.signal("TERM");
    resident.ended().await.check(0, &[]);

    let strict = bed.hook("sidecar").env("QUIESCE", &broken).env("ON_QUIESCE_FAILURE", "fail").start();
    strict.says("stands by for calls").await;
    bed.member_that("has a resident", |m| m.resident.is_some()).await;
    call(&bed, 8, &[]);
    let failed = |m: &MemberLease| m.phase == MemberPhase::Failed && m.epoch == Some(Epoch(8));
    bed.member_that("failed in the round that called", failed).await;
    pre(&bed).run().await.check(16, &["could not hold still: the pod's resident: exec"]);
    bed.say(&group(RoundPhase::Closed, 8, &[], None));
    bed.member_that("stands by again", |m| m.lease_duration_s == STANDBY_LEASE_S).await;

    // The same where the hook waits when the call comes.
    let waiting = pre(&bed).start();
    let attempt = bed.waiting().await;
    call(&bed, 9, &[(&attempt, AttemptVerdict::Waiting)]);
    waiting.ended().await.check(16, &["could not hold still: exec"]);
}

#[tokio::test]
async fn what_a_killed_resident_and_keeper_held_nobody_vouches_for() {
    let bed = Bed::start().await;
    let resident = standing_by(&bed, &exec_plan(&bed)).await;
    call(&bed, 7, &[]);
    let member = called(&bed, 7).await;
    // A keeper that runs would replace its guard.
    let keeper = bed.the("keep");
    signal("STOP", keeper);
    signal("KILL", bed.the("guard"));
    signal("KILL", keeper);
    resident.signal("KILL");
    resident.ended().await;
    let _next = bed.hook("sidecar").env("QUIESCE", &exec_plan(&bed)).start();
    let after = bed.member_that("is not vouched for", |m| m.let_go == Some(LetGo::Unproven)).await;
    assert_eq!((&after.attempt, after.proven_quiesced_at()), (&member.attempt, None));
    // What was begun here is let go before anything else is held here.
    call(&bed, 8, &[]);
    called(&bed, 8).await;
    bed.logs(&["freeze", "thaw", "freeze"]).await;
}

#[tokio::test]
async fn a_pod_without_a_group_is_no_standby_until_it_has_one() {
    let bed = Bed::start().await;
    bed.write("podinfo/labels", "app=\"db\"\n");
    let resident = bed.hook("sidecar").env("QUIESCE", OTHER_PLAN).start();
    resident.says("cannot be called: no label velero.io/snapshot-group").await;
    assert!(bed.asked().is_empty(), "{:?}", bed.asked());
    // A hook finds the resident all the same, and is as alone as ever.
    pre(&bed).run().await.check(0, &["in no snapshot group"]);
    bed.write("podinfo/labels", &format!("velero.io/snapshot-group=\"{}\"\n", crate::bed::GROUP));
    bed.member_that("stands by", MemberLease::stands_by).await;
}
