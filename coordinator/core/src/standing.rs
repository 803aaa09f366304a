//! Where a member stands now: what its Lease says, unless its pod is gone or its Lease stopped changing.

use shared::admission::MemberPhase;
use shared::member_lease::MemberLease;
use shared::receipt::MemberEnd;

use crate::event::Version;
use crate::objects::{PodKey, PodPhase};
use crate::time::{Mono, Now};
use crate::world::World;

/// A member whose pod is not in the list of pods although its Lease is there counts as gone after this, ms. The Lease's watch
/// may run ahead of the pods' for a moment; a pod that is really gone takes its Lease with it soon after.
const POD_ABSENT_GRACE_MS: u64 = 30_000;

/// A member Lease as it was last seen to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which version of the Lease.
    pub version: Version,
    /// What it says.
    pub lease: MemberLease,
    /// When this process saw it change last. Staleness is judged by this alone, never by the pod's clock.
    pub changed_at: Mono,
    /// Whether its pod, this very one, was here and went.
    pub pod_went: bool,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its hook waits for admission.
    Waiting,
    /// It holds still, or may still: its volumes are being cut.
    Holding,
    /// Its part is over.
    Over(MemberEnd),
}

/// Looks at pod, phase and age, in this order.
pub fn standing(member: &Member, world: &World, now: Now) -> Standing {
    let lease = &member.lease;
    let unchanged_ms = now.mono.ms_since(member.changed_at);
    let done = match lease.phase {
        MemberPhase::Done => Some(MemberEnd::Done),
        MemberPhase::Failed => Some(MemberEnd::Failed),
        MemberPhase::Withdrawn => Some(MemberEnd::Withdrawn),
        MemberPhase::Waiting | MemberPhase::Quiesced => None,
    };
    let pod = world.pod(&PodKey { namespace: lease.namespace.clone(), name: lease.pod.clone() });
    // A post hook that runs in a pod made anew under the same name ends the registration of the pod that is gone. Seen with Velero
    // 1.18.3, which finds the pod of a post hook by its name. What it says of that pod's quiesce is worth nothing.
    let went = member.pod_went || pod.is_some_and(|pod| pod.uid != lease.attempt.pod_uid);
    if let Some(end) = done
        && !went
    {
        return Standing::Over(end);
    }
    let gone = match pod {
        Some(pod) => went || pod.phase == PodPhase::Ended,
        None => went || unchanged_ms >= POD_ABSENT_GRACE_MS,
    };
    if gone {
        Standing::Over(MemberEnd::PodGone)
    } else if unchanged_ms > u64::from(lease.lease_duration_s) * 1_000 {
        Standing::Over(MemberEnd::Expired)
    } else if lease.phase == MemberPhase::Waiting {
        Standing::Waiting
    } else {
        Standing::Holding
    }
}
