//! What the run of the hook that took this one's place does: the pod is ready when that one is.

use shared::admission::MemberPhase;
use shared::deadline::MEMBER_LEASE_S;
use shared::identity::{AttemptId, LeaseName};
use shared::member_lease::MemberLease;
use tokio::time::Instant;

use crate::call::CallError;
use crate::clock::Clock;
use crate::leases::Leases;
use crate::lines::{Lines, Progress, seconds};
use crate::retry::{Pauses, call_limit};

/// How following ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The other run got through: `quiesced`, or `done` when its post hook ran already.
    Through(MemberPhase),
    /// The other run is gone without getting through: the place is free.
    Free(&'static str),
    /// The deadline came first.
    Deadline,
}

/// Follows whoever holds the Lease `name` until it got through, is gone, or `deadline_ms` of `clock` comes.
pub async fn follow(
    leases: &Leases,
    name: &LeaseName,
    own: &AttemptId,
    clock: &Clock,
    deadline_ms: u64,
    lines: &Lines,
) -> Followed {
    let mut pauses = Pauses::new();
    let mut seen = Seen::new();
    let mut progress = Progress::new();
    loop {
        let now_ms = clock.elapsed_ms();
        let left_ms = deadline_ms.saturating_sub(now_ms);
        if left_ms == 0 {
            return Followed::Deadline;
        }
        if progress.due(clock) {
            lines.say(format_args!(
                "a later run of the hook has taken over; waits for it, {} at most",
                seconds(left_ms)
            ));
        }
        let mut asked = None;
        match leases.get(name, call_limit(left_ms)).await {
            Ok(lease) => {
                let version = lease.metadata.resource_version.clone();
                // What cannot be read now may be readable soon; a writer that does not come back is noticed by its silence.
                if let Ok(member) = MemberLease::decode(&lease)
                    && let Some(end) = ended(&member, own)
                {
                    return end;
                }
                if seen.silent(version) {
                    return Followed::Free("it gave no sign of life");
                }
            }
            Err(CallError::NotFound { .. }) => return Followed::Free("its Lease was deleted"),
            Err(e) => asked = e.retry_after(),
        }
        let pause_ms = pauses.next_ms(asked).min(deadline_ms.saturating_sub(clock.elapsed_ms()));
        clock.sleep_until_ms(clock.elapsed_ms() + pause_ms).await;
    }
}

/// What the holder's record says about following it.
fn ended(member: &MemberLease, own: &AttemptId) -> Option<Followed> {
    if member.attempt == *own {
        return Some(Followed::Free("the Lease is this run's own"));
    }
    match member.phase {
        MemberPhase::Quiesced | MemberPhase::Done => Some(Followed::Through(member.phase)),
        MemberPhase::Failed => Some(Followed::Free("it gave up")),
        MemberPhase::Withdrawn => Some(Followed::Free("it was told to stop")),
        MemberPhase::Waiting => None,
    }
}

/// When the Lease was last seen to change, by the local clock: another process's time stamps prove nothing.
struct Seen {
    version: Option<String>,
    since: Instant,
}

impl Seen {
    fn new() -> Self {
        Self { version: None, since: Instant::now() }
    }

    fn silent(&mut self, version: Option<String>) -> bool {
        if version != self.version {
            *self = Self { version, since: Instant::now() };
        }
        self.since.elapsed().as_secs() >= u64::from(MEMBER_LEASE_S)
    }
}
