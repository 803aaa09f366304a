//! Several coordinators at once: one leads, another follows it, and two that both lead never give out more than the budget.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use shared::admission::RoundPhase;
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use testbed::api::{Effect, Fault, ServerOptions, Target, Verb};
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::{Made, Workload};

const SOON: Duration = Duration::from_secs(20);
const NO_FLAGS: [&str; 0] = [];

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

async fn leader_metric(coordinator: &CoordinatorProcess) -> f64 {
    coordinator.metric("snapshot_coordinator_leader").await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_one_leads_and_hands_over_when_it_is_told_to_stop() {
    let bed = bed().await;
    let mut first = bed.coordinator("c-0", NO_FLAGS);
    first.line("leading", SOON, |_| true).await;
    let second = bed.coordinator("c-1", NO_FLAGS);
    let line = second.line("following", SOON, |_| true).await;
    assert_eq!(line["holder"], "c-0");
    assert_eq!(second.get("/readyz").await.status, 200, "a standby is ready");
    assert!(leader_metric(&first).await > leader_metric(&second).await);

    first.signal(Signal::TERM);
    let stopped = Instant::now();
    assert_eq!(first.ended(Duration::from_secs(5)).await.code(), Some(0));
    second.line("leading", SOON, |_| true).await;
    assert!(stopped.elapsed() < Duration::from_secs(8), "a released Lease is taken within a retry period");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_after_its_lease_and_its_round_goes_on() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let mut first = bed.coordinator("c-0", NO_FLAGS);
    first.line("leading", SOON, |_| true).await;
    let second = bed.coordinator("c-1", NO_FLAGS);
    second.line("following", SOON, |_| true).await;
    let group = labelled(&bed, &made).await;
    let one = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    let epoch = admitted(&bed, &one).await;
    first.kill();
    let killed = Instant::now();
    let two = Member::register(&bed, &made.pods[1], &group, 2).await.unwrap();
    second.line("leading", Duration::from_secs(40), |_| true).await;
    assert!(killed.elapsed() > Duration::from_secs(8), "not before the Lease ran out");
    assert!(killed.elapsed() < Duration::from_secs(25), "within Lease, retry and jitter");
    assert_eq!(admitted(&bed, &two).await, epoch);
    assert_eq!(bed.budget().unwrap().granted(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_steps_down_and_comes_back() {
    let bed = bed().await;
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    coordinator.line("leading", SOON, |_| true).await;
    let renewals = Target::any().user("c-0").resource("leases").name("snapshot-coordinator");
    let fault = bed.server.faults().add(Fault::new(renewals, Effect::Refuse { code: 500, retry_after_s: None }));
    coordinator.line("following", Duration::from_secs(20), |_| true).await;
    assert!(leader_metric(&coordinator).await < 0.5);
    bed.server.faults().remove(fault);
    eventually("leading again", SOON, || (coordinator.lines_of("leading").len() == 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_under_one_identity_are_told_apart() {
    let bed = bed().await;
    let kubeconfig = bed.kubeconfig("c-0");
    let first = CoordinatorProcess::start(&kubeconfig, "c-0", NO_FLAGS);
    first.line("leading", SOON, |_| true).await;
    let second = CoordinatorProcess::start(&kubeconfig, "c-0", NO_FLAGS);
    second.line("leading", SOON, |_| true).await;
    let line = first.line("identity_conflict", SOON, |_| true).await;
    assert!(line["message"].as_str().unwrap().contains("--identity (POD_NAME)"), "{line}");
    assert!(leader_metric(&first).await < 0.5 && leader_metric(&second).await > 0.5);
}

async fn labelled(bed: &CoordinatorBed, made: &Made) -> String {
    for pod in &made.pods {
        eventually("a label", SOON, || bed.label(pod)).await;
    }
    bed.label(&made.pods[0]).unwrap()
}

async fn admitted(bed: &CoordinatorBed, member: &Member) -> shared::group_lease::Epoch {
    let verdict = shared::admission::AttemptVerdict::Admitted;
    eventually("admission", Duration::from_mins(1), || member.verdict(bed).filter(|v| *v == verdict)).await;
    bed.group(&member.key()).unwrap().epoch
}

/// Two processes lead at once: the leader Lease is deleted, so that the second takes it at once, while every answer to the
/// first one's renewals comes too late for it to notice before its own deadline.
#[tokio::test(flavor = "multi_thread")]
async fn two_active_leaders_never_give_out_more_than_the_budget() {
    const GROUPS: usize = 12;
    const LIMIT: u32 = 3;
    let bed = bed().await;
    let flags = ["--max-concurrent-snapshots", "3", "--round-idle", "300ms"];
    let first = bed.coordinator("c-0", flags);
    first.line("leading", SOON, |_| true).await;
    let second = bed.coordinator("c-1", flags);
    second.line("following", SOON, |_| true).await;
    let mut groups = Vec::new();
    for n in 0..GROUPS {
        let made = bed.workload(&Workload::stateful_set(&format!("ns-{n}"), "db", 1)).await;
        let group = labelled(&bed, &made).await;
        groups.push((made, group));
    }
    let late = Target::any().user("c-0").resource("leases").name("snapshot-coordinator").verb(Verb::Update);
    let fault = bed.server.faults().add(Fault::new(late, Effect::Delay(Duration::from_mins(1))));
    eventually("a late renewal", SOON, || bed.server.faults().struck(fault).filter(|n| *n > 0)).await;
    // Writes of both come late and out of order, so that their views of the budget differ all the time.
    for user in ["c-0", "c-1"] {
        let writes = Target::any().user(user).resource("leases").name("snapshot-budget").verb(Verb::Update);
        bed.server.faults().add(Fault::new(writes, Effect::Delay(Duration::from_millis(30))).every(2));
    }
    assert!(bed.server.delete("coordination.k8s.io/v1", "Lease", "velero", "snapshot-coordinator").unwrap());
    second.line("leading", SOON, |_| true).await;
    assert!(leader_metric(&first).await > 0.5 && leader_metric(&second).await > 0.5, "both lead");

    let mut members = BTreeMap::new();
    for (n, (made, group)) in groups.iter().enumerate() {
        members.insert(n, Member::register(&bed, &made.pods[0], group, 1).await.unwrap());
    }
    let mut done = 0;
    let begin = Instant::now();
    while done < GROUPS {
        assert!(begin.elapsed() < Duration::from_mins(1), "{done} of {GROUPS} groups came through");
        let budget = bed.budget().unwrap_or_else(|| panic!("a budget"));
        assert!(budget.granted() <= LIMIT, "{:?}", budget.grants);
        released_are_granted(&bed, &budget, &groups);
        for n in 0..GROUPS {
            let Some(mut member) = members.remove(&n) else { continue };
            if member.verdict(&bed) == Some(shared::admission::AttemptVerdict::Admitted) {
                let epoch = bed.group(&member.key()).unwrap().epoch;
                member.quiesce(epoch).await.unwrap();
                member.finish().await.unwrap();
                done += 1;
            } else {
                members.insert(n, member);
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let wrote = |user: &str| {
        let requests = bed.server.requests();
        requests.iter().filter(|r| r.user == user && r.name == "snapshot-budget" && r.verb != "get").count()
    };
    assert!(wrote("c-0") > 0 && wrote("c-1") > 0, "both took part: {} and {}", wrote("c-0"), wrote("c-1"));
}

/// Rounds that are released count at most the budget, and each runs under a number that was granted.
fn released_are_granted(bed: &CoordinatorBed, budget: &BudgetLease, groups: &[(Made, String)]) {
    let released: Vec<GroupLease> = groups
        .iter()
        .filter_map(|(made, group)| bed.group(&format!("{}/{group}", made.pods[0].name.namespace).parse().unwrap()))
        .filter(|lease| lease.phase == RoundPhase::Released)
        .collect();
    for lease in released {
        assert!(lease.epoch <= budget.last_epoch.max(bed.budget().unwrap().last_epoch), "{} ran ungranted", lease.key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_pods_that_are_gone_are_collected() {
    // Without the API server's own garbage collection, as on a cluster whose controller manager is down.
    let bed = CoordinatorBed::start(ServerOptions::default().without_garbage_collection()).await.unwrap();
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    coordinator.line("leading", SOON, |_| true).await;
    let group = labelled(&bed, &made).await;
    for (pod, nonce) in made.pods.iter().zip(1..) {
        let mut member = Member::register(&bed, pod, &group, nonce).await.unwrap();
        let epoch = admitted(&bed, &member).await;
        member.quiesce(epoch).await.unwrap();
        member.finish().await.unwrap();
    }
    assert!(bed.server.delete("v1", "Pod", "prod", "db-1").unwrap());
    // Kept for a minute, and looked at every half.
    coordinator
        .line("lease_collected", Duration::from_secs(150), |line| line["lease"] == "prod/snapshot-member-db-1")
        .await;
    assert!(bed.lease("prod", "snapshot-member-db-1").is_none());
    assert!(bed.lease("prod", "snapshot-member-db-0").is_some(), "a living pod keeps its Lease");
}
