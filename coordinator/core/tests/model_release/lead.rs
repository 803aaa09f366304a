//! Lead mode: residents are called, answer or do not, and the round goes on.

use coordinator_core::notice::Notice;
use coordinator_core::objects::BackupPhase;
use shared::admission::{Admission, Mode};
use shared::quiesce::LetGo;
use shared::receipt::{CutWay, MemberEnd};
use shared::verdict::Verdict;

use crate::model::world::Model;
use crate::{backup, one_block, run_out, seeing, verdict_of};

#[test]
fn all_residents_are_still_before_the_first_hook_goes_and_let_go_at_the_last_cut() {
    let mut model = Model::new(&[3], 5, 1, seeing).with_residents();
    model.api.put_backup(one_block());
    model.settle();
    model.arrive(0);
    model.settle();
    assert_eq!(model.admissions(), [Some(Admission::Released), None, None]);
    assert!(model.hooks.iter().all(|hook| hook.holds.len() == 1), "one hook came, and all are still");
    model.arrive(1);
    model.arrive(2);
    model.settle();
    assert_eq!(model.admissions(), [Some(Admission::Released); 3]);
    model.tick(20);
    for i in 0..3 {
        assert!(model.hooks.iter().all(|hook| hook.holds[0].1.is_none()), "nobody lets go before the last cut");
        model.cut(i, "b1");
        model.settle();
        model.tick(5_000);
        model.settle();
    }
    let ends: Vec<_> = model.hooks.iter().map(|hook| hook.holds[0].1.map(|to| model.wall().ms_since(to))).collect();
    assert_eq!(ends, [Some(5_000); 3], "all let go at the last cut, and no post hook has run");
    let receipt = verdict_of(&mut model);
    assert_eq!((receipt.verdict, receipt.mode, receipt.degraded), (Verdict::GroupConsistent, Mode::Lead, false));
    assert_eq!(receipt.way, Some(CutWay::CsiOneBlock));
    assert!(receipt.members.iter().all(|m| m.let_go == Some(LetGo::Cut)), "{receipt:?}");
}

#[test]
fn a_resident_that_does_not_answer_holds_the_others_up_for_seconds_and_is_named() {
    let mut model = Model::new(&[3], 5, 1, seeing).with_residents();
    model.api.put_backup(one_block());
    model.hooks[2].deaf = true;
    model.settle();
    model.arrive(0);
    model.settle();
    assert_eq!(model.admissions(), [None; 3], "g0-2 may still answer");
    for _ in 0..44 {
        model.tick(250);
        model.settle();
    }
    assert_eq!(model.hooks[0].went, Some(Admission::Released), "10 s for the call, and one more");
    let named = |n: &Notice| matches!(n, Notice::CallUnanswered { called: 3, missing, .. } if missing.len() == 1);
    assert_eq!(model.coordinators[0].notices.iter().filter(|n| named(n)).count(), 1);
    let receipt = verdict_of(&mut model);
    assert!(receipt.degraded && receipt.verdict == Verdict::CrashConsistent, "{receipt:?}");
}

#[test]
fn a_resident_that_dies_frozen_or_in_a_new_pod_is_not_vouched_for() {
    for gone in [false, true] {
        let mut model = Model::new(&[2], 5, 1, seeing).with_residents();
        model.api.put_backup(backup("b1", BackupPhase::InProgress));
        model.settle();
        model.arrive(0);
        model.settle();
        model.cut(0, "b1");
        model.cut(1, "b1");
        if gone {
            model.reschedule(1);
        }
        model.start_resident(1);
        model.settle();
        let receipt = verdict_of(&mut model);
        let end = receipt.members[1].end;
        assert!(matches!(end, MemberEnd::Expired | MemberEnd::PodGone), "{end:?}");
        assert_ne!(receipt.verdict, Verdict::GroupConsistent, "{receipt:?}");
    }
}

#[test]
fn a_coordinator_killed_while_it_calls_goes_on_where_it_was() {
    for cut in 1..40 {
        let mut model = Model::new(&[3], 5, 1, seeing).with_residents();
        model.api.put_backup(one_block());
        model.settle();
        model.arrive(0);
        for message in 0.. {
            let (now, wall) = (model.now(), model.wall());
            let mut moved = model.coordinators[0].read_one(&model.api, now)
                || model.coordinators[0].call_one(&mut model.api, 0, true, now);
            moved = moved || (0..3).any(|i| model.hear(i));
            moved = moved || model.hooks[0].look(&mut model.api, wall);
            if message == cut {
                model.restart(0);
            }
            model.check();
            if !moved {
                break;
            }
        }
        model.settle();
        assert_eq!(model.hooks[0].went, Some(Admission::Released), "killed at message {cut}");
        assert!(model.hooks.iter().all(|hook| hook.holds.len() == 1), "each is called once, killed at {cut}");
        run_out(&mut model);
    }
}
