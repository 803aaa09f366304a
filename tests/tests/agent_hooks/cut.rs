//! Letting go at the cut: what the coordinator says about an attempt that holds, and what it must not be taken for.

use shared::admission::{AttemptVerdict, MemberPhase, RoundPhase};
use shared::identity::AttemptId;
use shared::quiesce::LetGo;
use testbed::api::{Effect, Fault, Target};

use crate::bed::{Bed, USER, eventually, group, group_lease_name};
use crate::held::exec_plan;

/// What the coordinator says about one attempt.
struct Said {
    phase: RoundPhase,
    verdict: AttemptVerdict,
    cut: bool,
    unheld: bool,
}

const ADMITTED: Said =
    Said { phase: RoundPhase::Released, verdict: AttemptVerdict::Admitted, cut: false, unheld: false };

fn say(bed: &Bed, attempt: &AttemptId, said: &Said) {
    let mut lease = group(said.phase, 7, &[(attempt, said.verdict)], None);
    for entry in lease.attempts.values_mut() {
        (entry.cut, entry.unheld) = (said.cut, said.unheld);
    }
    bed.say(&lease);
}

#[tokio::test]
async fn at_the_cut_it_lets_go_before_post_and_says_so() {
    let bed = Bed::start().await;
    let attempt = bed.holding(&exec_plan(&bed)).await;
    say(&bed, &attempt, &Said { cut: true, ..ADMITTED });
    bed.logs(&["freeze", "thaw"]).await;
    let member = bed.member_that("was let go at its cut", |m| m.let_go == Some(LetGo::Cut)).await;
    assert_eq!((member.phase, &member.failure), (MemberPhase::Quiesced, &None));
    assert!(member.proven_quiesced_at().is_some() && member.thawed_at >= member.quiesced_at);
    bed.nobody_is_left().await;
    assert_eq!(bed.alarms(), "");
    bed.hook("post").run().await.check(0, &["done in group", "let go before: exec", "is cut"]);
    let after = bed.member().expect("a registration");
    assert_eq!((after.phase, after.let_go, after.thawed_at), (MemberPhase::Done, Some(LetGo::Cut), member.thawed_at));
    assert_eq!(after.failure, None);
}

#[tokio::test]
async fn a_closed_round_is_no_cut_and_so_is_the_word_about_another_attempt() {
    let bed = Bed::start().await;
    let attempt = bed.holding(&exec_plan(&bed)).await;
    let watches = || bed.asked().iter().filter(|asked| *asked == "watch leases").count();
    assert!(
        eventually(|| (watches() >= 2).then_some(())).await.is_some(),
        "its keeper hears nothing: {:?}",
        bed.asked()
    );
    // Counts the words that are sent to the keeper; one that is repeated means nothing else.
    let words = Target::any().user(USER).resource("leases").name(&group_lease_name());
    let words = bed.api.faults().add(Fault::new(words, Effect::ReplayEvent));
    let other: AttemptId = format!("{}_00000000000000ff", attempt.pod_uid).parse().expect("an attempt");
    say(&bed, &other, &Said { cut: true, ..ADMITTED });
    say(&bed, &attempt, &Said { phase: RoundPhase::Closed, ..ADMITTED });
    say(&bed, &attempt, &Said { verdict: AttemptVerdict::Waiting, ..ADMITTED });
    let sent = || (bed.api.faults().struck(words)? >= 3).then_some(());
    assert!(eventually(sent).await.is_some(), "the words were not sent to the keeper");
    let still_held = jiff::Timestamp::now().into();
    say(&bed, &attempt, &Said { verdict: AttemptVerdict::Ended, ..ADMITTED });
    bed.logs(&["freeze", "thaw"]).await;
    let member = bed.member_that("was let go", |m| m.let_go == Some(LetGo::ByItself)).await;
    assert!(member.thawed_at > Some(still_held), "it let go at an earlier word: {member:?}");
    assert!(member.failure.as_ref().is_some_and(|f| f.contains("held as long as it may be")), "{:?}", member.failure);
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn without_a_network_its_own_limit_ends_the_hold() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan(&bed)).env("QUIESCE_MAX", "3s");
    let (attempt, ended) = bed.released(pre).await;
    ended.check(0, &["quiesced (exec"]);
    let silence = Fault::new(Target::any().user(USER), Effect::Silence);
    bed.api.faults().add(silence);
    say(&bed, &attempt, &ADMITTED);
    bed.logs(&["freeze", "thaw"]).await;
    let said = eventually(|| bed.alarms().contains("--quiesce-max").then_some(())).await;
    assert!(said.is_some(), "{}", bed.alarms());
}

#[tokio::test]
async fn a_policy_that_lets_only_so_many_be_held_is_followed_and_is_no_failure() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan(&bed)).env("ON_QUIESCE_FAILURE", "fail").start();
    let attempt = bed.waiting().await;
    say(&bed, &attempt, &Said { unheld: true, ..ADMITTED });
    pre.ended().await.check(0, &["NOT HELD STILL", "the group's policy lets only so many"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.quiesced_at), (MemberPhase::Quiesced, None));
    assert_eq!(bed.log(), Vec::<String>::new());
    bed.hook("post").run().await.check(0, &["no keeper here"]);
}
