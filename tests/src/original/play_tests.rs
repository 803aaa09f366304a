//! What comes of the original's protocol, layout by layout, and why?

use super::*;

const LAYOUTS: [Layout; 3] = [Layout::EachPodAlone, Layout::OneBlock, Layout::ParallelWorkers(4)];

fn check(layout: Layout, expected_s: [u64; 3], skew_s: u64, total_s: u64) {
    for reading in [Reading::Literal, Reading::Unquoted, Reading::Labelled] {
        let outcome = play(&Scenario::new(3, layout, reading));
        let waits: Vec<u64> = outcome.members.iter().map(|m| m.wait_s).collect();
        assert_eq!(waits, expected_s, "{layout:?} {reading:?}");
        assert_eq!((outcome.skew_s, outcome.total_s), (skew_s, total_s), "{layout:?} {reading:?}");
        assert_eq!(outcome.phase, Phase::PartiallyFailed);
        assert_eq!(outcome.consistency, Consistency::CrashConsistent);
        assert!(!outcome.is_quiesced() && outcome.members.iter().all(|m| !m.post_ran && m.still_loops));
    }
}

#[test]
fn every_pod_waits_ten_minutes_in_every_layout_and_reading() {
    check(Layout::EachPodAlone, [600; 3], 1210, 1815);
    check(Layout::OneBlock, [600; 3], 10, 1815);
    check(Layout::ParallelWorkers(4), [600; 3], 0, 605);
}

#[test]
fn as_installed_nobody_waits_and_nothing_is_consistent() {
    for (layout, skew_s, total_s) in
        [(Layout::EachPodAlone, 10, 15), (Layout::OneBlock, 10, 15), (Layout::ParallelWorkers(4), 0, 5)]
    {
        let outcome = play(&Scenario::new(3, layout, Reading::AsInstalled));
        assert_eq!((outcome.wait_max_s(), outcome.skew_s, outcome.total_s), (0, skew_s, total_s), "{layout:?}");
        assert_eq!((outcome.phase, outcome.consistency), (Phase::PartiallyFailed, Consistency::CrashConsistent));
        assert!(outcome.members.iter().all(|m| m.pre == PreEnd::NotStarted && !m.post_ran && !m.still_loops));
        assert!(
            outcome.rules.contains(&Rule::ScriptsAreElsewhere) && !outcome.rules.contains(&Rule::PreHooksAreSerial)
        );
    }
}

#[test]
fn other_times_change_nothing_else() {
    let short = Scenario {
        pre_timeout_s: 15,
        coordinator_every_s: 5,
        ..Scenario::new(3, Layout::EachPodAlone, Reading::Labelled)
    };
    let outcome = play(&short);
    assert_eq!((outcome.wait_max_s(), outcome.skew_s, outcome.total_s), (15, 40, 60));
    assert_eq!(outcome.phase, Phase::PartiallyFailed);
}

#[test]
fn more_pods_than_workers_come_in_turns() {
    let outcome = play(&Scenario::new(20, Layout::ParallelWorkers(4), Reading::Unquoted));
    assert_eq!((outcome.skew_s, outcome.total_s), (4 * 605, 5 * 605));
}

fn check_rules(reading: Reading, expected: &[Rule], absent: &[Rule]) {
    let rules = play(&Scenario::new(3, Layout::EachPodAlone, reading)).rules;
    assert!(expected.iter().all(|rule| rules.contains(rule)), "{reading:?}: {rules:?}");
    assert!(!absent.iter().any(|rule| rules.contains(rule)), "{reading:?}: {rules:?}");
}

#[test]
fn each_reading_fails_for_its_own_reason() {
    let always = [
        Rule::NothingIsQuiesced,
        Rule::PreTimesOutAfterTenMinutes,
        Rule::FailedPreIsCutAllTheSame,
        Rule::NoPostAfterFailedPre,
        Rule::TimeoutKillsNothing,
        Rule::FailedHookMakesPartiallyFailed,
        Rule::PreHooksAreSerial,
    ];
    check_rules(Reading::Literal, &always, &[Rule::MarkerHasNoLabels, Rule::MarkerIsLabelled]);
    check_rules(Reading::Literal, &[Rule::QuotesStayInGroupId, Rule::CoordinatorCountsByLabel], &[]);
    check_rules(
        Reading::Unquoted,
        &[Rule::MarkerHasNoLabels, Rule::CoordinatorCountsByLabel],
        &[Rule::QuotesStayInGroupId],
    );
    check_rules(Reading::Labelled, &always, &[Rule::CoordinatorCountsByLabel]);
    check_rules(Reading::Labelled, &[Rule::MarkerIsLabelled, Rule::ReleaseNeedsAsManyCompletedAsWaiting], &[]);
}

#[test]
fn labelled_markers_are_counted_and_never_matched() {
    let outcome = play(&Scenario::new(3, Layout::ParallelWorkers(4), Reading::Labelled));
    let looks: Vec<StepKind> =
        outcome.steps.iter().map(|s| s.kind).filter(|kind| matches!(kind, StepKind::Held { .. })).collect();
    assert_eq!(looks, [StepKind::Held { waiting: 0, completed: 0 }, StepKind::Held { waiting: 3, completed: 0 }]);
}

#[test]
fn old_markers_are_removed_in_a_long_night() {
    let outcome = play(&Scenario::new(20, Layout::EachPodAlone, Reading::Labelled));
    assert_eq!(outcome.total_s, 20 * 605);
    assert!(outcome.rules.contains(&Rule::OldMarkersAreRemoved));
    assert_eq!(outcome.phase, Phase::PartiallyFailed);
}

#[test]
fn even_a_lucky_release_quiesces_nothing() {
    // One "completed" is left over, so the first waiting pod is matched at the next minute; the others come while that lasts.
    let lucky =
        Scenario { completed_before: 1, begins_at_s: 30, ..Scenario::new(3, Layout::EachPodAlone, Reading::Labelled) };
    let outcome = play(&lucky);
    assert_eq!(outcome.members.iter().map(|m| m.wait_s).collect::<Vec<_>>(), [30, 0, 0]);
    assert!(outcome.members.iter().all(|m| m.pre == PreEnd::Released && m.post_ran && !m.still_loops));
    assert_eq!((outcome.phase, outcome.skew_s), (Phase::Completed, 10));
    assert_eq!(outcome.consistency, Consistency::CrashConsistent);
    assert!(outcome.steps.iter().any(|step| step.kind == StepKind::Released));
}

#[test]
fn a_lucky_release_comes_too_late_for_most() {
    // The leftover matches one waiting pod; in one block no second one waits before the first has gone on.
    let lucky = Scenario { completed_before: 2, ..Scenario::new(3, Layout::OneBlock, Reading::Labelled) };
    let outcome = play(&lucky);
    // At 600 s the first is given up on, the second has just begun to wait: two wait, two are counted.
    assert_eq!(outcome.members.iter().map(|m| m.wait_s).collect::<Vec<_>>(), [600, 60, 0]);
    assert_eq!(outcome.phase, Phase::PartiallyFailed);
}

#[test]
fn a_release_lasts_a_minute_and_then_luck_is_needed_again() {
    let lucky =
        Scenario { completed_before: 1, begins_at_s: 30, ..Scenario::new(20, Layout::EachPodAlone, Reading::Labelled) };
    let outcome = play(&lucky);
    assert!(outcome.steps.iter().any(|step| step.kind == StepKind::CleanedUp && step.at_s == 91), "{outcome:?}");
    let waits: Vec<u64> = outcome.members.iter().map(|m| m.wait_s).collect();
    assert_eq!(waits[..13], [30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "while it lasts: {outcome:?}");
    assert!(waits[13..].iter().any(|wait_s| *wait_s > 0), "{waits:?}");
}

#[test]
fn runs_that_are_close_together_take_nothing_back() {
    let lucky = Scenario {
        completed_before: 1,
        coordinator_every_s: 5,
        ..Scenario::new(20, Layout::EachPodAlone, Reading::Labelled)
    };
    let outcome = play(&lucky);
    assert!(outcome.steps.iter().any(|step| step.kind == StepKind::CleanUpLost), "{outcome:?}");
    assert!(outcome.members[1..].iter().all(|m| m.wait_s == 0), "no pod waits for any other from then on");
}

#[test]
fn an_empty_group_is_over_at_once() {
    for layout in LAYOUTS {
        let outcome = play(&Scenario::new(0, layout, Reading::Labelled));
        assert_eq!((outcome.total_s, outcome.wait_max_s()), (0, 0));
        assert_eq!(outcome.consistency, Consistency::NotCut);
    }
}
