//! Unit tests of [`super`]: the limit within the engine, event by event.

use shared::LeaseError;
use shared::budget_lease::{BudgetLease, Grant};
use shared::group_lease::Epoch;
use shared::identity::Namespace;

use super::*;
use crate::event::{Event, Outcome, Version};
use crate::fixtures::{group, key, settings};
use crate::objects::AskedCut;
use crate::step::{Step, step};
use crate::throttle::contents::Content;
use crate::throttle::evidence::Level;
use crate::throttle::signals::Signal;

struct Bed {
    state: State,
    ms: u64,
    version: u32,
    notices: Vec<Notice>,
    written: Option<LimiterLease>,
}

impl Bed {
    fn new(max: u32) -> Self {
        let mut bed = Self::following(max);
        bed.take(Event::Synced);
        bed.take(Event::Leading(true));
        bed
    }

    /// One that knows nothing yet.
    fn following(max: u32) -> Self {
        let settings = Settings { max_concurrent_snapshots: max, cuts_visible: true, ..settings() };
        Self { state: State::new(settings), ms: 1_000_000, version: 1, notices: vec![], written: None }
    }

    fn now(&self) -> Now {
        Now {
            mono: Mono(self.ms),
            wall: WallTime::from_micros(1_700_000_000_000_000).plus_ms(self.ms.try_into().unwrap()),
        }
    }

    /// Takes an event; what it commands for the limiter's Lease is done at once.
    fn take(&mut self, event: Event) {
        let now = self.now();
        let Step { commands, notices, .. } = step(&mut self.state, event, now);
        self.notices.extend(notices);
        for command in commands {
            if let Command::CreateLimiter(lease) | Command::UpdateLimiter(lease, _) = command {
                self.written = Some(LimiterLease::decode(&lease.encode()).unwrap());
                self.version += 1;
                self.take(Event::Outcome(Target::Limiter, Outcome::Written(self.version())));
            }
        }
    }

    fn version(&self) -> Version {
        Version { resource: self.version.to_string(), uid: "u".to_owned() }
    }

    fn observe(&mut self, content: Result<LimiterLease, LeaseError>) {
        self.version += 1;
        let version = self.version();
        self.take(Event::Limiter(Observed { version, content }));
    }

    fn pass(&mut self, s: u64) {
        for _ in 0..s {
            self.ms += 1_000;
            self.take(Event::Tick);
        }
    }

    fn content(&mut self, name: &str, handle: bool) {
        self.take(Event::Signal(Signal::Content(Content {
            snapshot: key("prod", name),
            being_created: !handle,
            handle,
            ready: handle.then_some(true),
            error: None,
        })));
    }

    /// Grants so many volumes to somebody.
    fn grant(&mut self, weight: u32) {
        let grant = Grant { epoch: Epoch(1), weight, granted_at: self.now().wall };
        let budget = BudgetLease {
            namespace: Namespace::new("velero").unwrap(),
            last_epoch: Epoch(1),
            limit: self.state.limit(),
            grants: [(group("prod", "db"), grant)].into(),
            writer: "another".to_owned(),
            renewed_at: self.now().wall,
        };
        self.version += 1;
        let version = self.version();
        self.take(Event::Budget(Observed { version, content: Ok(budget) }));
    }

    /// From what to what it went, and the word for why.
    fn changes(&self) -> Vec<(u32, u32, &'static str)> {
        let of = |notice: &Notice| match notice {
            Notice::ConcurrencyAdjusted { change, .. } => Some((change.from, change.to, change.why.as_str())),
            _ => None,
        };
        self.notices.iter().filter_map(of).collect()
    }
}

#[test]
fn late_handles_lower_it_with_a_reason_and_calm_use_raises_it() {
    let mut bed = Bed::new(4);
    assert_eq!(bed.written.as_ref().map(|lease| (lease.limit, lease.ceiling)), Some((4, 4)));
    bed.content("a", false);
    bed.pass(20);
    assert_eq!(bed.changes(), [(4, 2, "throttled")]);
    let written = bed.written.clone().unwrap();
    assert_eq!((written.limit, written.level.as_str()), (2, "throttled"));
    assert!(written.why.contains("snapshot-contents") && written.why.contains("prod/a"), "{}", written.why);
    assert_eq!(written.signals.len(), 4);
    bed.content("a", true);
    bed.grant(2);
    // Nothing is made for an hour: unknown, and it holds.
    bed.pass(3_600);
    assert_eq!(bed.state.limit(), 2);
    for i in 0..30 {
        bed.content(&format!("b{i}"), false);
        bed.pass(1);
        bed.content(&format!("b{i}"), true);
        bed.pass(1);
    }
    // Two are granted and one is pending: 3 is used up, 4 would be.
    assert_eq!(bed.changes(), [(4, 2, "throttled"), (2, 3, "calm"), (3, 4, "calm")]);
}

#[test]
fn what_stands_written_survives_a_restart_and_a_change_of_leader() {
    let mut first = Bed::new(8);
    first.content("a", false);
    first.pass(20);
    let written = first.written.clone().unwrap();
    assert_eq!(written.limit, 4);
    let mut next = Bed::following(8);
    next.observe(Ok(written.clone()));
    next.take(Event::Synced);
    next.take(Event::Leading(true));
    assert_eq!((next.state.limit(), next.changes()), (4, vec![]));
    assert_eq!(next.state.signals().0.level, Level::Unknown);
    // A setting that was changed between: a limit that nothing held down goes to the new ceiling, one that was lowered does not.
    for (limit, ceiling, max, expected) in [(8, 8, 20, 20), (4, 8, 20, 4), (4, 8, 3, 3)] {
        let mut next = Bed::following(max);
        next.observe(Ok(LimiterLease { limit, ceiling, ..written.clone() }));
        next.take(Event::Synced);
        next.take(Event::Leading(true));
        assert_eq!(next.state.limit(), expected, "{limit} of {ceiling}, {max} now");
        assert_eq!(next.written.as_ref().map(|lease| (lease.limit, lease.ceiling)), Some((expected, max)));
    }
}

#[test]
fn a_hand_that_edits_it_is_obeyed_within_bounds_and_told() {
    let mut bed = Bed::new(8);
    let written = bed.written.clone().unwrap();
    // What this process wrote comes back by the watch: no news.
    bed.observe(Ok(written.clone()));
    assert_eq!(bed.changes(), []);
    bed.observe(Ok(LimiterLease { limit: 3, ..written.clone() }));
    assert_eq!((bed.state.limit(), bed.changes()), (3, vec![(8, 3, "adopted")]));
    bed.observe(Ok(LimiterLease { limit: 900, ceiling: 1_000, ..written.clone() }));
    assert_eq!(bed.state.limit(), 8);
    bed.pass(1);
    assert_eq!(
        bed.written.as_ref().map(|lease| (lease.limit, lease.ceiling)),
        Some((8, 8)),
        "written back as it counts"
    );
    bed.written = None;
    bed.take(Event::LimiterGone);
    assert_eq!(bed.written.as_ref().map(|lease| lease.limit), Some(8), "made anew");
}

#[test]
fn nonsense_in_it_is_told_and_replaced_by_what_admission_went_by() {
    let nonsense = || LeaseError::Invalid {
        lease: "velero/snapshot-limiter".to_owned(),
        field: "snapshot-group.velero.io/limit",
        value: "lots".to_owned(),
        why: "is no number".to_owned(),
    };
    let mut bed = Bed::following(8);
    bed.observe(Err(nonsense()));
    bed.take(Event::Synced);
    let budget = BudgetLease {
        namespace: Namespace::new("velero").unwrap(),
        last_epoch: Epoch(1),
        limit: 3,
        grants: [].into(),
        writer: "another".to_owned(),
        renewed_at: bed.now().wall,
    };
    let version = Version { resource: "1".to_owned(), uid: "b".to_owned() };
    bed.take(Event::Budget(Observed { version, content: Ok(budget) }));
    bed.take(Event::Leading(true));
    assert!(bed.notices.iter().any(|notice| matches!(notice, Notice::LeaseInvalid { group: None, .. })));
    assert_eq!(bed.state.limit(), 3);
    assert_eq!(bed.written.as_ref().map(|lease| lease.limit), Some(3));
    // Later, what this process knows is better than the budget Lease.
    bed.observe(Err(nonsense()));
    bed.pass(1);
    assert_eq!(bed.written.as_ref().map(|lease| lease.limit), Some(3));
}

#[test]
fn a_lowered_limit_takes_nobody_s_grant_away() {
    let mut bed = Bed::new(8);
    bed.grant(8);
    bed.content("a", false);
    bed.pass(20);
    assert_eq!(bed.state.limit(), 4);
    assert_eq!(bed.state.gauges(bed.now()).volumes_granted, 8);
}

#[test]
fn pending_snapshots_are_in_use_and_none_is_counted_twice() {
    let mut bed = Bed::new(8);
    bed.content("a", false);
    bed.content("b", false);
    assert_eq!(bed.state.usage(bed.now()).volumes, 2);
    bed.content("b", true);
    assert_eq!(bed.state.usage(bed.now()).volumes, 1);
    // The claim that `a` is of belongs to a group that holds a grant: its grant counts it.
    let volume = crate::objects::Volume { name: "pv-a".into(), ebs: true, ..crate::objects::Volume::default() };
    bed.take(Event::Volume(volume));
    bed.take(Event::Claim(crate::objects::Claim::new(key("prod", "data"), Some("pv-a"))));
    bed.take(Event::Pod(crate::fixtures::grouped_pod("prod", "db-0", "db", &["data"])));
    bed.take(Event::CutAsked(AskedCut { claim: key("prod", "data"), snapshot: "a".to_owned(), backup: None }));
    assert_eq!(bed.state.usage(bed.now()).volumes, 1);
    bed.grant(1);
    assert_eq!(bed.state.usage(bed.now()).volumes, 1);
}

#[test]
fn what_the_signals_say_is_written_once_in_a_while_only() {
    let mut bed = Bed::new(8);
    let first = bed.version;
    bed.pass(600);
    assert_eq!(bed.version, first, "nothing changed, nothing is written");
    for _ in 0..60 {
        bed.content("a", false);
        bed.pass(1);
        bed.content("a", true);
    }
    assert!(bed.version - first <= 5, "{} writes in a minute", bed.version - first);
}
