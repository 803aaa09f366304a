//! When members let go before their post hooks come.

use coordinator_core::notice::Notice;
use coordinator_core::objects::BackupPhase;
use shared::admission::Admission;
use shared::verdict::{Verdict, VerdictReason};

use crate::model::world::Model;
use crate::{backup, one_block, quorum, run_out, seeing, unsure, verdict_of};

#[test]
fn nobody_lets_go_before_the_groups_last_cut_is_past_on_every_clock() {
    let mut model = Model::new(&[3], 5, 1, unsure).with_residents();
    model.api.put_backup(one_block());
    model.settle();
    for i in 0..3 {
        model.arrive(i);
        model.settle();
    }
    model.tick(200);
    for i in 0..3 {
        model.tick(5_000);
        model.cut(i, "b1");
        model.settle();
    }
    let held = |model: &Model| model.hooks.iter().filter(|hook| hook.holds[0].1.is_none()).count();
    assert_eq!(held(&model), 3, "a cut that was seen may still be to come on a pod's clock");
    model.tick(99);
    model.settle();
    assert_eq!(held(&model), 3);
    model.tick(1);
    model.settle();
    assert_eq!(held(&model), 0, "held for no longer than the clocks want it");
    assert_eq!(verdict_of(&mut model).verdict, Verdict::GroupConsistent);
}

#[test]
fn where_the_group_is_torn_each_lets_go_at_its_own_cut() {
    let mut model = Model::new(&[2], 5, 1, seeing);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    model.cut(0, "b1");
    model.settle();
    assert_eq!(model.hooks[0].holds[0].1, None, "g0-1 may have gone on a moment ago");
    for _ in 0..5 {
        model.tick(250);
        model.settle();
    }
    assert!(model.hooks[0].holds[0].1.is_some(), "g0-1 has not come: the group cannot be cut as one");
    model.arrive(1);
    model.settle();
    model.tick(20);
    model.cut(1, "b1");
    model.settle();
    assert!(model.hooks[1].holds[0].1.is_some());
    assert_eq!(verdict_of(&mut model).verdict, Verdict::MemberConsistent);
}

#[test]
fn a_quorum_stays_alive_and_nobody_waits_for_what_cannot_come() {
    // In one block nobody lets go before all have gone on: who is too many goes on without being held.
    let mut model = Model::new(&[3], 5, 1, quorum);
    model.api.put_backup(one_block());
    for i in 0..3 {
        model.arrive(i);
        model.settle();
    }
    assert_eq!(model.admissions(), [Some(Admission::Released); 3]);
    assert_eq!(model.hooks.iter().map(|hook| hook.holds.len()).sum::<usize>(), 1);
    let receipt = verdict_of(&mut model);
    let left = VerdictReason::LeftUnheld { pod: "g0-1".into(), at_most: 1 };
    assert_eq!((receipt.verdict, receipt.why, receipt.frozen_max), (Verdict::CrashConsistent, left, Some(1)));

    // In blocks of their own the next one follows when the first lets go.
    let mut model = Model::new(&[2], 5, 1, quorum);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.arrive(1);
    model.settle();
    assert_eq!(model.admissions(), [Some(Admission::Released), None]);
    model.cut(0, "b1");
    for _ in 0..5 {
        model.tick(250);
        model.settle();
    }
    assert_eq!(model.admissions(), [Some(Admission::Released); 2]);
    assert!(model.hooks.iter().all(|hook| hook.holds.len() == 1), "each was held, one after the other");
    run_out(&mut model);

    // One that has waited for half of its time goes on without: something keeps the first from letting go.
    let mut model = Model::new(&[2], 5, 1, quorum);
    model.arrive(0);
    model.arrive(1);
    model.settle();
    for _ in 0..30 {
        let wall = model.wall();
        model.hooks[1].renew(&mut model.api, wall);
        model.tick(10_000);
        model.settle();
    }
    assert_eq!((model.hooks[1].went, model.hooks[1].holds.len()), (Some(Admission::Released), 0));
    run_out(&mut model);
}

#[test]
fn a_group_is_not_held_longer_than_it_may_be() {
    let mut model = Model::new(&[2], 5, 1, |set| {
        seeing(set);
        set.policy.frozen_time_max_ms = Some(20_000);
    });
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    model.tick(19_000);
    model.settle();
    assert_eq!(model.hooks[0].holds[0].1, None);
    model.tick(1_000);
    model.settle();
    assert!(model.hooks[0].holds[0].1.is_some());
    let told = |n: &&Notice| matches!(n, Notice::HoldEnded { members: 1, at_most_ms: 20_000, .. });
    assert_eq!(model.coordinators[0].notices.iter().filter(told).count(), 1);
    run_out(&mut model);
}
