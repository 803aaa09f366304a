//! How long each party waits for another, and why these lengths fit together.

/// Velero's hook timeout when none is written (velero `pkg/podexec/pod_command_executor.go`), ms.
pub const VELERO_HOOK_TIMEOUT_DEFAULT_MS: u64 = 30_000;

/// The shortest hook timeout that leaves the agent anything to do after its margin, ms.
pub const HOOK_TIMEOUT_MIN_MS: u64 = 3_000;

/// The longest hook timeout that makes sense: Velero's own cap in coming versions (velero PR 10125), ms.
pub const HOOK_TIMEOUT_MAX_MS: u64 = 4 * 3_600_000;

/// The agent ends before Velero's timeout by a tenth of it, but by no less than this: the last write and the exec stream need it.
const MARGIN_MIN_MS: u64 = 1_000;
/// … and by no more than this: what is longer only shortens the wait.
const MARGIN_MAX_MS: u64 = 15_000;

/// A waiting member renews its Lease this often, ms. One request each: long waits stay cheap.
pub const HEARTBEAT_MS: u64 = 10_000;

/// A waiting member that did not renew for this long counts as dead, s. Three heartbeats: one may be lost, one late.
pub const MEMBER_LEASE_S: u32 = 30;

/// A resident that stands by renews its member Lease this often, ms: one request a minute for each pod that has one.
pub const STANDBY_HEARTBEAT_MS: u64 = 60_000;

/// A resident that did not renew for this long, s, is not called. Three heartbeats.
pub const STANDBY_LEASE_S: u32 = 180;

/// How long called residents may take to hold still, ms, unless the coordinator is told otherwise. A checkpoint of a busy database takes seconds;
/// longer than this, and the members that are still already pay for the slowest one.
pub const CALL_WITHIN_DEFAULT_MS: u64 = 10_000;

/// The agent says something at least this often while it waits, ms: idle exec streams get cut by proxies.
pub const PROGRESS_LINE_MS: u64 = 10_000;

/// An attempt about which the coordinator said nothing for this long counts as unheard, ms. A coordinator answers in
/// milliseconds; a failover takes one leader Lease (15 s) and a start. So 25 s means that nobody is there.
pub const COORDINATOR_SILENCE_MS: u64 = 25_000;

/// A quiesced member whose post hook never reported counts against the budget for this long at most, s. Velero's own
/// `csiSnapshotTimeout` default is 10 minutes: until then the cut may still come.
pub const QUIESCED_LEASE_S: u32 = 600;

/// One call to the API server may take this long, ms. Registration, heartbeat and reports are single small objects.
pub const CALL_TIMEOUT_MS: u64 = 5_000;

/// The post hook ends after this, ms, also when the API server does not answer: below Velero's 30 s default.
pub const POST_DEADLINE_MS: u64 = 20_000;

/// The most members that one group Lease can list: 4,000 attempts of 55 bytes would fill an object's annotations (256 KiB).
pub const GROUP_MEMBERS_MAX: usize = 1_000;

/// A hook timeout that cannot be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a hook timeout of {given_ms} ms is out of range: it must be from {HOOK_TIMEOUT_MIN_MS} ms to {HOOK_TIMEOUT_MAX_MS} ms"
)]
pub struct HookTimeoutError {
    /// The timeout as given.
    pub given_ms: u64,
}

/// How long `pre` may take in all, ms, so that it ends before Velero's `hook_timeout_ms` does.
///
/// # Errors
/// When the timeout is out of range.
pub fn agent_deadline_ms(hook_timeout_ms: u64) -> Result<u64, HookTimeoutError> {
    if !(HOOK_TIMEOUT_MIN_MS..=HOOK_TIMEOUT_MAX_MS).contains(&hook_timeout_ms) {
        return Err(HookTimeoutError { given_ms: hook_timeout_ms });
    }
    Ok(hook_timeout_ms - (hook_timeout_ms / 10).clamp(MARGIN_MIN_MS, MARGIN_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_always_ends_before_velero_gives_up() {
        for (timeout, deadline) in [(3_000, 2_000), (30_000, 27_000), (600_000, 585_000), (14_400_000, 14_385_000)] {
            assert_eq!(agent_deadline_ms(timeout), Ok(deadline));
        }
        assert!(agent_deadline_ms(2_999).is_err());
        assert!(agent_deadline_ms(14_400_001).is_err());
        assert!(agent_deadline_ms(0).is_err());
    }
}
