//! The gate: who goes when, and what becomes of a round whose members or Backup go away.

use coordinator_core::notice::Notice;
use coordinator_core::objects::BackupPhase;
use shared::admission::Admission;
use shared::receipt::MemberEnd;
use shared::verdict::Verdict;

use crate::model::world::Model;
use crate::{backup, barrier, plain, receipts, run_out};

#[test]
fn arrive_and_go_admits_each_as_it_comes_and_closes_when_all_are_done() {
    let mut model = Model::new(&[3], 5, 1, plain);
    for i in 0..3 {
        model.arrive(i);
        model.settle();
        assert_eq!(model.hooks[i].went, Some(Admission::Released));
        model.tick(20);
    }
    let wall = model.wall();
    for i in 0..3 {
        model.hooks[i].post(&mut model.api, wall);
    }
    model.settle();
    assert_eq!(model.at_rest(), Ok(()));
    let [receipt] = receipts(&model)[..] else { panic!("one receipt") };
    assert_eq!(receipt.verdict, Verdict::Unknown, "no cut was observed, so none is claimed");
    assert!(receipt.members.iter().all(|m| m.end == MemberEnd::Done && m.held_ms().is_some()));
}

#[test]
fn a_group_heavier_than_the_budget_runs_alone_and_is_not_starved() {
    let mut model = Model::new(&[20, 1, 1], 5, 1, plain);
    model.arrive(20);
    model.settle();
    model.tick(1);
    model.arrive(0);
    model.settle();
    model.tick(1);
    model.arrive(21); // fits the budget, but came after the heavy group
    model.settle();
    assert_eq!(
        (model.hooks[20].went, model.hooks[0].went, model.hooks[21].went),
        (Some(Admission::Released), None, None)
    );
    let wall = model.wall();
    model.hooks[20].post(&mut model.api, wall);
    model.settle();
    assert_eq!((model.hooks[0].went, model.hooks[21].went), (Some(Admission::Released), None));
    run_out(&mut model);
}

#[test]
fn a_wall_clock_that_is_set_changes_no_order() {
    for by_ms in [3_600_000, -3_600_000] {
        let mut model = Model::new(&[1, 1, 1], 1, 1, plain);
        for i in 0..3 {
            model.arrive(i);
            model.settle();
            model.tick(1);
            // Set after the second came, and left so.
            model.wall_jump_ms += if i == 1 { by_ms } else { 0 };
        }
        assert_eq!(model.admissions(), [Some(Admission::Released), None, None]);
        let wall = model.wall();
        model.hooks[0].post(&mut model.api, wall);
        model.settle();
        assert_eq!(model.admissions()[1..], [Some(Admission::Released), None], "set by {by_ms} ms");
        run_out(&mut model);
    }
}

#[test]
fn barrier_releases_all_by_one_write() {
    let mut model = Model::new(&[3], 5, 1, barrier);
    model.arrive(0);
    model.arrive(1);
    model.settle();
    assert_eq!(model.admissions(), [None, None, None]);
    model.arrive(2);
    model.settle();
    assert_eq!(model.admissions(), [Some(Admission::Released); 3]);
    let at_once = model.coordinators[0].notices.iter().any(|n| matches!(n, Notice::Released { members: 3, .. }));
    assert!(at_once, "one write releases all three");
    run_out(&mut model);
}

#[test]
fn barrier_that_cannot_fill_degrades_in_seconds() {
    let mut model = Model::new(&[3], 5, 1, barrier);
    model.arrive(0);
    model.settle();
    for _ in 0..21 {
        model.tick(250);
        model.settle();
    }
    assert_eq!(model.hooks[0].went, Some(Admission::Released), "5 s after the last arrival it goes on");
    model.arrive(1);
    model.settle();
    assert_eq!(model.hooks[1].went, Some(Admission::Released), "the others go as they arrive");
    run_out(&mut model);
    assert!(receipts(&model).iter().all(|receipt| receipt.degraded));
}

#[test]
fn a_member_that_dies_frees_its_share_within_one_lease() {
    // I9: deleted while it waits, deleted while it holds, silent while it waits.
    let mut model = Model::new(&[1, 1], 1, 1, plain);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    model.arrive(1);
    model.settle();
    assert_eq!(model.admissions(), [Some(Admission::Released), None]);
    model.reschedule(0);
    model.settle();
    model.api.put_backup(backup("b1", BackupPhase::CutsOver));
    for _ in 0..20 {
        model.tick(250);
        model.settle();
    }
    let ends: Vec<_> = receipts(&model).iter().flat_map(|r| &r.members).map(|m| m.end).collect();
    assert!(ends.contains(&MemberEnd::PodGone), "{ends:?}");
    run_out(&mut model);
}

#[test]
fn a_backup_that_ends_without_posts_holds_nothing() {
    // Velero killed in mid-backup: posts never run (V4); the round ends with the Backup, the next backup works.
    let mut model = Model::new(&[2], 2, 1, plain);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    model.api.put_backup(backup("b1", BackupPhase::CutsOver));
    for _ in 0..12 {
        model.tick(250);
        model.settle();
    }
    assert_eq!(model.at_rest(), Ok(()));
    let receipt = receipts(&model)[0].clone();
    assert_eq!(receipt.backup.as_deref(), Some("b1"));
    assert_eq!(receipt.verdict, Verdict::CrashConsistent, "db-1 was expected and never quiesced");
    let ends: Vec<_> = receipt.members.iter().map(|m| m.end).collect();
    assert_eq!(ends, [MemberEnd::Open, MemberEnd::NeverArrived]);

    model.api.put_backup(backup("b2", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    assert_eq!(model.hooks[0].went, Some(Admission::Released));
    run_out(&mut model);
}

#[test]
fn a_hook_that_outlives_its_backup_is_ended_not_released() {
    let mut model = Model::new(&[1, 1], 1, 1, plain);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    model.arrive(1);
    model.settle();
    assert!(model.hooks[1].waiting.is_some(), "the budget is in use");
    model.api.put_backup(backup("b1", BackupPhase::CutsOver));
    for _ in 0..12 {
        model.tick(250);
        model.settle();
    }
    assert_eq!((model.hooks[1].waiting.clone(), model.hooks[1].went), (None, None), "told that its time is over");
    assert_eq!(model.at_rest(), Ok(()));
}

#[test]
fn a_group_lease_deleted_in_mid_round_comes_back_under_the_same_number() {
    let mut model = Model::new(&[2], 5, 1, plain);
    model.arrive(0);
    model.settle();
    let key = model.hooks[0].group.clone();
    let epoch = model.api.groups[&key].1.epoch;
    model.api.delete_group(&key);
    model.settle();
    assert_eq!(model.api.groups[&key].1.epoch, epoch);
    model.arrive(1);
    model.settle();
    assert_eq!(model.hooks[1].went, Some(Admission::Released));
    run_out(&mut model);
}

#[test]
fn over_budget_is_counted_apart() {
    let mut model = Model::new(&[1, 1], 1, 1, plain);
    model.arrive(0);
    model.settle();
    model.arrive(1);
    model.settle();
    let wall = model.wall();
    model.hooks[1].deadline(&mut model.api, wall);
    model.settle();
    let budget = &model.api.budget.as_ref().unwrap().1;
    assert_eq!(budget.granted(), 1, "what nobody granted is not granted");
    run_out(&mut model);
    let admissions: Vec<_> = receipts(&model).iter().flat_map(|r| &r.members).filter_map(|m| m.admission).collect();
    assert!(admissions.contains(&Admission::OverBudget) && admissions.contains(&Admission::Released), "{admissions:?}");
}

#[test]
fn a_restart_at_every_message_loses_nothing() {
    for cut in 0..60 {
        let mut model = Model::new(&[3], 5, 1, plain);
        let mut messages = 0;
        for i in 0..3 {
            model.arrive(i);
            loop {
                let now = model.now();
                let wall = model.wall();
                let moved = model.coordinators[0].read_one(&model.api, now)
                    || model.coordinators[0].call_one(&mut model.api, 0, true, now)
                    || model.hooks.iter_mut().any(|hook| hook.look(&mut model.api, wall));
                messages += 1;
                if messages == cut {
                    model.restart(0);
                }
                model.check();
                if !moved {
                    break;
                }
            }
            assert_eq!(model.hooks[i].went, Some(Admission::Released), "killed at message {cut}");
        }
        run_out(&mut model);
    }
}
