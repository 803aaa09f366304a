//! Nothing stays held: whoever is killed or stopped, at whatever moment, somebody lets go.

use shared::admission::MemberPhase;
use shared::member_lease::MemberLease;
use shared::quiesce::LetGo;
use shared::time::WallTime;
use testbed::api::{Effect, Fault, Target, Verb};

use crate::bed::{Bed, USER, eventually};
use crate::held::{exec_plan, exec_plan_with, signal};

/// Waits until the Lease says how the hold ended without its post hook.
async fn reported(bed: &Bed, let_go: LetGo) -> MemberLease {
    bed.member_that("was let go", |m| m.let_go == Some(let_go) && m.phase == MemberPhase::Quiesced).await
}

/// Post comes after all is over: it says so, and leaves the time alone.
async fn post_comes_late(bed: &Bed, member: &MemberLease) {
    bed.hook("post").run().await.check(0, &["HAD BEEN LET GO BEFORE"]);
    let after = bed.member().expect("a registration");
    assert_eq!((after.phase, after.thawed_at, after.let_go), (MemberPhase::Done, member.thawed_at, member.let_go));
}

#[tokio::test]
async fn at_its_limit_it_lets_go_by_itself() {
    let bed = Bed::start().await;
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed)).env("QUIESCE_MAX", "1s")).await;
    ended.check(0, &["let go after 1s at most"]);
    bed.logs(&["freeze", "thaw"]).await;
    let member = reported(&bed, LetGo::ByItself).await;
    assert!(member.failure.as_ref().is_some_and(|f| f.contains("--quiesce-max")), "{:?}", member.failure);
    assert!(bed.alarms().contains("no post hook had come"), "{}", bed.alarms());
    bed.nobody_is_left().await;
    post_comes_late(&bed, &member).await;
}

#[tokio::test]
async fn on_sigterm_it_lets_go() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    signal("TERM", bed.the("keep"));
    bed.logs(&["freeze", "thaw"]).await;
    let member = reported(&bed, LetGo::ByItself).await;
    bed.nobody_is_left().await;
    post_comes_late(&bed, &member).await;
}

#[tokio::test]
async fn pre_killed_while_it_begins_to_hold() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan_with(&bed, "sleep 600", "")).start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    bed.logs(&["freeze"]).await;
    pre.signal("KILL");
    bed.logs(&["freeze", "thaw"]).await;
    bed.nobody_is_left().await;
    assert_eq!(bed.member().expect("a registration").phase, MemberPhase::Waiting);
}

#[tokio::test]
async fn pre_killed_before_it_reported() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan(&bed)).start();
    let attempt = bed.waiting().await;
    bed.api.faults().add(Fault::new(Target::any().user(USER).verb(Verb::Patch), Effect::Silence));
    bed.release(7, &[&attempt]);
    bed.logs(&["freeze"]).await;
    pre.signal("KILL");
    bed.logs(&["freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_limit_that_passes_before_pre_reported_is_not_claimed() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan(&bed)).env("QUIESCE_MAX", "1s").start();
    let attempt = bed.waiting().await;
    let slow = Fault::new(Target::any().user(USER).verb(Verb::Patch), Effect::Silence).first(1);
    bed.api.faults().add(slow);
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["NOT HELD STILL", "was held and is let go again"]);
    bed.logs(&["freeze", "thaw"]).await;
    bed.member_that("claims nothing", |m| m.phase == MemberPhase::Quiesced && m.proven_quiesced_at().is_none()).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn keeper_killed() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    signal("KILL", bed.the("keep"));
    bed.logs(&["freeze", "thaw"]).await;
    let member = reported(&bed, LetGo::ByItself).await;
    bed.nobody_is_left().await;
    post_comes_late(&bed, &member).await;
}

#[tokio::test]
async fn keeper_killed_while_it_begins_to_hold() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan_with(&bed, "sleep 600", "")).start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    bed.logs(&["freeze"]).await;
    let noted = || bed.record().and_then(|r| r["steps"][0][1]["pid"].as_u64());
    let freeze = eventually(noted).await.expect("its program is written down");
    signal("KILL", bed.the("keep"));
    // Pre tries again with another keeper, which first lets go of what the first one left.
    let again = || (bed.log().len() >= 3).then_some(());
    assert!(eventually(again).await.is_some(), "{:?}", bed.log());
    assert_eq!(bed.log()[..3], ["freeze", "thaw", "freeze"]);
    assert!(!std::path::Path::new(&format!("/proc/{freeze}/exe")).exists(), "the first freeze still runs");
    pre.signal("KILL");
    bed.logs(&["freeze", "thaw", "freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_session_whose_keeper_is_killed_proves_nothing() {
    let bed = Bed::start().await;
    bed.holding("- session: {command: [/bin/sh], before: [echo ready], ready: ready}").await;
    let child = bed.record().and_then(|r| r["steps"][0][1]["pid"].as_u64()).expect("the child is written down");
    signal("KILL", bed.the("keep"));
    let member = reported(&bed, LetGo::Unproven).await;
    assert_eq!(member.proven_quiesced_at(), None);
    assert!(
        eventually(|| (!std::path::Path::new(&format!("/proc/{child}/exe")).exists()).then_some(())).await.is_some()
    );
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_session_that_ends_in_mid_cut_proves_nothing() {
    let bed = Bed::start().await;
    bed.holding("- session: {command: [/bin/sh], before: [echo ready], ready: ready}").await;
    let child = bed.record().and_then(|r| r["steps"][0][1]["pid"].as_u64()).expect("the child is written down");
    signal("KILL", u32::try_from(child).expect("a pid"));
    let member = reported(&bed, LetGo::Unproven).await;
    assert!(member.failure.as_ref().is_some_and(|f| f.contains("ended by itself")), "{:?}", member.failure);
    bed.nobody_is_left().await;
    bed.hook("post").run().await.check(0, &["not proven to have been quiesced", "HAD BEEN LET GO BEFORE"]);
}

#[tokio::test]
async fn a_guard_that_is_killed_is_replaced() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    let first = bed.the("guard");
    signal("KILL", first);
    let second = eventually(|| bed.processes("guard").into_iter().find(|pid| *pid != first)).await;
    assert!(second.is_some(), "nobody guards");
    assert_eq!(bed.log(), ["freeze"], "it still holds");
    bed.hook("post").run().await.check(0, &["let go of exec", "asked to"]);
    bed.logs(&["freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

/// Kills keeper and guard so that neither can act on the other's end.
pub fn kill_both(bed: &Bed) {
    let (keeper, guard) = (bed.the("keep"), bed.the("guard"));
    for name in ["STOP", "KILL"] {
        signal(name, guard);
        signal(name, keeper);
    }
}

#[tokio::test]
async fn keeper_and_guard_killed_post_lets_go() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    kill_both(&bed);
    bed.hook("post").run().await.check(0, &["let go of exec /bin/sh", "no keeper was there"]);
    bed.logs(&["freeze", "thaw"]).await;
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.let_go), (MemberPhase::Done, Some(LetGo::Asked)));
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn keeper_and_guard_killed_the_next_pre_lets_go() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    kill_both(&bed);
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed))).await;
    ended.check(0, &["an earlier run had left something held; let go of exec /bin/sh", "quiesced ("]);
    bed.logs(&["freeze", "thaw", "freeze"]).await;
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.logs(&["freeze", "thaw", "freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_stopped_keeper_is_replaced_by_its_guard_at_the_limit() {
    let bed = Bed::start().await;
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed)).env("QUIESCE_MAX", "3s")).await;
    ended.check(0, &[]);
    signal("STOP", bed.the("keep"));
    bed.logs(&["freeze", "thaw"]).await;
    reported(&bed, LetGo::ByItself).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn post_does_not_wait_for_a_stopped_keeper() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    signal("STOP", bed.the("keep"));
    bed.hook("post").run().await.check(0, &["done in group"]);
    bed.logs(&["freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn two_runs_of_pre_leave_one_keeper() {
    let bed = Bed::start().await;
    let one = bed.pre_with(&exec_plan(&bed)).start();
    let first = bed.waiting().await;
    let two = bed.pre_with(&exec_plan(&bed)).start();
    let second = bed.waiting_other_than(&first).await;
    bed.release(7, &[&second]);
    two.ended().await.check(0, &["quiesced ("]);
    one.ended().await.check(0, &["a later run of the hook got through"]);
    bed.the("keep");
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.logs(&["freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_new_run_after_one_without_post_holds_anew() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed))).await;
    ended.check(0, &["an earlier run had left something held", "quiesced ("]);
    bed.logs(&["freeze", "thaw", "freeze"]).await;
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.logs(&["freeze", "thaw", "freeze", "thaw"]).await;
}

#[tokio::test]
async fn a_thaw_that_fails_is_tried_again_and_never_silent() {
    let bed = Bed::start().await;
    let open = bed.path("open");
    let plan = exec_plan_with(&bed, "", &format!("test -e {} || {{ echo locked; exit 3; }}", open.display()));
    bed.holding(&plan).await;
    let post = bed.hook("post").run().await;
    post.check(17, &["COULD NOT LET GO", "exec /bin/sh may STILL BE HELD", "it said: locked", "exit code 17"]);
    assert!(bed.alarms().contains("ALARM: exec /bin/sh may STILL BE HELD"), "{}", bed.alarms());
    let member = bed.member().expect("a registration");
    assert_eq!(
        (member.phase, member.let_go, member.proven_quiesced_at()),
        (MemberPhase::Done, Some(LetGo::Unproven), None)
    );
    assert!(member.failure.as_ref().is_some_and(|f| f.contains("not let go")), "{:?}", member.failure);
    assert!(bed.log().len() > 2, "it was not tried again: {:?}", bed.log());
    std::fs::write(&open, "").expect("the folder is writable");
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn what_a_killed_keeper_had_begun_to_let_go_of_was_held_until_then_and_no_longer() {
    let bed = Bed::start().await;
    let open = bed.path("open");
    // The keeper's own thaw does not come to its end.
    bed.holding(&exec_plan_with(&bed, "", &format!("test -e {} || sleep 600", open.display()))).await;
    let post = bed.hook("post").start();
    bed.logs(&["freeze", "thaw"]).await;
    let begun: WallTime = jiff::Timestamp::now().into();
    std::fs::write(&open, "").expect("the folder is writable");
    signal("KILL", bed.the("keep"));
    post.ended().await.check(0, &["done in group"]);
    bed.nobody_is_left().await;
    let thawed_at = bed.member().and_then(|member| member.thawed_at).expect("it says until when");
    assert!(
        thawed_at <= begun,
        "what was cut after {begun} may have been cut after its thaw, and it claims {thawed_at}"
    );
}

#[tokio::test]
async fn a_keeper_that_is_stopped_while_it_lets_go_is_given_no_more_time() {
    let bed = Bed::start().await;
    let open = bed.path("open");
    let plan = exec_plan_with(
        &bed,
        "",
        &format!("test -e {} || exit 3; echo open >>{}", open.display(), bed.path("log").display()),
    );
    bed.released(bed.pre_with(&plan).env("QUIESCE_MAX", "2s")).await.1.check(0, &[]);
    let held = std::time::Instant::now();
    signal("TERM", bed.the("keep"));
    let tries = || (bed.log().iter().filter(|word| *word == "thaw").count() >= 2).then_some(());
    assert!(eventually(tries).await.is_some(), "it does not try again: {:?}", bed.log());
    signal("STOP", bed.the("keep"));
    std::fs::write(&open, "").expect("the folder is writable");
    let thawed = || bed.log().contains(&"open".to_owned()).then_some(());
    assert!(eventually(thawed).await.is_some(), "{:?}", bed.log());
    // One that were at work would have its step's ten seconds, and ten more.
    assert!(held.elapsed() < std::time::Duration::from_secs(12), "held for {:?}", held.elapsed());
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn both_ends_of_a_hold_are_written_down_by_the_clock_that_nobody_sets_too() {
    for (plan, limit, ends) in [("none", "1m", false), ("", "1m", false), ("", "1s", true)] {
        let bed = Bed::start().await;
        let plan = if plan.is_empty() { exec_plan(&bed) } else { plan.to_owned() };
        bed.released(bed.pre_with(&plan).env("QUIESCE_MAX", limit)).await.1.check(0, &[]);
        let began = bed.member().expect("a registration").steady;
        assert!(began.from.is_some() && began.to.is_none(), "{began:?}");
        if ends {
            reported(&bed, LetGo::ByItself).await;
        } else {
            bed.hook("post").run().await.check(0, &["done in group"]);
        }
        let member = bed.member().expect("a registration");
        let shown = member.thawed_at.expect("it was let go").ms_since(member.quiesced_at.expect("it was still"));
        let steady = i64::try_from(member.steady.ms().expect("both ends")).expect("a short hold");
        assert!((shown - steady).abs() <= 3, "{shown} ms by the wall clock, {steady} by the other: {member:?}");
    }
}

#[tokio::test]
async fn nothing_held_where_something_should_be_is_not_counted() {
    let bed = Bed::start().await;
    bed.holding(&exec_plan(&bed)).await;
    kill_both(&bed);
    // As when the container was replaced and its memory with it.
    std::fs::remove_dir_all(bed.place()).expect("the place is there");
    bed.hook("post").run().await.check(0, &["not proven to have been quiesced", "no keeper here"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.let_go, member.proven_quiesced_at()), (Some(LetGo::NothingFound), None));
}
