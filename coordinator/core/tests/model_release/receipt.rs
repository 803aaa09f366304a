//! What a receipt says of members that are gone, and of earlier rounds in the same Backup.

use coordinator_core::objects::BackupPhase;
use coordinator_core::verify::{Outcome, verify};
use shared::receipt::{EarlierRounds, MemberEnd, Receipt};
use shared::verdict::{Verdict, VerdictReason};

use crate::model::world::Model;
use crate::{backup, receipts, run_out, seeing, verdict_of};

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
