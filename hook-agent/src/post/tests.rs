//! What `post` makes of a Lease that it finds when it tries again.

use shared::identity::{AttemptId, Namespace, Nonce, PodName, PodUid};
use shared::time::WallTime;

use super::*;
use crate::access::{Access, Token};

const START: WallTime = WallTime::EPOCH;

fn ending() -> Ending {
    let client = unused_client();
    let began = Moment { wall: START.plus_ms(60_000), boot: Some(boot("b-1", 500_000)) };
    Ending {
        leases: Leases::new(client, Namespace::new("prod").unwrap()),
        name: member_lease(&PodName::new("db-0").unwrap()).unwrap(),
        pod_uid: Some(PodUid::new("u-1").unwrap()),
        evidence: Evidence::of(&Found::Nothing, began.clone()),
        began,
        tried: true,
    }
}

fn boot(start: &str, ms: u64) -> BootTime {
    BootTime { start: start.to_owned(), ms }
}

/// A client whose address is never used here.
fn unused_client() -> Client {
    let server = "http://127.0.0.1:9".parse().unwrap();
    Client::new(Access { server, roots: Vec::new(), server_name: None, identity: None, token: Token::Absent }).unwrap()
}

fn lease(phase: MemberPhase, registered_ms: i64, thawed_ms: Option<i64>) -> Lease {
    let at = START.plus_ms(registered_ms);
    MemberLease {
        namespace: Namespace::new("prod").unwrap(),
        pod: PodName::new("db-0").unwrap(),
        group: GroupId::new("db").unwrap(),
        attempt: AttemptId { pod_uid: PodUid::new("u-1").unwrap(), nonce: Nonce::from_bits(1) },
        phase,
        registered_at: at,
        renewed_at: thawed_ms.map_or(at, |ms| START.plus_ms(ms)),
        lease_duration_s: 30,
        deadline: at,
        admission: None,
        epoch: None,
        quiesced_at: (phase == MemberPhase::Quiesced).then_some(at),
        thawed_at: thawed_ms.map(|ms| START.plus_ms(ms)),
        steady: shared::boot_time::SteadySpan::default(),
        quiesce: shared::quiesce::QuiesceKinds::default(),
        let_go: None,
        resident: None,
        failure: None,
        agent_version: "1".to_owned(),
    }
    .encode()
    .unwrap()
}

#[track_caller]
fn check(lease: &Lease, expected: Option<&Ended>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(async { ending().look(lease) });
    assert_eq!(seen.as_ref(), expected);
}

#[test]
fn an_older_registration_is_ended() {
    check(&lease(MemberPhase::Quiesced, 10_000, None), None);
    check(&lease(MemberPhase::Waiting, 60_000, None), None);
    // Done by an earlier post: this one says so again, with its own time.
    check(&lease(MemberPhase::Done, 10_000, Some(20_000)), None);
    // Nonsense is ended too: it is this pod's name.
    check(&Lease::default(), None);
}

#[test]
fn a_newer_registration_is_left_alone() {
    check(&lease(MemberPhase::Waiting, 60_001, None), Some(&Ended::LeftToNewer));
    check(&lease(MemberPhase::Quiesced, 99_000, None), Some(&Ended::LeftToNewer));
}

#[test]
fn a_clock_that_was_set_makes_no_registration_newer_or_older() {
    const HOUR_MS: i64 = 3_600_000;
    let registered = |wall_ms: i64, boot: &BootTime| {
        let mut lease = lease(MemberPhase::Quiesced, wall_ms, None);
        let said = lease.metadata.annotations.as_mut().unwrap();
        said.insert(annotations::REGISTERED_BOOT.to_owned(), boot.to_string());
        lease
    };
    // Set back by an hour since pre registered; and forth.
    check(&registered(50_000 + HOUR_MS, &boot("b-1", 490_000)), None);
    check(&registered(70_000 - HOUR_MS, &boot("b-1", 510_000)), Some(&Ended::LeftToNewer));
    // Registered before the machine was started anew, when its clock of starts had run for longer.
    check(&registered(50_000 + HOUR_MS, &boot("b-0", 900_000)), None);
}

#[test]
fn another_pods_registration_is_left_alone_whatever_it_says() {
    for phase in [MemberPhase::Waiting, MemberPhase::Quiesced, MemberPhase::Done] {
        let mut other = lease(phase, 10_000, None);
        other.metadata.owner_references.as_mut().unwrap()[0].uid = "u-0".to_owned();
        check(&other, Some(&Ended::OfAnotherPod));
    }
}

#[test]
fn the_first_try_tests_whose_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let steps = runtime.block_on(async { ending() }).steps(&PodUid::new("u-1").unwrap());
    assert_eq!(steps[0], json!({"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": "u-1"}));
    let phase = json!({"op": "add", "path": "/metadata/annotations/snapshot-group.velero.io~1phase", "value": "done"});
    assert!(steps.as_array().unwrap().contains(&phase), "{steps}");
}

#[test]
fn an_earlier_try_that_worked_is_recognised() {
    let group = Some(GroupId::new("db").unwrap());
    check(&lease(MemberPhase::Done, 10_000, Some(60_000)), Some(&Ended::Done { quiesced: false, group }));
}

#[test]
fn a_retry_carries_the_version_that_it_saw() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ending = runtime.block_on(async { ending() });
    assert!(ending.patch(None)["metadata"].get("resourceVersion").is_none());
    assert_eq!(ending.patch(Some("7"))["metadata"]["resourceVersion"], "7");
    assert_eq!(ending.patch(None)["metadata"]["annotations"][annotations::PHASE], "done");
}
