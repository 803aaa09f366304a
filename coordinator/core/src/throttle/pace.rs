//! Must a group wait for its own volumes' sake? EC2 cuts a volume at most once in 15 s, and keeps few pending snapshots of each.
//!
//! A group that was released too early would be held still while the driver tries again and again (18 s and 35 s, as seen); waiting before
//! anybody is held still costs its databases nothing. Other groups are not touched.

use shared::time::WallTime;

use super::snapshot_error::SnapshotError;
use crate::objects::ObjectKey;
use crate::time::Now;

/// The shortest time between two snapshots of one volume, ms (EC2 error codes, `SnapshotCreationPerVolumeRateExceeded`).
pub const VOLUME_GAP_MS: u64 = 15_000;
/// A group waits this long, ms, for a pending snapshot of its volume once EC2 refused one for that; then it goes on and the driver tries.
pub const VOLUME_PENDING_MS: u64 = 60_000;

/// What is known of one volume's snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// The claim that is bound to it.
    pub claim: ObjectKey,
    /// When it was last cut, by EC2's clock, and how coarse that is, ms.
    pub last_cut: Option<(WallTime, u64)>,
    /// What EC2 refused for this volume's sake, and how long ago, ms.
    pub refused: Option<(SnapshotError, u64)>,
    /// Snapshots of it that are not ready.
    pub pending: usize,
}

/// A group waits for one of its volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The claim.
    pub claim: ObjectKey,
    /// How long at most, ms from now.
    pub for_ms: u64,
}

/// The longest wait that the group's volumes impose, if any does.
pub fn hold(volumes: impl IntoIterator<Item = VolumeFacts>, now: Now) -> Option<Hold> {
    let of_volume = |facts: VolumeFacts| {
        let for_ms = gap_left(&facts, now).max(refusal_left(&facts));
        (for_ms > 0).then_some(Hold { claim: facts.claim, for_ms })
    };
    volumes.into_iter().filter_map(of_volume).max_by(|a, b| (a.for_ms, &b.claim).cmp(&(b.for_ms, &a.claim)))
}

fn gap_left(facts: &VolumeFacts, now: Now) -> u64 {
    let Some((at, resolution_ms)) = facts.last_cut else { return 0 };
    // A cut in our future is one by a clock that is ahead; no wait is longer than the gap. One further ahead than that is of before our own clock was
    // set back, and would keep its group waiting until the clock is there again.
    if at.ms_since(now.wall).unsigned_abs() > VOLUME_GAP_MS && at > now.wall {
        return 0;
    }
    let ago_ms = u64::try_from(now.wall.ms_since(at).max(0)).unwrap_or(0);
    VOLUME_GAP_MS.saturating_add(resolution_ms.min(1_000)).saturating_sub(ago_ms)
}

fn refusal_left(facts: &VolumeFacts) -> u64 {
    match facts.refused {
        Some((SnapshotError::SnapshotCreationPerVolumeRateExceeded, ago_ms)) => VOLUME_GAP_MS.saturating_sub(ago_ms),
        Some((SnapshotError::ConcurrentSnapshotLimitExceeded, ago_ms)) if facts.pending > 0 => {
            VOLUME_PENDING_MS.saturating_sub(ago_ms)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    fn facts(claim: &str) -> VolumeFacts {
        let claim = ObjectKey { namespace: "prod".parse().unwrap(), name: claim.to_owned() };
        VolumeFacts { claim, last_cut: None, refused: None, pending: 0 }
    }

    fn now() -> Now {
        Now { mono: Mono(0), wall: WallTime::from_micros(1_700_000_000_000_000) }
    }

    fn held(volumes: &[VolumeFacts]) -> Option<(String, u64)> {
        hold(volumes.iter().cloned(), now()).map(|hold| (hold.claim.name, hold.for_ms))
    }

    #[test]
    fn a_volume_is_cut_once_in_fifteen_seconds() {
        let cut = |ago_ms: i64, resolution| VolumeFacts {
            last_cut: Some((now().wall.plus_ms(-ago_ms), resolution)),
            ..facts("a")
        };
        assert_eq!(held(&[facts("a")]), None);
        assert_eq!(held(&[cut(5_000, 1)]), Some(("a".to_owned(), 10_001)));
        assert_eq!(held(&[cut(15_500, 1_000)]), Some(("a".to_owned(), 500)), "a coarse time may be a second late");
        assert_eq!(held(&[cut(16_000, 1_000)]), None);
        assert_eq!(held(&[cut(-5_000, 1_000)]), Some(("a".to_owned(), 16_000)), "a clock that is ahead");
        assert_eq!(held(&[cut(-3_600_000, 1_000)]), None, "our own was set back: nobody waits until it is there again");
    }

    #[test]
    fn what_ec2_refused_for_a_volume_holds_its_group() {
        let refused = |error, ago_ms, pending| VolumeFacts { refused: Some((error, ago_ms)), pending, ..facts("a") };
        let rate = SnapshotError::SnapshotCreationPerVolumeRateExceeded;
        let concurrent = SnapshotError::ConcurrentSnapshotLimitExceeded;
        assert_eq!(held(&[refused(rate, 5_000, 0)]), Some(("a".to_owned(), 10_000)));
        assert_eq!(held(&[refused(concurrent, 5_000, 1)]), Some(("a".to_owned(), 55_000)));
        assert_eq!(held(&[refused(concurrent, 5_000, 0)]), None, "the pending one is done");
        assert_eq!(held(&[refused(concurrent, 60_000, 1)]), None, "the driver may try");
        assert_eq!(held(&[refused(SnapshotError::RequestLimitExceeded, 0, 9)]), None);
        assert_eq!(
            held(&[refused(rate, 5_000, 0), VolumeFacts { claim: facts("b").claim, ..refused(rate, 1_000, 0) }])
                .unwrap()
                .0,
            "b"
        );
    }
}
