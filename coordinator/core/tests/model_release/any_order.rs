//! Any messages in any order, with any number of coordinators, lost answers, kills and clocks that jump.

use coordinator_core::objects::BackupPhase;
use coordinator_core::settings::Settings;
use coordinator_core::verify::{Outcome, verify};
use proptest::prelude::*;
use shared::admission::RoundPhase;
use shared::receipt::Receipt;
use shared::verdict::Verdict;

use crate::model::world::Model;
use crate::{backup, barrier, each, lead, plain, quorum, receipts, run_out, seeing};

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

#[test]
fn coordinators_that_differ_about_a_member_do_not_rest_and_grant_in_turns() {
    // To the first one g1-0 waits still, to the second, which has known its Lease for longer, it is gone; g0-0 waits for the share.
    let mut model = Model::new(&[3, 3], 1, 2, barrier).with_residents();
    let lost = [Move::Call(1, 0, false), Move::Call(1, 2, false)];
    let late = [Move::Arrive(0), Move::Tick(6_000), Move::Tick(40_000)];
    let moves: Vec<Move> = [Move::Arrive(3), Move::Restart(1)].into_iter().chain(lost).chain(late).collect();
    play(&mut model, &moves);
    run_out(&mut model);
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
