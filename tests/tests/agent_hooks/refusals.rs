//! An API server that says no: 401, 403, 404, 422. Nobody waits for what will not change.

use std::time::Duration;

use testbed::api::{Effect, Fault, Target, Verb};

use crate::bed::{Bed, USER, eventually};

fn on(verb: Verb, code: u16) -> Fault {
    Fault::new(Target::any().user(USER).verb(verb), Effect::Refuse { code, retry_after_s: None })
}

/// Registration is refused: at once, without burning the hook's time.
async fn registration_refused(code: u16, tries: usize) {
    let bed = Bed::start().await;
    bed.api.faults().add(on(Verb::Patch, code));
    let goes = bed.hook("pre").run().await;
    goes.check(0, &["GOES ON WITHOUT A RELEASE", "the API server refused", &format!("answered {code}")]);
    assert!(goes.took < Duration::from_secs(10), "it waited for what will not change: {:?}", goes.took);
    assert_eq!(bed.asked(), vec!["patch leases"; tries]);
    let fails = bed.hook("pre").env("ON_UNREACHABLE", "fail").run().await;
    fails.check(12, &["the API server refused", "exit code 12", "ServiceAccount"]);
    bed.api.faults().clear();
    bed.api.faults().add(Fault::new(Target::any().user(USER), Effect::Refuse { code, retry_after_s: None }));
    let post = bed.hook("post").env("ON_UNREACHABLE", "fail").run().await;
    match code {
        404 => post.check(0, &["no registration"]),
        _ => post.check(12, &["the API server refused"]),
    }
}

#[tokio::test]
async fn a_401_is_tried_three_times_for_a_token_that_is_being_rotated() {
    registration_refused(401, 3).await;
}

#[tokio::test]
async fn a_403_is_final() {
    registration_refused(403, 1).await;
}

#[tokio::test]
async fn a_404_is_final() {
    registration_refused(404, 1).await;
}

#[tokio::test]
async fn a_422_is_final() {
    registration_refused(422, 1).await;
}

#[tokio::test]
async fn a_namespace_that_does_not_exist() {
    let bed = Bed::start().await;
    let ended = bed.hook("pre").env("POD_NAMESPACE", "nowhere").env("ON_UNREACHABLE", "fail").run().await;
    ended.check(12, &["nowhere/db-0", "answered 404"]);
}

#[tokio::test]
async fn a_token_that_nobody_knows() {
    let bed = Bed::start().await;
    let token = std::fs::read_to_string(bed.path("token")).expect("the token");
    bed.api.revoke_token(&token);
    bed.hook("pre").env("ON_UNREACHABLE", "fail").run().await.check(12, &["answered 401"]);
    bed.hook("pre").run().await.check(0, &["GOES ON WITHOUT A RELEASE", "answered 401"]);
}

#[tokio::test]
async fn a_watch_that_is_forbidden_is_not_waited_out() {
    let bed = Bed::start().await;
    bed.api.faults().add(on(Verb::Watch, 403));
    let fails = bed.hook("pre").env("ON_UNREACHABLE", "fail").run().await;
    fails.check(12, &["the group's Lease cannot be watched", "answered 403"]);
    assert!(fails.took < Duration::from_secs(10), "it waited for what will not change: {:?}", fails.took);
    bed.hook("pre").run().await.check(0, &["GOES ON WITHOUT A RELEASE", "unreachable"]);
}

#[tokio::test]
async fn renewals_that_are_forbidden_do_not_end_the_wait() {
    let bed = Bed::start().await;
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "60s").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    let fault = bed.api.faults().add(on(Verb::Patch, 403));
    pre.says("cannot renew its registration").await;
    bed.api.faults().remove(fault);
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7", ", reported"]);
}

#[tokio::test]
async fn a_conflict_on_the_first_write_is_a_race_inside_the_server() {
    let bed = Bed::start().await;
    bed.api.faults().add(on(Verb::Patch, 409).first(1));
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
    eventually(|| (bed.asked()[..2] == ["patch leases", "patch leases"]).then_some(())).await.expect("a second try");
}
