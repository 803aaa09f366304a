//! What a round makes of many members, and of members that are gone.

use shared::deadline::GROUP_MEMBERS_MAX;
use shared::identity::{Nonce, PodUid};

use super::*;
use crate::standing::Standing;

fn waiting(i: usize) -> MemberLease {
    let at = WallTime::EPOCH;
    MemberLease {
        namespace: "prod".parse().unwrap(),
        pod: PodName::new(format!("db-{i}")).unwrap(),
        group: "g".parse().unwrap(),
        attempt: AttemptId { pod_uid: PodUid::new(format!("u{i}")).unwrap(), nonce: Nonce::from_bits(i as u64) },
        phase: MemberPhase::Waiting,
        registered_at: at,
        renewed_at: at,
        lease_duration_s: 30,
        deadline: at,
        admission: None,
        epoch: None,
        quiesced_at: None,
        thawed_at: None,
        steady: shared::boot_time::SteadySpan::default(),
        quiesce: shared::quiesce::QuiesceKinds::default(),
        let_go: None,
        resident: None,
        failure: None,
        agent_version: "test".into(),
    }
}

#[test]
fn members_beyond_the_limit_are_counted_once_however_often_they_are_seen() {
    let now = Now { mono: Mono(0), wall: WallTime::EPOCH };
    let mut round = Round::open(Mode::ArriveAndGo, None, BTreeMap::new(), now);
    for i in (0..GROUP_MEMBERS_MAX + 2).chain(GROUP_MEMBERS_MAX..GROUP_MEMBERS_MAX + 2) {
        assert_eq!(round.see(&waiting(i), Standing::Waiting, now), i < GROUP_MEMBERS_MAX);
    }
    assert_eq!((round.entries.len(), round.unlisted.len()), (GROUP_MEMBERS_MAX, 2));
}

#[test]
fn what_a_successor_writes_is_not_what_the_gone_pod_did() {
    let now = Now { mono: Mono(0), wall: WallTime::EPOCH };
    let at = |ms| Some(WallTime::EPOCH.plus_ms(ms));
    let quiesced = MemberLease { phase: MemberPhase::Quiesced, quiesced_at: at(1), ..waiting(1) };
    let done = MemberLease { phase: MemberPhase::Done, thawed_at: at(9), ..quiesced.clone() };
    let gone = Standing::Over(MemberEnd::PodGone);
    let end_of = |seen: &[(&MemberLease, Standing)]| {
        let mut round = Round::open(Mode::ArriveAndGo, None, BTreeMap::new(), now);
        round.see(&waiting(1), Standing::Waiting, now);
        for (lease, standing) in seen {
            round.see(lease, *standing, now);
        }
        let part = &round.parts[&quiesced.pod];
        (part.end, part.lease.thawed_at)
    };
    // Its post came first: that stands. Its successor's came: nobody knows how long it held.
    let own = [(&quiesced, Standing::Holding), (&done, Standing::Over(MemberEnd::Done)), (&done, gone)];
    assert_eq!(end_of(&own), (Some(MemberEnd::Done), at(9)));
    let by_another = [(&quiesced, Standing::Holding), (&quiesced, gone), (&done, gone)];
    assert_eq!(end_of(&by_another), (Some(MemberEnd::PodGone), None));
    assert_eq!(end_of(&[(&quiesced, Standing::Holding), (&done, gone)]), (Some(MemberEnd::PodGone), None));
}
