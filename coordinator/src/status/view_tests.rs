//! What the status shows for Leases of all sorts; the table's text is compared as a whole.

use super::*;
use crate::status::{json, table};
use coordinator_core::objects::PodKey;
use k8s_openapi::api::coordination::v1::Lease;
use shared::budget_lease::Grant;
use shared::group_lease::{AttemptEntry, WaitReason};
use shared::identity::{AttemptId, Nonce, PodUid};
use shared::receipt::Receipt;
use shared::verdict::VerdictReason;

fn at(s: i64) -> WallTime {
    WallTime::from_micros(1_700_000_000_000_000).plus_ms(s * 1_000)
}

fn namespace() -> Namespace {
    Namespace::new("velero").unwrap()
}

fn attempt(pod: &str) -> AttemptId {
    AttemptId { pod_uid: PodUid::new(format!("uid-{pod}")).unwrap(), nonce: Nonce::from_bits(1) }
}

fn member(group: &str, pod: &str, phase: MemberPhase, epoch: Option<u32>) -> Lease {
    let lease = MemberLease {
        namespace: Namespace::new("prod").unwrap(),
        pod: pod.parse().unwrap(),
        group: group.parse().unwrap(),
        attempt: attempt(pod),
        phase,
        registered_at: at(0),
        renewed_at: at(0),
        lease_duration_s: 30,
        deadline: at(600),
        admission: epoch.map(|_| Admission::Released),
        epoch: epoch.map(Epoch),
        quiesced_at: None,
        thawed_at: None,
        steady: shared::boot_time::SteadySpan::default(),
        quiesce: shared::quiesce::QuiesceKinds::default(),
        let_go: None,
        resident: None,
        failure: None,
        agent_version: "0.1.0".to_owned(),
    };
    lease.encode().unwrap()
}

fn receipt(group: &str, verdict: Verdict, why: VerdictReason) -> Receipt {
    Receipt {
        namespace: Namespace::new("prod").unwrap(),
        group: group.parse().unwrap(),
        epoch: Some(Epoch(4)),
        backup: None,
        mode: Mode::ArriveAndGo,
        degraded: false,
        weight: 3,
        opened_at: at(-100),
        closed_at: at(-90),
        members: vec![],
        members_omitted: 0,
        earlier_rounds: None,
        way: None,
        frozen_max: None,
        quiesce_skew_ms: None,
        clock_error_ms: Some(50),
        skew_ms: Some(70),
        verdict,
        why,
    }
}

fn group_lease(group: &str, phase: RoundPhase, wait: Option<WaitReason>, receipt: Option<Receipt>) -> GroupLease {
    GroupLease {
        key: GroupKey { namespace: Namespace::new("prod").unwrap(), group: group.parse().unwrap() },
        epoch: Epoch(7),
        phase,
        mode: Mode::ArriveAndGo,
        degraded: false,
        call: None,
        attempts: BTreeMap::new(),
        weight: 3,
        wait,
        backup: Some("nightly-1".to_owned()),
        writer: "coordinator-0".to_owned(),
        opened_at: at(0),
        renewed_at: at(0),
        round_duration_s: 60,
        receipt,
    }
}

fn pod(group: &str, name: &str) -> Pod {
    let key = PodKey { namespace: Namespace::new("prod").unwrap(), name: name.parse().unwrap() };
    let mut pod = Pod::new(key, format!("uid-{name}").as_str().into());
    pod.set_label(LABEL_SNAPSHOT_GROUP, group);
    pod
}

fn night() -> Found {
    let mut released = group_lease("db", RoundPhase::Released, None, None);
    let admitted = AttemptEntry::new("db-0".parse().unwrap(), AttemptVerdict::Admitted);
    released.attempts.insert(attempt("db-0"), admitted);
    let wait = WaitReason::Budget { weight: 3, in_use: 3, limit: 5, ahead: 0 };
    let torn = VerdictReason::NeverQuiesced { pod: "web-1".to_owned() };
    let waiting =
        group_lease("web", RoundPhase::Waiting, Some(wait), Some(receipt("web", Verdict::CrashConsistent, torn)));
    let budget = BudgetLease {
        namespace: namespace(),
        last_epoch: Epoch(7),
        limit: 5,
        grants: BTreeMap::from([("prod/db".parse().unwrap(), Grant { epoch: Epoch(7), weight: 3, granted_at: at(0) })]),
        writer: "coordinator-0".to_owned(),
        renewed_at: at(0),
    };
    let mut stray = group_lease("db", RoundPhase::Closed, None, None).encode();
    stray.metadata.name = Some("copy".to_owned());
    Found {
        leases: vec![
            released.encode(),
            waiting.encode(),
            member("db", "db-0", MemberPhase::Quiesced, Some(7)),
            member("db", "db-1", MemberPhase::Done, Some(7)),
            member("db", "db-2", MemberPhase::Done, Some(6)),
            member("web", "web-0", MemberPhase::Waiting, None),
            stray,
        ],
        budget: Some(budget.encode()),
        limiter: None,
        leader: None,
        pods: vec![pod("db", "db-0"), pod("db", "db-1"), pod("db", "db-2"), pod("web", "web-0"), pod("new", "x-0")],
    }
}

#[test]
fn a_night_as_a_table() {
    let text = table::render(&view(&night(), &namespace()), at(30));
    let expected = "\
NAMESPACE  GROUP  PHASE      ROUND  MODE           PODS  WAITING  QUIESCED  DONE  FAILED  LAST VERDICT      ENDED
prod       db     released   7      arrive-and-go  3     0        1         1     0       -                 -
    in Backup nightly-1
prod       new    never ran  -      -              1     0        0         0     0       -                 -
prod       web    waiting    7      arrive-and-go  1     1        0         0     0       crash-consistent  2m ago
    waits for budget: 3 of 5 volumes in use, this group needs 3, 0 groups ahead
    in Backup nightly-1
    last: web-1 was expected and never quiesced

budget: 3 of 5 volumes granted: prod/db 3
leader: no coordinator ever led here (is --coordinator-namespace right?)
problem: Lease prod/copy is not group db's, which is snapshot-group-db; delete it
";
    assert_eq!(text, expected);
}

#[test]
fn a_night_as_json() {
    let text = json::render(&view(&night(), &namespace()), at(30));
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["apiVersion"], "snapshot-group.velero.io/status-v1");
    assert_eq!(document["kind"], "SnapshotGroupStatus");
    assert_eq!(document["readAt"], "2023-11-14T22:13:50.000000Z");
    let web = &document["groups"][2];
    assert_eq!((&web["group"], &web["phase"], &web["waiting"]), (&"web".into(), &"waiting".into(), &1.into()));
    assert_eq!(web["last"]["verdict"], "crash-consistent");
    assert_eq!(web["last"]["skewMs"], 70);
    assert_eq!(web["members"][0]["pod"], "web-0");
    assert_eq!(document["budget"]["grants"]["prod/db"], 3);
    assert_eq!(document["leader"], serde_json::Value::Null);
}

#[test]
fn an_empty_cluster() {
    let text = table::render(&view(&Found::default(), &namespace()), at(0));
    assert_eq!(
        text,
        "No snapshot groups.\n\nbudget: nothing was granted yet\nleader: no coordinator ever led here (is \
         --coordinator-namespace right?)\n"
    );
}

#[test]
fn leaders_of_all_sorts() {
    let mut found = Found::default();
    let mut lease = group_lease("db", RoundPhase::Closed, None, None).encode();
    let mut line = |holder: Option<&str>, now| {
        lease.spec.as_mut().unwrap().holder_identity = holder.map(str::to_owned);
        found.leader = Some(lease.clone());
        let text = table::render(&view(&found, &namespace()), now);
        text.lines().find_map(|line| line.strip_prefix("leader: ").map(str::to_owned)).unwrap()
    };
    assert_eq!(line(Some("coordinator-0"), at(2)), "coordinator-0, renewed 2s ago");
    assert_eq!(line(Some("coordinator-0"), at(7_200)), "coordinator-0, renewed 2h ago: is it alive?");
    assert_eq!(line(None, at(-5)), "nobody; the last one gave the lead up 0s ago");
}
