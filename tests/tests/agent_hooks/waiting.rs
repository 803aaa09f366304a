//! A hook that waits: it talks, shows signs of life, and hears the release through whatever happens to its watch.

use std::time::Duration;

use testbed::api::{Effect, Fault, Target, Verb};

use crate::bed::{Bed, GROUP, NAMESPACE, POD, USER, eventually, group_lease_name};

#[tokio::test]
async fn it_says_something_every_ten_seconds_and_renews_its_lease() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "60s").start();
    let first = bed.member_that("is there", |_| true).await;
    bed.say_waits(&first.attempt, None);
    let waits = |n: usize| {
        let output = pre.output();
        (output.matches(": waits: ").count() >= n).then_some(())
    };
    let since = std::time::Instant::now();
    eventually(|| waits(2)).await.expect("a second line");
    assert!(since.elapsed() < Duration::from_secs(12), "the second line came after {:?}", since.elapsed());
    let renewed = bed.member_that("was renewed", |m| m.renewed_at > first.renewed_at).await;
    assert_eq!((renewed.attempt.clone(), renewed.deadline), (first.attempt, first.deadline));
    bed.release(7, &[&renewed.attempt]);
    let ended = pre.ended().await;
    ended.check(0, &["released in round 7"]);
    ended.check_lines_name(&format!("{NAMESPACE}/{POD} ({GROUP})"));
}

/// Each of these befalls the watch before the release; the hook must hear of it all the same.
async fn released_in_spite_of(effect: Effect) {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    let on_group = Target::any().verb(Verb::Watch).name(&group_lease_name());
    let fault = bed.api.faults().add(Fault::new(on_group, effect).first(1));
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
    assert_eq!(bed.api.faults().struck(fault), Some(1), "the fault was not felt");
}

#[tokio::test]
async fn a_watch_that_ends_is_opened_again() {
    released_in_spite_of(Effect::EndWatch).await;
}

#[tokio::test]
async fn a_watch_that_is_cut_in_the_middle_of_a_line_is_opened_again() {
    let bed = Bed::start().await;
    let on_watch = Target::any().verb(Verb::Watch).user(USER);
    let fault = bed.api.faults().add(Fault::new(on_watch, Effect::CutAnswer).first(1));
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
    assert_eq!(bed.api.faults().struck(fault), Some(1), "the fault was not felt");
}

#[tokio::test]
async fn a_replayed_event_changes_nothing() {
    released_in_spite_of(Effect::ReplayEvent).await;
}

#[tokio::test]
async fn a_watch_that_is_refused_for_a_while_is_opened_later() {
    for effect in [
        Effect::Refuse { code: 410, retry_after_s: None },
        Effect::Refuse { code: 500, retry_after_s: None },
        Effect::Refuse { code: 401, retry_after_s: None },
        Effect::Garbage,
        Effect::LoseAnswer,
    ] {
        let bed = Bed::start().await;
        let on_watch = Target::any().verb(Verb::Watch).user(USER);
        bed.api.faults().add(Fault::new(on_watch, effect.clone()).first(2));
        let pre = bed.hook("pre").start();
        let attempt = bed.waiting().await;
        bed.release(7, &[&attempt]);
        pre.ended().await.check(0, &["released in round 7"]);
    }
}

#[tokio::test]
async fn an_api_server_that_restarts_is_waited_for() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    bed.api.go_down().await;
    bed.release(7, &[&attempt]);
    bed.api.come_back().await.expect("the same port");
    pre.ended().await.check(0, &["released in round 7"]);
}

#[tokio::test]
async fn nobody_listening_any_more_is_no_reason_to_stop() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").start_unheard();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[]);
    bed.hook("post").start_unheard().ended().await.check(0, &[]);
}
