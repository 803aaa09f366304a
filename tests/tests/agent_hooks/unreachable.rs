//! An API server that does not answer, answers late, or answers garbage.

use std::time::Duration;

use testbed::api::{Effect, Fault, Target, Verb};

use crate::bed::{Bed, USER, eventually};

fn everything(effect: Effect) -> Fault {
    Fault::new(Target::any().user(USER), effect)
}

fn refuse(code: u16) -> Effect {
    Effect::Refuse { code, retry_after_s: None }
}

/// With this fault on every request, the backup goes on by default and fails with 11 when told to; post likewise.
async fn nobody_answers(effect: Option<Effect>, said: &str) {
    let bed = Bed::start().await;
    match effect {
        Some(effect) => {
            bed.api.faults().add(everything(effect));
        }
        None => bed.api.go_down().await,
    }
    let pre = || bed.hook("pre").env("HOOK_TIMEOUT", "12s").env("COORDINATOR_TIMEOUT", "1s");
    let (goes, fails) = (pre().start(), pre().env("ON_UNREACHABLE", "fail").start());
    let goes = goes.ended().await;
    goes.check(0, &["cannot register yet", "GOES ON WITHOUT A RELEASE", "unreachable", said, "not reported"]);
    fails.ended().await.check(11, &["nobody answered", said, "exit code 11"]);
    assert!(goes.took < Duration::from_secs(12), "Velero's timeout came first: {:?}", goes.took);
}

#[tokio::test]
async fn a_server_that_is_down() {
    nobody_answers(None, "onnect").await;
}

#[tokio::test]
async fn a_server_that_never_answers() {
    nobody_answers(Some(Effect::Silence), "no answer within").await;
}

#[tokio::test]
async fn a_server_that_answers_garbage() {
    nobody_answers(Some(Effect::Garbage), "cannot be read").await;
}

#[tokio::test]
async fn a_server_that_answers_500() {
    nobody_answers(Some(refuse(500)), "answered 500").await;
}

#[tokio::test]
async fn a_server_that_answers_503() {
    nobody_answers(Some(refuse(503)), "answered 503").await;
}

#[tokio::test]
async fn a_server_that_answers_409_to_everything() {
    nobody_answers(Some(refuse(409)), "answered 409").await;
}

#[tokio::test]
async fn a_server_that_cuts_every_connection() {
    nobody_answers(Some(Effect::LoseAnswer), "cannot talk to the API server").await;
}

#[tokio::test]
async fn post_gives_up_before_veleros_timeout() {
    let bed = Bed::start().await;
    bed.api.go_down().await;
    let (goes, fails) = (bed.hook("post").start(), bed.hook("post").arg("--on-unreachable=fail").start());
    let goes = goes.ended().await;
    goes.check(0, &["COULD NOT END THE REGISTRATION", "expires by itself"]);
    assert!(goes.took < Duration::from_secs(25), "it took {:?}", goes.took);
    fails.ended().await.check(11, &["nobody answered"]);
}

/// The first requests fail like this, later ones do not: nobody notices but the log.
async fn recovers_from(effect: Effect, times: u64) {
    let bed = Bed::start().await;
    let fault = bed.api.faults().add(everything(effect).first(times));
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7", ", reported"]);
    assert_eq!(bed.api.faults().struck(fault), Some(times), "the fault was not felt");
    bed.api.faults().clear();

    bed.api.faults().add(everything(refuse(500)).first(2));
    bed.hook("post").run().await.check(0, &["let go"]);
}

#[tokio::test]
async fn a_few_failures_are_tried_over() {
    recovers_from(refuse(500), 3).await;
    recovers_from(refuse(409), 2).await;
    recovers_from(refuse(401), 2).await;
    recovers_from(Effect::Garbage, 2).await;
    recovers_from(Effect::LoseAnswer, 2).await;
    recovers_from(Effect::CutAnswer, 2).await;
    recovers_from(Effect::Delay(Duration::from_millis(100)), 3).await;
}

#[tokio::test]
async fn retry_after_is_respected() {
    let bed = Bed::start().await;
    bed.api.faults().add(everything(Effect::Refuse { code: 429, retry_after_s: Some(1) }).first(2));
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["answered 429", "released in round 7"]);
    let ours: Vec<_> = bed.api.requests().into_iter().filter(|r| r.user == USER).take(3).collect();
    let gaps: Vec<_> = ours.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(990)), "it did not wait: {gaps:?}");
}

#[tokio::test]
async fn a_retry_after_that_is_longer_than_the_wait_ends_it() {
    let bed = Bed::start().await;
    bed.api.faults().add(everything(Effect::Refuse { code: 429, retry_after_s: Some(3600) }));
    let ended = bed.hook("pre").env("ON_UNREACHABLE", "fail").run().await;
    ended.check(11, &["answered 429", "in 1 tries"]);
    assert_eq!(bed.asked(), ["patch leases"], "the server asked to be left alone");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_not_mistaken_for_somebody_elses_write() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    // The registration's own answer may still be on its way; wait until the watch is open.
    eventually(|| bed.asked().contains(&"watch leases".to_owned()).then_some(())).await.expect("a watch");
    let on_patch = Target::any().user(USER).verb(Verb::Patch);
    bed.api.faults().add(Fault::new(on_patch, Effect::LoseAnswer).first(1));
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7", ", reported"]);
    // Report (lost), report again (409), look, report with the version seen.
    let asked = bed.asked();
    assert_eq!(asked[2..], ["patch leases", "patch leases", "get leases", "patch leases"], "{asked:?}");
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_said_and_holds_up_nobody() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "5s").start();
    let attempt = bed.waiting().await;
    eventually(|| bed.asked().contains(&"watch leases".to_owned()).then_some(())).await.expect("a watch");
    bed.api.faults().add(Fault::new(Target::any().user(USER).verb(Verb::Patch), refuse(500)));
    bed.release(7, &[&attempt]);
    let ended = pre.ended().await;
    ended.check(0, &["released in round 7", "NOT reported", "answered 500"]);
    assert!(ended.took < Duration::from_secs(5), "Velero's timeout came first: {:?}", ended.took);
}

#[tokio::test]
async fn an_api_server_that_falls_silent_in_mid_wait_is_not_waited_for_till_the_deadline() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "60s").env("COORDINATOR_TIMEOUT", "3s").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    bed.api.go_down().await;
    let ended = pre.ended().await;
    ended.check(0, &["GOES ON WITHOUT A RELEASE", "unreachable"]);
    assert!(ended.took < Duration::from_secs(30), "it waited for the deadline: {:?}", ended.took);
}
