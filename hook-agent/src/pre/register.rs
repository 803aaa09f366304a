//! The first request: the pod's Lease, taken by this attempt.

use crate::decide::Unreleased;
use crate::failure::Cause;
use crate::lines::{Progress, chain};
use crate::member::{Change, Member};
use crate::pre::Hook;
use crate::retry::{self, GaveUp};

/// Registers, trying again until the API server must count as unreachable or the deadline comes.
pub async fn register(hook: &Hook, member: &mut Member) -> Result<(), (Unreleased, Cause)> {
    let Hook { limits, clock, lines, .. } = hook;
    let end_ms = clock.elapsed_ms().saturating_add(limits.silence_ms).min(limits.deadline_ms);
    let mut progress = Progress::new();
    let registered = retry::until(
        clock,
        end_ms,
        async |limit| member.write(&Change::Beat, limit).await,
        |error| {
            if progress.due(clock) {
                lines.say(format_args!("cannot register yet: {}", chain(error)));
            }
        },
    )
    .await;
    match registered {
        // The first write of an attempt has no precondition: nobody can have taken it over.
        Ok(_) => Ok(()),
        Err(e @ GaveUp::Refused(_)) => Err((Unreleased::Refused, e.into())),
        Err(e @ GaveUp::OutOfTime { .. }) => Err((Unreleased::Unreachable, e.into())),
    }
}
