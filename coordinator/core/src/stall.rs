//! Whether a barrier may open, must wait, or can never fill.

use crate::notice::StallReason;

/// How a barrier stands.
#[derive(Clone, Copy, Debug)]
pub struct Barrier {
    /// Members of the group that wait.
    pub arrived: usize,
    /// Live members whose hooks are expected.
    pub expected: usize,
    /// Hooks that wait in all groups together.
    pub waiting_everywhere: usize,
    /// Velero's item block workers, where known.
    pub workers: Option<u32>,
    /// ms since the last member arrived.
    pub since_arrival_ms: u64,
    /// The stall time, ms.
    pub stall_ms: u64,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Everybody is there.
    Full,
    /// More may come.
    Wait,
    /// Nobody else can come, or it looks so: go on as arrive-and-go. A barrier never waits out a hook's timeout.
    Stalled(StallReason),
}

/// Looks at the evidence in the order of its strength.
pub fn look_at(barrier: Barrier) -> Decision {
    if barrier.arrived >= barrier.expected {
        return Decision::Full;
    }
    if let Some(workers) = barrier.workers
        && barrier.waiting_everywhere >= workers as usize
    {
        return Decision::Stalled(StallReason::AllWorkersWait { workers });
    }
    if barrier.since_arrival_ms >= barrier.stall_ms {
        return Decision::Stalled(StallReason::NoArrival { for_ms: barrier.stall_ms });
    }
    Decision::Wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions() {
        let b = Barrier {
            arrived: 1,
            expected: 3,
            waiting_everywhere: 1,
            workers: Some(4),
            since_arrival_ms: 0,
            stall_ms: 5_000,
        };
        assert_eq!(look_at(b), Decision::Wait);
        assert_eq!(look_at(Barrier { arrived: 3, ..b }), Decision::Full);
        assert_eq!(
            look_at(Barrier { waiting_everywhere: 4, ..b }),
            Decision::Stalled(StallReason::AllWorkersWait { workers: 4 })
        );
        assert_eq!(
            look_at(Barrier { workers: Some(1), ..b }),
            Decision::Stalled(StallReason::AllWorkersWait { workers: 1 })
        );
        assert_eq!(
            look_at(Barrier { since_arrival_ms: 5_000, ..b }),
            Decision::Stalled(StallReason::NoArrival { for_ms: 5_000 })
        );
        assert_eq!(look_at(Barrier { workers: None, waiting_everywhere: 9, ..b }), Decision::Wait);
    }
}
