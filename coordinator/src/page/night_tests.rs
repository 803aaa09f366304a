//! Which night is shown, and what became of its runs.

use super::*;
use crate::page::fixtures::{at, key, planned, ran, runs as open};

fn outcomes(groups: &[GroupSeen], due_min: u32) -> Vec<Outcome> {
    let word = planned(&groups.iter().map(|seen| (key_of(seen), due_min)).collect::<Vec<_>>());
    let plan = word.planned.unwrap();
    Night::around(&plan, groups, at(0)).runs.iter().map(|run| run.outcome).collect()
}

#[test]
fn the_open_window_or_the_nearer_one() {
    let plan = planned(&[]).planned.unwrap();
    // at(0) is 22:13:20; the window is open from 22:00 to 06:00.
    for (hours, which, starts_s) in [
        (0, Which::Tonight, -800),
        (7, Which::Tonight, -800),
        (8, Which::Last, -800),
        (15, Which::Last, -800),
        (16, Which::Coming, 86_400 - 800),
        (23, Which::Coming, 86_400 - 800),
        (24, Which::Tonight, 86_400 - 800),
    ] {
        let night = Night::around(&plan, &[], at(hours * 3_600));
        assert_eq!((night.which, night.starts_at), (which, at(starts_s)), "{hours} h later");
    }
}

#[test]
fn a_run_is_told_from_what_its_round_became() {
    // Due at 22:05, 500 s ago.
    let cases = [
        (ran("a", "good", Verdict::GroupConsistent, -490), Outcome::Done(Verdict::GroupConsistent)),
        (open("a", "open", RoundPhase::Released, -490), Outcome::Running),
        (ran("a", "yesterday", Verdict::GroupConsistent, -86_400), Outcome::Due),
    ];
    for (seen, expected) in cases {
        assert_eq!(outcomes(std::slice::from_ref(&seen), 5), [expected], "{:?}", seen.group.group);
    }
    let never = [ran("a", "x", Verdict::Failed, -86_400)];
    assert_eq!(outcomes(&never, 30), [Outcome::Planned], "due in a quarter of an hour");
    let word = planned(&[(key("a", "x"), 5)]);
    let plan = word.planned.unwrap();
    let later = Night::around(&plan, &never, at(3_600));
    assert_eq!(later.runs[0].outcome, Outcome::NoReceipt, "its time is over");
}

#[test]
fn a_receipt_belongs_to_one_run_of_its_day() {
    let word = planned(&[(key("a", "x"), 5)]);
    let mut plan = (*word.planned.unwrap()).clone();
    let second = PlannedRun { due: plan.window_start.plus(12), ..plan.groups[0].runs[0] };
    plan.groups[0].runs.push(second);
    let groups = [ran("a", "x", Verdict::MemberConsistent, -70)];
    let night = Night::around(&plan, &groups, at(0));
    let told: Vec<_> = night.runs.iter().map(|run| run.outcome).collect();
    assert_eq!(told, [Outcome::Due, Outcome::Done(Verdict::MemberConsistent)]);
}

#[test]
fn hours_are_local_and_count_what_is_due() {
    let word = planned(&[(key("a", "x"), 5), (key("a", "y"), 65)]);
    let mut plan = (*word.planned.unwrap()).clone();
    plan.offset_min = 60;
    let night = Night::around(&plan, &[], at(0));
    let hours = night.hours();
    assert_eq!((hours.len(), hours[0].start.to_string().as_str()), (8, "23:00"));
    assert_eq!((hours[0].runs, hours[1].runs, hours[2].runs), (1, 1, 0));
    assert_eq!(next_run(&plan.groups[0], at(0)), Some(at(86_400 - 500)));
}
