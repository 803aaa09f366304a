//! A wall clock that somebody sets while a hook waits or a pod is held: limits and deadlines come when they would have come, and what was held over
//! the setting proves nothing.

use std::time::{Duration, Instant};

use coordinator_core::judge::{Evidence, judge};
use shared::admission::{AttemptVerdict, MemberPhase, RoundPhase};
use shared::deadline::STANDBY_LEASE_S;
use shared::member_lease::MemberLease;
use shared::quiesce::LetGo;
use shared::receipt::{CutReceipt, MemberEnd, MemberReceipt};
use shared::time::WallTime;
use shared::verdict::{Verdict, VerdictReason};
use testbed::wall_clock::WallClock;

use crate::bed::Bed;
use crate::held::exec_plan;
use crate::hook::{Hook, Running};
use crate::lead;

/// Forth and back, s.
const WAYS_S: [i32; 2] = [3_600, -3_600];

/// What holds have for a limit here.
const LIMIT: Duration = Duration::from_secs(3);
const LIMIT_FLAG: &str = "3s";

/// What a hold is at least that lasts until its limit: that counts from before the first step, a hold from after the last.
const NEARLY_LIMIT: Duration = Duration::from_secs(2);

/// What a busy machine takes beyond a limit to start the program that lets go, and to tell of it.
const SLOW: Duration = Duration::from_secs(10);

/// The default of `--clock-error`, ms.
const CLOCK_ERROR_MS: u64 = 50;

/// A bed whose pod has a clock that can be set; `None` where none can be had.
async fn bed() -> Option<(Bed, WallClock)> {
    let bed = Bed::start().await;
    let clock = WallClock::right(&bed.dir)?;
    Some((bed, clock))
}

fn pre(bed: &Bed, clock: &WallClock) -> Hook {
    bed.pre_with(&exec_plan(bed)).under(clock)
}

async fn let_go(bed: &Bed) -> MemberLease {
    bed.member_that("was let go", |member| member.let_go.is_some() && member.thawed_at.is_some()).await
}

/// What a receipt concludes from the Lease, where the volume was cut in the middle of the hold, by a clock that is right.
fn verdict(member: &MemberLease) -> (Verdict, VerdictReason) {
    let from = member.quiesced_at.expect("it was still");
    let steady_ms = member.steady.ms().expect("both ends by the clock that nobody sets");
    let cut = CutReceipt {
        claim: "data".to_owned(),
        at: from.plus_ms(i64::try_from(steady_ms / 2).expect("a short hold")),
        resolution_ms: 0,
    };
    let receipt = MemberReceipt {
        pod: member.pod.clone(),
        volumes: 1,
        end: MemberEnd::Done,
        admission: member.admission,
        waited_ms: None,
        quiesced_at: member.proven_quiesced_at(),
        thawed_at: member.thawed_at,
        steady_ms: Some(steady_ms),
        let_go: member.let_go,
        unheld: false,
        failure: member.failure.clone(),
        cuts: vec![cut],
    };
    judge(&[Evidence { member: &receipt, uncut: 0 }], CLOCK_ERROR_MS, None)
}

/// The Lease says that the clock was set, and by how much; no receipt makes more of it than `unknown`.
#[track_caller]
fn proves_nothing(member: &MemberLease, set_by_s: i32) {
    let (verdict, why) = verdict(member);
    let VerdictReason::ClockJumped { by_ms, .. } = why else { panic!("{verdict}: {why:?}: {member:?}") };
    assert_eq!(verdict, Verdict::Unknown);
    let set_by_ms = u64::from(set_by_s.unsigned_abs()) * 1_000;
    assert!(by_ms.abs_diff(set_by_ms) < 10, "set by {set_by_ms} ms, and it says {by_ms}: {member:?}");
}

#[tokio::test]
async fn a_keeper_lets_go_at_its_limit() {
    for by_s in WAYS_S {
        let Some((bed, clock)) = bed().await else { return };
        let begin = Instant::now();
        bed.released(pre(&bed, &clock).env("QUIESCE_MAX", LIMIT_FLAG)).await.1.check(0, &["let go after 3s at most"]);
        let set = Instant::now();
        clock.set(by_s);
        bed.logs(&["freeze", "thaw"]).await;
        assert!(begin.elapsed() >= LIMIT, "not held for as long as it may be: {:?}", begin.elapsed());
        assert!(set.elapsed() < LIMIT + SLOW, "held for {:?} after the clock was set", set.elapsed());
        let member = let_go(&bed).await;
        assert_eq!((member.phase, member.let_go), (MemberPhase::Quiesced, Some(LetGo::ByItself)));
        let held = Duration::from_millis(member.steady.ms().expect("both ends"));
        assert!((NEARLY_LIMIT..LIMIT + SLOW).contains(&held), "held for {held:?}");
        proves_nothing(&member, by_s);
        bed.nobody_is_left().await;
        bed.hook("post").under(&clock).run().await.check(0, &["HAD BEEN LET GO BEFORE"]);
        proves_nothing(&bed.member().expect("a registration"), by_s);
    }
}

#[tokio::test]
async fn a_post_hook_lets_go() {
    for by_s in WAYS_S {
        let Some((bed, clock)) = bed().await else { return };
        bed.released(pre(&bed, &clock)).await.1.check(0, &["quiesced (", "reported"]);
        clock.set(by_s);
        bed.hook("post").under(&clock).run().await.check(0, &["let go of exec", "done in group"]);
        bed.logs(&["freeze", "thaw"]).await;
        let member = bed.member().expect("a registration");
        assert_eq!((member.phase, member.let_go), (MemberPhase::Done, Some(LetGo::Asked)));
        proves_nothing(&member, by_s);
        bed.nobody_is_left().await;
    }
}

/// A hook that waits and has been told so.
async fn waits(bed: &Bed, hook: Hook) -> Running {
    let hook = hook.start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    hook.says("has not released it yet").await;
    hook
}

async fn hears_its_release(by_s: i32) {
    let Some((bed, clock)) = bed().await else { return };
    let hook = waits(&bed, pre(&bed, &clock).env("HOOK_TIMEOUT", "60s")).await;
    let before = bed.member().expect("a registration");
    clock.set(by_s);
    // It goes on with its signs of life, by the clock as it is now.
    let renewed = bed.member_that("was renewed", |member| member.renewed_at != before.renewed_at).await;
    let set_by_ms = renewed.renewed_at.ms_since(jiff::Timestamp::now().into()) - i64::from(by_s) * 1_000;
    assert!((-60_000..=1).contains(&set_by_ms), "renewed {set_by_ms} ms from now by its clock");
    bed.release(7, &[&before.attempt]);
    hook.ended().await.check(0, &["released in round 7"]);
    bed.hook("post").under(&clock).run().await.check(0, &["let go of exec"]);
    // Set before it was held: both ends are by the same clock.
    let member = bed.member().expect("a registration");
    let moved: WallTime = jiff::Timestamp::now().into();
    assert!(member.quiesced_at.is_some_and(|at| at.ms_since(moved).abs() > 3_000_000), "{member:?}");
    let shown = member.thawed_at.expect("let go").ms_since(member.quiesced_at.expect("still"));
    let steady = i64::try_from(member.steady.ms().expect("both ends")).expect("a short hold");
    assert!((shown - steady).abs() <= 3, "{member:?}");
}

#[tokio::test]
async fn a_hook_hears_its_release_after_the_clock_was_set_forth() {
    hears_its_release(WAYS_S[0]).await;
}

#[tokio::test]
async fn a_hook_hears_its_release_after_the_clock_was_set_back() {
    hears_its_release(WAYS_S[1]).await;
}

#[tokio::test]
async fn a_hook_that_is_not_released_ends_at_its_deadline() {
    for by_s in WAYS_S {
        let Some((bed, clock)) = bed().await else { return };
        let hook = waits(&bed, pre(&bed, &clock).env("DEADLINE", LIMIT_FLAG)).await;
        clock.set(by_s);
        let ended = hook.ended().await;
        ended.check(0, &["GOES ON WITHOUT A RELEASE", "not released before the deadline", ", reported"]);
        assert!((LIMIT..LIMIT + SLOW).contains(&ended.took), "it took {:?}", ended.took);
        bed.hook("post").under(&clock).run().await.check(0, &["let go of exec"]);
        bed.nobody_is_left().await;
    }
}

#[tokio::test]
async fn a_resident_obeys_calls_and_lets_go_at_its_limit() {
    for by_s in WAYS_S {
        let Some((bed, clock)) = bed().await else { return };
        let resident = bed.hook("sidecar").env("QUIESCE", &exec_plan(&bed)).env("QUIESCE_MAX", LIMIT_FLAG);
        let resident = resident.under(&clock).start();
        bed.member_that("stands by", MemberLease::stands_by).await;

        // Set while it holds, and nobody comes for it.
        lead::call(&bed, 7, &[]);
        let member = lead::called(&bed, 7).await;
        let set = Instant::now();
        clock.set(by_s);
        lead::say(&bed, RoundPhase::Released, 7, &member.attempt, false);
        bed.logs(&["freeze", "thaw"]).await;
        assert!(set.elapsed() < LIMIT + SLOW, "held for {:?} after the clock was set", set.elapsed());
        let member = let_go(&bed).await;
        assert_eq!(member.let_go, Some(LetGo::ByItself));
        let held = Duration::from_millis(member.steady.ms().expect("both ends"));
        assert!((NEARLY_LIMIT..LIMIT + SLOW).contains(&held), "held for {held:?}");
        proves_nothing(&member, by_s);
        lead::say(&bed, RoundPhase::Closed, 7, &member.attempt, false);
        bed.member_that("stands by again", |member| member.lease_duration_s == STANDBY_LEASE_S).await;

        // Set while it stands by.
        clock.set(0);
        lead::call(&bed, 8, &[]);
        let member = lead::called(&bed, 8).await;
        lead::say(&bed, RoundPhase::Released, 8, &member.attempt, false);
        lead::say(&bed, RoundPhase::Released, 8, &member.attempt, true);
        bed.member_that("was let go at its cut", |member| member.let_go == Some(LetGo::Cut)).await;
        bed.logs(&["freeze", "thaw", "freeze", "thaw"]).await;

        // And a hook that waits for it.
        lead::say(&bed, RoundPhase::Closed, 8, &member.attempt, true);
        bed.member_that("stands by again", |member| member.lease_duration_s == STANDBY_LEASE_S).await;
        let hook = bed.hook("pre").env("HOOK_TIMEOUT", "5m").under(&clock).start();
        let attempt = bed.waiting().await;
        clock.set(by_s);
        lead::call(&bed, 9, &[(&attempt, AttemptVerdict::Waiting)]);
        let member = lead::called(&bed, 9).await;
        lead::say(&bed, RoundPhase::Released, 9, &member.attempt, false);
        hook.ended().await.check(0, &["released in round 9", "held still (exec"]);
        bed.hook("post").under(&clock).run().await.check(0, &["done in group"]);
        resident.signal("TERM");
        resident.ended().await.check(0, &[]);
        bed.nobody_is_left().await;
    }
}
