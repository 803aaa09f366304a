//! Which Events follow from which notice.

use super::*;
use crate::event::{Event, Observed, Version};
use crate::fixtures::{backup, group, grouped_pod, key, own, settings};
use crate::objects::{BackupPhase, StatefulSet};
use crate::step::step;
use crate::time::{Mono, Now};
use proptest::prelude::*;
use shared::admission::Mode;
use shared::group_lease::Epoch;
use shared::time::WallTime;
use shared::verdict::VerdictReason;

const NOW: Now = Now { mono: Mono(0), wall: WallTime::EPOCH };

/// A leader that knows the `StatefulSet` `db` of two, `bare` pods without an owner in group `bare`, and Backup `nightly`.
fn leader(bare: usize) -> State {
    let mut state = State::new(settings());
    let mut take = |event| drop(step(&mut state, event, NOW));
    take(Event::StatefulSet(StatefulSet::new(key("prod", "db"), "uid-db".into())));
    for n in 0..2 {
        let mut pod = grouped_pod("prod", &format!("db-{n}"), "db", &[]);
        own(&mut pod, "db");
        take(Event::Pod(pod));
    }
    for n in 0..bare {
        take(Event::Pod(grouped_pod("prod", &format!("bare-{n:03}"), "bare", &[])));
    }
    take(Event::Backup(backup("nightly", BackupPhase::CutsOver, &["prod"])));
    take(Event::Leading(true));
    state
}

fn member(n: usize, admission: Option<Admission>) -> MemberReceipt {
    MemberReceipt {
        pod: format!("db-{n}").parse().unwrap(),
        volumes: 1,
        end: MemberEnd::Done,
        admission,
        waited_ms: None,
        quiesced_at: Some(WallTime::EPOCH),
        thawed_at: Some(WallTime::EPOCH.plus_ms(1_500)),
        steady_ms: None,
        let_go: None,
        unheld: false,
        failure: None,
        cuts: vec![],
    }
}

fn receipt(verdict: Verdict, members: Vec<MemberReceipt>) -> Receipt {
    Receipt {
        namespace: "prod".parse().unwrap(),
        group: "db".parse().unwrap(),
        epoch: Some(Epoch(7)),
        backup: Some("nightly".into()),
        mode: Mode::ArriveAndGo,
        degraded: false,
        weight: 2,
        opened_at: WallTime::EPOCH,
        closed_at: WallTime::EPOCH,
        members,
        members_omitted: 0,
        earlier_rounds: None,
        way: None,
        frozen_max: None,
        quiesce_skew_ms: None,
        clock_error_ms: Some(50),
        skew_ms: Some(120),
        verdict,
        why: VerdictReason::QuiescesCoverAllCuts,
    }
}

fn told(state: &State, notice: &Notice) -> Vec<(SubjectKind, String, Reason)> {
    state.reports(notice).into_iter().map(|r| (r.about.kind, r.about.key.name, r.reason)).collect()
}

#[test]
fn a_receipt_is_told_on_the_backup_and_the_workload_each_related_to_the_other() {
    let members = vec![member(0, Some(Admission::Released)), member(1, Some(Admission::Released))];
    let closed = Notice::RoundClosed(Box::new(receipt(Verdict::GroupConsistent, members)));
    let reports = leader(0).reports(&closed);
    let backup = Subject { kind: SubjectKind::Backup, key: key("velero", "nightly"), uid: Some("uid-nightly".into()) };
    let set = Subject { kind: SubjectKind::StatefulSet, key: key("prod", "db"), uid: Some("uid-db".into()) };
    let note = "snapshot group prod/db round 7 in Backup nightly: group-consistent: every member was quiesced from before \
                the first to after the last cut; 2 members, from first to last cut 120ms, held for up to 1500ms";
    let of = |about: &Subject, related: &Subject| Report {
        about: about.clone(),
        related: Some(related.clone()),
        reason: Reason::SnapshotGroupConsistent,
        note: note.into(),
    };
    assert_eq!(reports, [of(&backup, &set), of(&set, &backup)]);
}

#[test]
fn whoever_went_alone_is_told_apart_from_the_verdict() {
    let members = vec![member(0, Some(Admission::OverBudget)), member(1, Some(Admission::Unreachable))];
    let closed = Notice::RoundClosed(Box::new(receipt(Verdict::CrashConsistent, members)));
    let reasons: Vec<Reason> = leader(0).reports(&closed).into_iter().map(|r| r.reason).collect();
    let each = [Reason::SnapshotCrashConsistent, Reason::SnapshotOverBudget, Reason::SnapshotUnreachable];
    assert_eq!(reasons, each.into_iter().flat_map(|reason| [reason; 2]).collect::<Vec<_>>());
}

#[test]
fn a_group_of_pods_that_belong_to_nothing_is_told_on_a_few_of_them() {
    let lost = Notice::MemberLost {
        pod: grouped_pod("prod", "bare-000", "bare", &[]).key,
        group: group("prod", "bare"),
        end: MemberEnd::Expired,
    };
    let told = told(&leader(100), &lost);
    assert_eq!(told.len(), SUBJECTS_MAX);
    assert_eq!(told[0], (SubjectKind::Pod, "bare-000".into(), Reason::SnapshotMemberLost));
}

#[test]
fn a_backup_that_came_to_nothing_is_told_once_on_itself_and_on_a_bounded_number_of_groups() {
    let state = leader(0);
    let failed = |groups: Vec<GroupKey>| Notice::BackupFailed {
        backup: key("velero", "nightly"),
        failure: BackupFailure::Refused,
        groups,
    };
    let expected = [SubjectKind::Backup, SubjectKind::StatefulSet].map(|kind| (kind, Reason::SnapshotBackupFailed));
    let told = told(&state, &failed(vec![group("prod", "db")]));
    assert_eq!(told.into_iter().map(|(kind, _, reason)| (kind, reason)).collect::<Vec<_>>(), expected);
    assert_eq!(state.reports(&failed(vec![group("prod", "db"); 10_000])).len(), 1 + GROUPS_TOLD_MAX);
}

#[test]
fn only_refused_labels_are_told_not_those_that_will_be_tried_again() {
    let failed = |refused| Notice::WriteFailed {
        target: Target::Pod(grouped_pod("prod", "db-0", "db", &[]).key),
        refused,
        message: "no".into(),
    };
    let state = leader(0);
    assert_eq!(
        told(&state, &failed(true)),
        [(SubjectKind::StatefulSet, "db".to_owned(), Reason::SnapshotLabelRefused)]
    );
    assert_eq!(state.reports(&failed(false)), []);
}

/// What steps with these events tell of a group Lease that is somebody else's.
fn told_of_a_foreign_lease(state: &mut State, events: Vec<Event>) -> Vec<Vec<(SubjectKind, String, Reason)>> {
    let told_by = |event| -> Vec<_> {
        let notices = step(state, event, NOW).notices;
        let invalid = notices.iter().filter(|notice| matches!(notice, Notice::LeaseInvalid { .. }));
        invalid.flat_map(|notice| told(state, notice)).collect()
    };
    events.into_iter().map(told_by).collect()
}

fn foreign_lease(name: &str) -> Event {
    let content = Err(shared::LeaseError::Foreign {
        lease: format!("prod/snapshot-group-{name}"),
        expected: "group",
        found: "absent".into(),
    });
    Event::GroupLease(
        group("prod", name),
        Observed { version: Version { uid: "u".into(), resource: "1".into() }, content },
    )
}

#[test]
fn a_foreign_group_lease_is_told_once_whoever_comes_first_the_lease_its_pods_or_the_lead() {
    let of_pod = vec![(SubjectKind::Pod, "late-0".to_owned(), Reason::SnapshotLeaseInvalid)];
    let pod = || Event::Pod(grouped_pod("prod", "late-0", "late", &[]));
    let orders = [
        [foreign_lease("late"), pod(), Event::Leading(true), Event::Tick],
        [foreign_lease("late"), Event::Leading(true), pod(), Event::Tick],
        [pod(), foreign_lease("late"), Event::Leading(true), Event::Tick],
        [Event::Leading(true), foreign_lease("late"), pod(), Event::Tick],
        [Event::Leading(true), pod(), foreign_lease("late"), Event::Tick],
    ];
    for (order, events) in orders.into_iter().enumerate() {
        let mut state = leader(0);
        step(&mut state, Event::Synced, NOW);
        step(&mut state, Event::Leading(false), NOW);
        let told = told_of_a_foreign_lease(&mut state, events.into());
        assert_eq!(told.concat(), of_pod, "order {order}: {told:?}");
    }
}

#[test]
fn a_replica_that_does_not_lead_tells_nothing() {
    let mut state = leader(0);
    let closed = Notice::RoundClosed(Box::new(receipt(Verdict::Failed, vec![])));
    assert!(!state.reports(&closed).is_empty());
    step(&mut state, Event::Leading(false), NOW);
    assert_eq!(state.reports(&closed), []);
}

proptest! {
    #[test]
    fn a_note_fits_whatever_it_says(text in ".{0,2000}") {
        let subject = Subject { kind: SubjectKind::Pod, key: key("prod", "db-0"), uid: None };
        let report = Report::new(subject, None, Reason::SnapshotMemberLost, &text);
        prop_assert!(report.note.len() <= NOTE_BYTES_MAX);
        prop_assert!(text.len() > NOTE_BYTES_MAX || report.note == text);
    }
}
