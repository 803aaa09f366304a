//! How an election goes, by a model of the Lease and of clocks.

use super::*;

fn at(mono_ms: u64) -> Now {
    Now {
        mono: Mono(mono_ms),
        wall: WallTime::from_micros(1_700_000_000_000_000).plus_ms(i64::try_from(mono_ms).unwrap()),
    }
}

/// The Lease in the API server, with compare-and-swap.
#[derive(Default)]
struct Server {
    lease: Option<Record>,
    version: u64,
}

impl Server {
    fn version(&self) -> Version {
        Version { resource: self.version.to_string(), uid: "u".to_owned() }
    }

    fn read(&self) -> Option<(Record, Version)> {
        self.lease.clone().map(|record| (record, self.version()))
    }

    fn put(&mut self, record: Record, expected: Option<&Version>) -> bool {
        if expected.is_some_and(|v| *v != self.version()) || (expected.is_none() && self.lease.is_some()) {
            return false;
        }
        self.lease = Some(record);
        self.version += 1;
        true
    }

    /// One attempt as the shell makes it, with a server that answers at once.
    fn attempt(&mut self, election: &mut Election, now: Now) {
        if election.must_read(now.mono) {
            election.observe(self.read(), now.mono);
        }
        let (record, expected) = match election.decide(now) {
            Decision::Create(record) => (record, None),
            Decision::Write(record, version) => (record, Some(version)),
            Decision::Wait { .. } => return,
        };
        election.claim(&record);
        if self.put(record.clone(), expected.as_ref()) {
            election.written(record, self.version(), now.mono);
        } else {
            election.conflicted();
        }
    }
}

fn process(name: &str) -> Election {
    Election::new(name.to_owned())
}

#[test]
fn the_first_leads_and_the_second_waits_as_long_as_it_renews() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    for t in (0..120_000).step_by(2_000) {
        server.attempt(&mut a, at(t));
        server.attempt(&mut b, at(t + 1));
        assert!(a.leads(Mono(t + 1)) && !b.leads(Mono(t + 1)), "at {t}");
    }
    assert_eq!(server.lease.unwrap().transitions, 0);
}

#[test]
fn a_dead_leader_is_followed_after_its_lease_and_not_before() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.attempt(&mut a, at(0));
    for t in (1_000..15_999).step_by(1_000) {
        server.attempt(&mut b, at(t));
        assert!(!b.leads(Mono(t)), "at {t}");
    }
    server.attempt(&mut b, at(16_000));
    assert!(b.leads(Mono(16_000)));
    assert!(!a.leads(Mono(16_000)), "its own renewal deadline passed");
    assert_eq!(server.lease.unwrap().transitions, 1);
}

#[test]
fn a_leader_that_cannot_renew_steps_down_before_another_may_step_up() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.attempt(&mut a, at(0));
    server.attempt(&mut b, at(0));
    for t in (0..40_000).step_by(500) {
        server.attempt(&mut b, at(t));
        assert!(!(a.leads(Mono(t)) && b.leads(Mono(t))), "both lead at {t}");
    }
    assert!(b.leads(Mono(40_000)));
    server.attempt(&mut a, at(40_000));
    assert!(!a.leads(Mono(40_000)));
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    let jumped = |mono: u64| Now { mono: Mono(mono), wall: at(mono).wall.plus_ms(-3_600_000) };
    for t in (0..60_000).step_by(2_000) {
        server.attempt(&mut a, jumped(t));
        server.attempt(&mut b, at(t + 1));
        assert!(a.leads(Mono(t + 1)) && !b.leads(Mono(t + 1)), "at {t}");
    }
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.attempt(&mut a, at(0));
    server.attempt(&mut b, at(1_000));
    let (free, version) = a.release(at(2_000)).unwrap();
    assert_eq!((free.holder.as_deref(), free.duration_s), (None, 1));
    assert!(server.put(free, Some(&version)));
    server.attempt(&mut b, at(2_001));
    assert!(b.leads(Mono(2_001)));
    assert_eq!(b.release(at(3_000)).map(|(record, _)| record.transitions), Some(1));
}

#[test]
fn a_process_that_does_not_hold_releases_nothing() {
    let (mut server, mut a, mut b) = (Server::default(), process("a"), process("b"));
    server.attempt(&mut a, at(0));
    server.attempt(&mut b, at(1));
    assert_eq!(b.release(at(2)), None);
    assert_eq!(process("c").release(at(2)), None);
}

#[test]
fn a_restarted_process_of_the_same_name_leads_at_once() {
    let (mut server, mut a) = (Server::default(), process("a"));
    server.attempt(&mut a, at(0));
    let mut again = process("a");
    server.attempt(&mut again, at(500));
    assert!(again.leads(Mono(500)));
    assert_eq!(server.lease.unwrap().transitions, 1);
}

#[test]
fn of_two_living_processes_of_one_name_one_leads_and_the_other_knows() {
    let (mut server, mut a, mut twin) = (Server::default(), process("a"), process("a"));
    server.attempt(&mut a, at(0));
    server.attempt(&mut twin, at(1));
    for t in (2_000..30_000).step_by(2_000) {
        server.attempt(&mut a, at(t));
        server.attempt(&mut twin, at(t + 1));
        assert!(!a.leads(Mono(t + 1)) && twin.leads(Mono(t + 1)), "at {t}");
    }
    a.observe(server.read(), Mono(30_000));
    assert_eq!(a.decide(at(30_000)), Decision::Wait { holder: "a".to_owned(), twin: true });
}

#[test]
fn a_write_without_an_answer_is_recognised_when_it_is_read() {
    let (mut server, mut a) = (Server::default(), process("a"));
    for t in [0, 2_000] {
        // Sent, applied by the server the first time, and never answered.
        a.observe(if t == 0 { None } else { server.read() }, Mono(t));
        let (record, expected) = match a.decide(at(t)) {
            Decision::Create(record) => (record, None),
            Decision::Write(record, version) => (record, Some(version)),
            Decision::Wait { .. } => panic!("waits for itself"),
        };
        a.claim(&record);
        server.put(record, expected.as_ref());
        assert!(!a.leads(Mono(t)), "nothing is confirmed yet");
    }
    server.attempt(&mut a, at(4_000));
    assert!(a.leads(Mono(4_000)));
    assert_eq!(server.lease.unwrap().acquired_at, at(0).wall, "it is one tenure");
}

#[test]
fn nonsense_written_by_hand_is_outlived() {
    let mut b = process("b");
    let forever = Record {
        holder: Some("nobody".to_owned()),
        duration_s: u32::MAX,
        acquired_at: WallTime::EPOCH,
        renewed_at: at(0).wall.plus_ms(1 << 40),
        transitions: u32::MAX,
    };
    let mut server = Server { lease: Some(forever), version: 7 };
    server.attempt(&mut b, at(0));
    assert!(!b.leads(Mono(0)));
    server.attempt(&mut b, at(59_999));
    assert!(!b.leads(Mono(59_999)));
    server.attempt(&mut b, at(60_000));
    assert!(b.leads(Mono(60_000)));
}

#[test]
fn a_deleted_lease_is_made_anew() {
    let (mut server, mut a) = (Server::default(), process("a"));
    server.attempt(&mut a, at(0));
    server.lease = None;
    server.version += 1;
    // The renewal conflicts (the object is gone), so the next attempt reads.
    server.attempt(&mut a, at(2_000));
    assert!(!a.leads(Mono(2_000)));
    server.attempt(&mut a, at(2_100));
    assert!(a.leads(Mono(2_100)));
}

mod any_schedule {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever processes attempt at whatever moments, no two of them lead at one moment.
        #[test]
        fn never_two_leaders(steps in proptest::collection::vec((0usize..3, 1u64..9_000), 1..200)) {
            let mut server = Server::default();
            let mut all = [process("a"), process("b"), process("c")];
            let mut now = 0;
            for (who, pause) in steps {
                now += pause;
                server.attempt(&mut all[who], at(now));
                prop_assert!(all.iter().filter(|p| p.leads(Mono(now))).count() <= 1);
            }
        }
    }
}
