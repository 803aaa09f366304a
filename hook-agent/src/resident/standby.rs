//! What a pod's resident does with the pod's member Lease while nothing goes on: pure decisions about what stands there.
//!
//! Standing by says nothing new about the latest attempt, so that nothing is taken back that a receipt rests on.

use shared::admission::MemberPhase;
use shared::identity::{GroupId, PodUid};
use shared::member_lease::MemberLease;

/// What is known of the Lease's attempt besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How long the Lease has not changed, ms, as this process saw it.
    pub unchanged_ms: u64,
    /// Something is held in this pod now.
    pub held: bool,
    /// The attempt's round is over.
    pub round_over: bool,
    /// This process has just started: an earlier resident, and what it held, is gone.
    pub first_look: bool,
}

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standby {
    /// A Lease of its own, under an attempt that never held.
    Begin,
    /// That it is still there, and nothing else.
    Renew,
    /// The attempt's end first, which nobody else will write.
    End {
        /// How it ended.
        phase: MemberPhase,
        /// Nobody can say when it let go, or whether it held until then.
        unproven: bool,
    },
    /// Nothing: an attempt is under way.
    Leave,
}

/// Decides. `own` is what stands there; `None` where nothing does, or nothing that is this pod's.
pub fn standby(own: Option<&MemberLease>, uid: &PodUid, group: &GroupId, known: Known) -> Standby {
    let Some(own) = own.filter(|own| own.attempt.pod_uid == *uid) else { return Standby::Begin };
    if own.phase.is_terminal() {
        return if own.group == *group { Standby::Renew } else { Standby::Begin };
    }
    let silent = known.unchanged_ms > u64::from(own.lease_duration_s) * 1_000;
    // What was held in this pod was held where it can be seen from here: its hook found the resident.
    let was_held = own.quiesced_at.is_some() && own.quiesce.hold();
    let lost = known.first_look && own.resident.is_some() && was_held && own.thawed_at.is_none();
    let let_go = own.thawed_at.is_some() || !was_held;
    match own.phase {
        MemberPhase::Quiesced if let_go && !known.held && (known.round_over || silent) => {
            Standby::End { phase: MemberPhase::Done, unproven: false }
        }
        MemberPhase::Quiesced if !known.held && (silent || lost) => {
            Standby::End { phase: MemberPhase::Done, unproven: true }
        }
        MemberPhase::Waiting if silent => Standby::End { phase: MemberPhase::Withdrawn, unproven: false },
        _ => Standby::Leave,
    }
}

#[cfg(test)]
mod tests {
    use shared::identity::{AttemptId, Nonce};
    use shared::member_lease::Resident;
    use std::collections::BTreeSet;

    use shared::quiesce::{QuiesceKind, QuiesceKinds};
    use shared::time::WallTime;

    use super::*;

    const QUIET: Known = Known { unchanged_ms: 0, held: false, round_over: false, first_look: false };

    fn at(us: i64) -> WallTime {
        WallTime::from_micros(us)
    }

    fn own(phase: MemberPhase, thawed: bool) -> MemberLease {
        MemberLease {
            namespace: "prod".parse().expect("a namespace"),
            pod: "db-0".parse().expect("a pod's name"),
            group: "g".parse().expect("a group"),
            attempt: AttemptId { pod_uid: "u-1".parse().expect("a uid"), nonce: Nonce::from_bits(1) },
            phase,
            registered_at: at(0),
            renewed_at: at(0),
            lease_duration_s: 30,
            deadline: at(0),
            admission: None,
            epoch: None,
            quiesced_at: Some(at(0)),
            thawed_at: thawed.then(|| at(1)),
            steady: shared::boot_time::SteadySpan::default(),
            quiesce: QuiesceKinds(BTreeSet::from([QuiesceKind::Session])),
            let_go: None,
            resident: None,
            failure: None,
            agent_version: "test".to_owned(),
        }
    }

    #[track_caller]
    fn check(own: Option<&MemberLease>, known: Known, expected: Standby) {
        let (uid, group) = ("u-1".parse().expect("a uid"), "g".parse().expect("a group"));
        assert_eq!(standby(own, &uid, &group, known), expected);
    }

    #[test]
    fn it_begins_where_nothing_of_this_pod_stands() {
        check(None, QUIET, Standby::Begin);
        let mut earlier = own(MemberPhase::Quiesced, false);
        earlier.attempt.pod_uid = "u-0".parse().expect("a uid");
        check(Some(&earlier), QUIET, Standby::Begin);
        let mut other_group = own(MemberPhase::Done, true);
        other_group.group = "h".parse().expect("a group");
        check(Some(&other_group), QUIET, Standby::Begin);
    }

    #[test]
    fn what_is_over_is_only_renewed() {
        for phase in [MemberPhase::Done, MemberPhase::Failed, MemberPhase::Withdrawn] {
            check(Some(&own(phase, false)), Known { unchanged_ms: 999_999, ..QUIET }, Standby::Renew);
        }
    }

    #[test]
    fn an_attempt_is_left_alone_while_it_may_live() {
        for phase in [MemberPhase::Waiting, MemberPhase::Quiesced] {
            check(Some(&own(phase, false)), Known { unchanged_ms: 30_000, ..QUIET }, Standby::Leave);
        }
        let held = Known { unchanged_ms: 999_999, held: true, round_over: true, first_look: true };
        check(Some(&own(MemberPhase::Quiesced, true)), held, Standby::Leave);
        check(Some(&own(MemberPhase::Quiesced, true)), QUIET, Standby::Leave);
    }

    #[test]
    fn an_end_that_nobody_writes_is_written() {
        let end = |phase, unproven| Standby::End { phase, unproven };
        let over = Known { round_over: true, ..QUIET };
        check(Some(&own(MemberPhase::Quiesced, true)), over, end(MemberPhase::Done, false));
        check(Some(&own(MemberPhase::Quiesced, false)), over, Standby::Leave);
        let mut nothing = own(MemberPhase::Quiesced, false);
        nothing.quiesce = QuiesceKinds::default();
        let mut unable = own(MemberPhase::Quiesced, false);
        unable.quiesced_at = None;
        for never_held in [nothing, unable] {
            check(Some(&never_held), over, end(MemberPhase::Done, false));
            check(Some(&never_held), QUIET, Standby::Leave);
        }
        let silent = Known { unchanged_ms: 30_001, ..QUIET };
        check(Some(&own(MemberPhase::Quiesced, false)), silent, end(MemberPhase::Done, true));
        check(Some(&own(MemberPhase::Waiting, false)), silent, end(MemberPhase::Withdrawn, false));
    }

    #[test]
    fn what_an_earlier_resident_held_nobody_vouches_for() {
        let anew = Known { first_look: true, ..QUIET };
        let mut lost = own(MemberPhase::Quiesced, false);
        check(Some(&lost), anew, Standby::Leave);
        lost.resident = Some(Resident { ready: true, why: None });
        check(Some(&lost), anew, Standby::End { phase: MemberPhase::Done, unproven: true });
        check(Some(&lost), Known { held: true, ..anew }, Standby::Leave);
        check(Some(&lost), QUIET, Standby::Leave);
    }
}
