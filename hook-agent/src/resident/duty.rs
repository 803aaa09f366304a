//! What the group's Lease asks of a pod's resident in lead mode. Pure: no client, no clock.

use shared::admission::AttemptVerdict;
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::{AttemptId, PodName};

use crate::decide::{CallTo, is_over};

/// What the resident does because it was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCall {
    /// Under which attempt.
    pub attempt: AttemptId,
    /// In which round.
    pub epoch: Epoch,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// As before.
    Nothing,
    /// Hold the pod still at once.
    HoldStill(CallTo),
    /// Let go: the round is over, and released nobody for what is held.
    LetGo,
    /// What it was called for is over; who holds it knows.
    Over,
}

/// Looks at the Lease. A call is obeyed once for each number, and never for one that is not greater than the last (invariant I5). While a pre
/// hook runs in the pod, the call is the hook's: it holds in its own container, and goes on at the release.
pub fn duty(lease: &GroupLease, pod: &PodName, obeyed: Epoch, on_call: Option<&OnCall>, hook_runs: bool) -> Duty {
    if let Some(OnCall { attempt, epoch }) = on_call {
        let verdict = lease.verdict(attempt);
        let over = is_over(lease, *epoch);
        return match verdict {
            _ if lease.is_cut(attempt) => Duty::Over,
            Some(AttemptVerdict::Ended | AttemptVerdict::Superseded) => Duty::Over,
            Some(AttemptVerdict::Admitted) if over => Duty::Over,
            Some(AttemptVerdict::Waiting | AttemptVerdict::Admitted) | None if over => Duty::LetGo,
            Some(AttemptVerdict::Waiting | AttemptVerdict::Admitted) | None => Duty::Nothing,
        };
    }
    match lease.call_to(pod) {
        Some(call) if lease.epoch > obeyed && !hook_runs => {
            Duty::HoldStill(CallTo { epoch: lease.epoch, within_ms: call.within_ms })
        }
        _ => Duty::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use shared::admission::{Mode, RoundPhase};
    use shared::group_lease::{AttemptEntry, Call};
    use shared::identity::{GroupKey, Nonce};
    use shared::time::WallTime;

    use super::*;

    fn pod() -> PodName {
        "db-1".parse().expect("a pod's name")
    }

    fn attempt() -> AttemptId {
        AttemptId { pod_uid: "u-1".parse().expect("a uid"), nonce: Nonce::from_bits(1) }
    }

    fn lease(phase: RoundPhase, epoch: u32, said: Option<AttemptVerdict>) -> GroupLease {
        let (namespace, group) = ("prod".parse().expect("a namespace"), "g".parse().expect("a group"));
        let pods = BTreeSet::from([pod()]);
        let entries = said.map(|verdict| (attempt(), AttemptEntry::new(pod(), verdict)));
        GroupLease {
            key: GroupKey { namespace, group },
            epoch: Epoch(epoch),
            phase,
            mode: Mode::Lead,
            degraded: false,
            call: (phase == RoundPhase::Calling).then_some(Call { pods, within_ms: 7_000 }),
            attempts: BTreeMap::from_iter(entries),
            weight: 1,
            wait: None,
            backup: None,
            writer: "c".to_owned(),
            opened_at: WallTime::EPOCH,
            renewed_at: WallTime::EPOCH,
            round_duration_s: 600,
            receipt: None,
        }
    }

    fn on_call(epoch: u32) -> OnCall {
        OnCall { attempt: attempt(), epoch: Epoch(epoch) }
    }

    #[test]
    fn a_call_is_obeyed_once_and_not_in_a_hooks_place() {
        let calls = lease(RoundPhase::Calling, 5, None);
        let asked = Duty::HoldStill(CallTo { epoch: Epoch(5), within_ms: 7_000 });
        assert_eq!(duty(&calls, &pod(), Epoch(4), None, false), asked);
        assert_eq!(duty(&calls, &pod(), Epoch(5), None, false), Duty::Nothing, "obeyed already");
        assert_eq!(duty(&calls, &pod(), Epoch(6), None, false), Duty::Nothing, "an old round's");
        assert_eq!(duty(&calls, &pod(), Epoch(4), None, true), Duty::Nothing, "a hook runs here");
        let other = "db-2".parse().expect("a pod's name");
        assert_eq!(duty(&calls, &other, Epoch(4), None, false), Duty::Nothing, "another pod's");
        for phase in [RoundPhase::Waiting, RoundPhase::Released, RoundPhase::Closed] {
            assert_eq!(duty(&lease(phase, 5, None), &pod(), Epoch(4), None, false), Duty::Nothing);
        }
    }

    #[test]
    fn what_is_held_goes_on_until_it_is_cut_ended_or_was_for_nothing() {
        use AttemptVerdict::{Admitted, Ended, Superseded, Waiting};
        let check = |phase, epoch, said, expected| {
            let found = duty(&lease(phase, epoch, said), &pod(), Epoch(5), Some(&on_call(5)), false);
            assert_eq!(found, expected, "{phase} {epoch} {said:?}");
        };
        check(RoundPhase::Calling, 5, None, Duty::Nothing);
        check(RoundPhase::Calling, 5, Some(Admitted), Duty::Nothing);
        check(RoundPhase::Released, 5, Some(Admitted), Duty::Nothing);
        check(RoundPhase::Released, 5, Some(Ended), Duty::Over);
        check(RoundPhase::Released, 5, Some(Superseded), Duty::Over);
        check(RoundPhase::Closed, 5, Some(Admitted), Duty::Over);
        check(RoundPhase::Closed, 5, Some(Waiting), Duty::LetGo);
        check(RoundPhase::Closed, 5, None, Duty::LetGo);
        check(RoundPhase::Calling, 6, None, Duty::LetGo);
        let mut cut = lease(RoundPhase::Released, 5, Some(Admitted));
        cut.attempts.get_mut(&attempt()).expect("it is listed").cut = true;
        assert_eq!(duty(&cut, &pod(), Epoch(5), Some(&on_call(5)), false), Duty::Over);
    }
}
