//! The release protocol as a model: what always holds, whatever is delayed, lost, killed or deleted (I1, I4, I5, I6, I9).

mod model;

use coordinator_core::notice::Notice;
use coordinator_core::objects::{Backup, BackupPhase, ObjectKey};
use coordinator_core::policy::ThawOnCut;
use coordinator_core::settings::{ModeSetting, Settings};
use coordinator_core::verify::{Outcome, verify};
use model::world::Model;
use proptest::prelude::*;
use shared::admission::{Admission, Mode, RoundPhase};
use shared::quiesce::LetGo;
use shared::receipt::{CutWay, EarlierRounds, MemberEnd, Receipt};
use shared::verdict::{Verdict, VerdictReason};

fn plain(_: &mut Settings) {}

fn barrier(set: &mut Settings) {
    set.mode = ModeSetting::Fixed(Mode::Barrier);
}

/// Cuts are seen, as with CSI.
fn seeing(set: &mut Settings) {
    set.cuts_visible = true;
}

/// … and one member at most is held still at once.
fn quorum(set: &mut Settings) {
    seeing(set);
    set.policy.frozen_max = Some(1);
}

/// … and each lets go at its own cut.
fn each(set: &mut Settings) {
    seeing(set);
    set.policy.thaw = ThawOnCut::Member;
}

/// … and clocks are as far off as they are by default.
fn unsure(set: &mut Settings) {
    seeing(set);
    set.clock_error_ms = 50;
}

/// … and residents are called, whoever has one.
fn lead(set: &mut Settings) {
    seeing(set);
    set.mode = ModeSetting::Fixed(Mode::Lead);
}

fn backup(name: &str, phase: BackupPhase) -> Backup {
    Backup {
        key: ObjectKey { namespace: "velero".parse().unwrap(), name: name.into() },
        uid: format!("uid-{name}"),
        started_at: None,
        failure: None,
        phase,
        included_namespaces: vec!["prod".into()],
        excluded_namespaces: vec![],
        includes_pods: true,
        hooks: vec![],
        any_of: vec![],
        ordered_pods: vec![],
        receipts: [].into(),
    }
}

fn receipts(model: &Model) -> Vec<&Receipt> {
    fn closed(notice: &Notice) -> Option<&Receipt> {
        if let Notice::RoundClosed(receipt) = notice { Some(receipt) } else { None }
    }
    model.coordinators.iter().flat_map(|c| &c.notices).filter_map(closed).collect()
}

/// Everything that is still under way ends: posts run, time passes, nobody new arrives.
fn run_out(model: &mut Model) {
    for name in ["b1", "b2"] {
        model.api.put_backup(backup(name, BackupPhase::CutsOver));
    }
    for _ in 0..400 {
        model.settle();
        let wall = model.wall();
        for hook in &mut model.hooks {
            if hook.went.is_some() {
                hook.post(&mut model.api, wall);
                hook.went = None;
            }
            hook.renew(&mut model.api, wall);
        }
        model.tick(20_000);
        model.settle();
        if model.at_rest().is_ok() {
            return;
        }
    }
    let leases = (&model.api.budget, &model.api.groups, &model.api.members);
    panic!("I4: {}; {leases:?}", model.at_rest().unwrap_err());
}

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

/// Three pods that Velero cuts in one block.
fn one_block() -> Backup {
    Backup { ordered_pods: (0..3).map(|i| format!("prod/g0-{i}")).collect(), ..backup("b1", BackupPhase::InProgress) }
}

fn verdict_of(model: &mut Model) -> Receipt {
    let wall = model.wall();
    for hook in &mut model.hooks {
        hook.post(&mut model.api, wall);
    }
    model.settle();
    run_out(model);
    receipts(model)[0].clone()
}

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

#[test]
fn a_member_that_is_scaled_away_takes_no_doubt_with_it() {
    // g0-0 was done, its cut had not been seen, and then the pod was gone for good: nobody knows whether it was cut in its hold.
    let mut model = Model::new(&[2], 5, 1, seeing);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.arrive(1);
    model.settle();
    model.tick(20);
    model.cut(1, "b1");
    model.settle();
    model.tick(1_000);
    let wall = model.wall();
    model.hooks[0].post(&mut model.api, wall);
    model.settle();
    let gone = model.hooks[0].pod.clone();
    model.api.delete_pod(&gone);
    model.settle();
    let receipt = verdict_of(&mut model);
    assert_eq!(receipt.verdict, Verdict::Unknown, "{receipt:?}");
    assert_eq!(receipt.why, VerdictReason::CutNotObserved { pod: "g0-0".into() });
    assert_eq!(receipt.members[0].volumes, 1);
}

#[test]
fn a_member_that_is_gone_when_a_coordinator_starts_anew_is_not_forgotten() {
    let mut model = Model::new(&[2], 5, 1, seeing);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    model.arrive(0);
    model.arrive(1);
    model.settle();
    model.tick(20);
    model.cut(0, "b1");
    let wall = model.wall();
    model.hooks[0].post(&mut model.api, wall);
    model.settle();
    let gone = model.hooks[0].pod.clone();
    model.api.delete_pod(&gone);
    model.restart(0);
    model.settle();
    model.cut(1, "b1");
    let receipt = verdict_of(&mut model);
    let ends: Vec<_> = receipt.members.iter().map(|member| (member.pod.to_string(), member.end)).collect();
    assert_eq!(ends, [("g0-0".to_owned(), MemberEnd::PodGone), ("g0-1".to_owned(), MemberEnd::Done)]);
    assert_eq!(receipt.verdict, Verdict::CrashConsistent, "what nobody can vouch for is no group: {receipt:?}");
}

/// The receipt of the first group that stands on Backup `b1`.
fn on_backup(model: &Model) -> Receipt {
    let key = (backup("b1", BackupPhase::InProgress).key, model.hooks[0].group.clone());
    model.api.receipts[&key].clone()
}

#[test]
fn a_second_round_in_one_backup_does_not_hide_what_the_first_left() {
    let mut model = Model::new(&[2], 5, 1, seeing);
    model.api.put_backup(backup("b1", BackupPhase::InProgress));
    let first_round = |model: &mut Model| {
        model.arrive(0);
        model.settle();
        let wall = model.wall();
        model.hooks[0].post(&mut model.api, wall);
        model.settle();
        model.tick(20);
        model.arrive(0); // its hook runs anew, and g0-1 has not come: this round is another one
        model.settle();
    };
    first_round(&mut model);
    let torn = on_backup(&model);
    assert_eq!((torn.verdict, torn.earlier_rounds), (Verdict::CrashConsistent, None));
    first_round(&mut model);
    model.restart(0); // what it knows of earlier rounds is in the group's Lease
    model.settle();
    model.arrive(1);
    model.settle();
    model.tick(20);
    model.cut(0, "b1");
    model.cut(1, "b1");
    verdict_of(&mut model);
    let last = receipts(&model).last().map(|receipt| (receipt.verdict, receipt.why.clone()));
    assert_eq!(last, Some((Verdict::GroupConsistent, VerdictReason::QuiescesCoverAllCuts)), "the round by itself");
    let kept = on_backup(&model);
    let never = VerdictReason::NeverQuiesced { pod: "g0-1".into() };
    let earlier = EarlierRounds { count: 2, worst: Verdict::CrashConsistent, why: never.clone() };
    assert_eq!(
        (kept.verdict, &kept.why, kept.earlier_rounds.as_deref()),
        (Verdict::CrashConsistent, &never, Some(&earlier))
    );
    assert!(kept.members.iter().all(|member| member.cuts.len() == 1), "the facts are those of the last round");
    assert_eq!(verify(&kept).outcome(), Outcome::Agrees, "{:?}", verify(&kept));

    // The next Backup begins with a clean sheet.
    model.api.put_backup(backup("b2", BackupPhase::InProgress));
    model.arrive(0);
    model.settle();
    run_out(&mut model);
    let next = receipts(&model).last().map(|receipt| (receipt.backup.clone(), receipt.earlier_rounds.clone()));
    assert_eq!(next, Some((Some("b2".to_owned()), None)));
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

#[derive(Clone, Debug)]
enum Move {
    Arrive(usize),
    Look(usize),
    Deadline(usize),
    Post(usize),
    Reschedule(usize),
    Read(usize),
    Call(usize, usize, bool),
    Restart(usize),
    Backup(bool, bool),
    Hear(usize),
    Cut(usize, bool),
    Resident(usize),
    Tick(u64),
    ClockJump(i64),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0usize..16).prop_map(Move::Arrive),
        6 => (0usize..16).prop_map(Move::Look),
        1 => (0usize..16).prop_map(Move::Deadline),
        3 => (0usize..16).prop_map(Move::Post),
        1 => (0usize..16).prop_map(Move::Reschedule),
        12 => (0usize..3).prop_map(Move::Read),
        8 => (0usize..3, 0usize..4, prop::bool::weighted(0.85)).prop_map(|(c, p, a)| Move::Call(c, p, a)),
        1 => (0usize..3).prop_map(Move::Restart),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(b, p)| Move::Backup(b, p)),
        6 => (0usize..16).prop_map(Move::Hear),
        4 => (0usize..16, any::<bool>()).prop_map(|(i, b)| Move::Cut(i, b)),
        1 => (0usize..16).prop_map(Move::Resident),
        3 => prop_oneof![Just(20u64), Just(300), Just(6_000), Just(40_000)].prop_map(Move::Tick),
        1 => prop_oneof![Just(3_600_000i64), Just(-3_600_000)].prop_map(Move::ClockJump),
    ]
}

fn play(model: &mut Model, moves: &[Move]) {
    for action in moves {
        let (now, wall, hooks) = (model.now(), model.wall(), model.hooks.len());
        let coordinators = model.coordinators.len();
        match action {
            Move::Arrive(i) => model.arrive(i % hooks),
            Move::Look(i) => {
                model.hooks[i % hooks].look(&mut model.api, wall);
            }
            Move::Deadline(i) => model.hooks[i % hooks].deadline(&mut model.api, wall),
            Move::Post(i) => model.hooks[i % hooks].post(&mut model.api, wall),
            Move::Reschedule(i) => model.reschedule(i % hooks),
            Move::Read(c) => {
                model.coordinators[c % coordinators].read_one(&model.api, now);
            }
            Move::Call(c, pick, answered) => {
                model.coordinators[c % coordinators].call_one(&mut model.api, *pick, *answered, now);
            }
            Move::Restart(c) => model.restart(*c),
            Move::Backup(second, running) => {
                let phase = if *running { BackupPhase::InProgress } else { BackupPhase::CutsOver };
                model.api.put_backup(backup(if *second { "b2" } else { "b1" }, phase));
            }
            Move::Hear(i) => {
                model.hear(i % hooks);
            }
            Move::Cut(i, second) => model.cut(i % hooks, if *second { "b2" } else { "b1" }),
            Move::Resident(i) => model.start_resident(i % hooks),
            Move::Tick(ms) => model.tick(*ms),
            Move::ClockJump(ms) => model.wall_jump_ms += ms,
        }
        model.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    /// Any number of coordinators, each with a watch of its own pace, lost answers, kills, pods that come and go, wall
    /// clocks that jump by hours.
    #[test]
    fn invariants_hold_after_every_message_and_everything_ends(
        sizes in prop::collection::vec(1usize..5, 1..4),
        budget in 1u32..6,
        coordinators in 1usize..4,
        tune in prop::sample::select(vec![plain as fn(&mut Settings), barrier, seeing, quorum, each, lead]),
        residents: bool,
        steps in prop::collection::vec(moves(), 0..250),
    ) {
        let mut model = Model::new(&sizes, budget, coordinators, tune);
        if residents {
            model = model.with_residents();
        }
        play(&mut model, &steps);
        run_out(&mut model);
        let clock_jumped = steps.iter().any(|step| matches!(step, Move::ClockJump(_)));
        for receipt in receipts(&model) {
            let alone = Receipt { earlier_rounds: None, ..receipt.clone() };
            prop_assert_eq!(verify(&alone).outcome(), Outcome::Agrees, "{:?} {:?}", verify(&alone), receipt);
        }
        for receipt in model.api.receipts.values() {
            prop_assert_eq!(verify(receipt).outcome(), Outcome::Agrees, "{:?} {:?}", verify(receipt), receipt);
        }
        for receipt in receipts(&model).into_iter().filter(|r| r.verdict == Verdict::GroupConsistent && !clock_jumped) {
            let pods: Vec<_> = receipt.members.iter().map(|member| member.pod.clone()).collect();
            let backup = receipt.backup.clone().unwrap_or_default();
            prop_assert!(model.was_cut_as_one(&backup, &pods), "I3: {:?}", receipt);
        }
        for (_, lease) in model.api.groups.values() {
            prop_assert_eq!(lease.phase, RoundPhase::Closed);
        }
    }
}
