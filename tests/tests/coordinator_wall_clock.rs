//! A coordinator whose wall clock somebody sets while it leads: it goes on to lead and to release, and nobody is released twice.

use std::collections::BTreeSet;
use std::time::Duration;

use shared::admission::AttemptVerdict;
use shared::group_lease::Epoch;
use testbed::api::ServerOptions;
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::Workload;
use testbed::wall_clock::WallClock;

const SOON: Duration = Duration::from_mins(1);

/// Forth, back, and forth again, s.
const SET_TO_S: [i32; 4] = [3_600, -3_600, 3_600, 0];

/// A round may end when nothing was heard of it for so long.
const ROUND_IDLE: [&str; 2] = ["--round-idle", "500ms"];

fn coordinator(bed: &CoordinatorBed, identity: &str, clock: &WallClock) -> CoordinatorProcess {
    let mut command = CoordinatorProcess::command(&bed.kubeconfig(identity), identity, ROUND_IDLE);
    command.envs(clock.variables());
    CoordinatorProcess::spawn(command)
}

async fn admitted(bed: &CoordinatorBed, member: &Member) -> Epoch {
    eventually("admission", SOON, || member.verdict(bed).filter(|v| *v == AttemptVerdict::Admitted)).await;
    bed.group(&member.key()).unwrap().epoch
}

/// When the leader last renewed its Lease, as the Lease says: by the leader's clock.
fn renewed(bed: &CoordinatorBed) -> i64 {
    let spec = bed.lease("velero", "snapshot-coordinator").unwrap().spec.unwrap();
    spec.renew_time.unwrap().0.as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_go_on_one_after_the_other() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let Some(clock) = WallClock::right(bed.folder()) else { return };
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    let coordinator = coordinator(&bed, "c-0", &clock);
    coordinator.line("leading", SOON, |_| true).await;
    for pod in &made.pods {
        eventually("a label", SOON, || bed.label(pod)).await;
    }
    let group = bed.label(&made.pods[0]).unwrap();
    let mut epochs = BTreeSet::new();
    for (round, offset_s) in (0..).zip(SET_TO_S) {
        let mut first = Member::register(&bed, &made.pods[0], &group, 2 * round).await.unwrap();
        let epoch = admitted(&bed, &first).await;
        first.quiesce(epoch).await.unwrap();
        // Set in the middle of the round: the second member is of the same one.
        clock.set(offset_s);
        let mut second = Member::register(&bed, &made.pods[1], &group, 2 * round + 1).await.unwrap();
        assert_eq!(admitted(&bed, &second).await, epoch);
        assert_eq!(bed.budget().unwrap().granted(), 2, "the group has its share, once");
        second.quiesce(epoch).await.unwrap();
        for member in [&mut first, &mut second] {
            member.finish().await.unwrap();
        }
        eventually("the share is returned", SOON, || bed.budget().filter(|budget| budget.granted() == 0)).await;
        assert!(epochs.last().is_none_or(|last| *last < epoch) && epochs.insert(epoch), "{epoch:?} after {epochs:?}");
    }
    eventually("a receipt a round", SOON, || {
        (coordinator.lines_of("group_receipt").len() == SET_TO_S.len()).then_some(())
    })
    .await;
    let granted: Vec<u64> =
        coordinator.lines_of("group_granted").iter().filter_map(|line| line["epoch"].as_u64()).collect();
    assert_eq!(granted, epochs.iter().map(|epoch| u64::from(epoch.0)).collect::<Vec<_>>(), "each round's share, once");
    assert_eq!(coordinator.lines_of("leading").len(), 1);
    assert!(coordinator.lines_of("following").is_empty(), "it led all the time");
}

/// Another one would take over after 15 s without a renewal.
#[tokio::test(flavor = "multi_thread")]
async fn the_leader_stays_the_leader() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let folder = |name: &str| {
        let folder = bed.folder().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    let Some(of_leader) = WallClock::right(&folder("leader")) else { return };
    let Some(of_follower) = WallClock::right(&folder("follower")) else { return };
    let leader = coordinator(&bed, "c-0", &of_leader);
    leader.line("leading", SOON, |_| true).await;
    let follower = coordinator(&bed, "c-1", &of_follower);
    follower.line("following", SOON, |line| line["holder"] == "c-0").await;
    // The one an hour ahead, the other an hour behind, and the other way round.
    for offset_s in [3_600, -3_600] {
        of_leader.set(offset_s);
        of_follower.set(-offset_s);
        let mut seen = BTreeSet::new();
        eventually("as many renewals as take longer than the Lease lasts", SOON, || {
            let off_by_s = renewed(&bed) - jiff::Timestamp::now().as_second() - i64::from(offset_s);
            if off_by_s.abs() < 60 {
                seen.insert(renewed(&bed));
            }
            (seen.len() > 8).then_some(())
        })
        .await;
    }
    assert!(follower.lines_of("leading").is_empty(), "{:?}", follower.lines_of("leading"));
    assert!(leader.lines_of("following").is_empty(), "{:?}", leader.lines_of("following"));
}
