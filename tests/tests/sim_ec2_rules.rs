//! The simulation's EC2 refuses what the test bed's EC2 stand-in refuses, for the same reason, call by call.

use std::collections::BTreeMap;
use std::time::Duration;

use coordinator_simulation::ec2::{Account as Model, Limits as ModelLimits};
use jiff::Timestamp;
use proptest::prelude::*;
use testbed::aws::ec2::account::limits::{Limits, PendingPerVolume, RequestBucket};
use testbed::aws::ec2::account::volume::{NewVolume, VolumeId};
use testbed::aws::ec2::account::{Account, NewSnapshot};

/// Plays calls (ms since the one before, volume, ms pending) to both.
fn check(model: ModelLimits, calls: &[(u64, u32, u64)]) -> Vec<Option<String>> {
    let limits = Limits {
        requests: Some(RequestBucket { burst: model.burst, refill_per_s: f64::from(model.refill_per_s) }),
        per_volume_gap: Some(Duration::from_millis(model.volume_gap_ms)),
        pending_per_volume: Some(PendingPerVolume::all(model.pending_per_volume)),
        pending_per_account: Some(model.pending_per_account),
        snapshots: None,
    };
    let begin = Timestamp::UNIX_EPOCH;
    let mut stand_in = Account::default();
    stand_in.set_limits(limits, begin);
    let mut model = Model::new(model, Vec::new(), 1);
    let mut ids: BTreeMap<u32, VolumeId> = BTreeMap::new();
    let mut now_ms = 0;
    let mut answers = Vec::new();
    for (n, (after_ms, volume, pending_ms)) in calls.iter().enumerate() {
        now_ms += after_ms;
        let now = begin + Duration::from_millis(now_ms);
        let id = ids.entry(*volume).or_insert_with(|| stand_in.add_volume(NewVolume::default(), now).id.clone());
        let new = NewSnapshot { volume: id.clone(), description: String::new(), tags: BTreeMap::new() };
        let theirs = stand_in.create_snapshot(new, Duration::from_millis(*pending_ms), now).err();
        let theirs = theirs.map(|refusal| refusal.code().to_owned());
        let ours = model.create_snapshot(*volume, *pending_ms, now_ms).err().map(|refusal| refusal.code().to_owned());
        assert_eq!(ours, theirs, "call {n} of {calls:?}");
        answers.push(ours);
    }
    answers
}

#[test]
fn each_rule_refuses_alike() {
    let documented = ModelLimits::default();
    let count = |answers: &[Option<String>], code: &str| answers.iter().flatten().filter(|said| *said == code).count();
    let burst: Vec<_> = (0..150).map(|volume| (0, volume, 0)).collect();
    assert_eq!(count(&check(documented, &burst), "RequestLimitExceeded"), 50);
    let hasty: Vec<_> = (0..10).map(|_| (5_000, 1, 0)).collect();
    assert_eq!(count(&check(documented, &hasty), "SnapshotCreationPerVolumeRateExceeded"), 6);
    let slow: Vec<_> = (0..10).map(|_| (15_000, 1, 10_000_000)).collect();
    assert_eq!(count(&check(documented, &slow), "ConcurrentSnapshotLimitExceeded"), 5);
    let many: Vec<_> = (0..120).map(|volume| (1_000, volume, 10_000_000)).collect();
    assert_eq!(count(&check(documented, &many), "PendingSnapshotLimitExceeded"), 20);
}

proptest! {
    #[test]
    fn any_calls_are_answered_alike(
        burst in 1u32..20,
        refill_per_s in 1u32..6,
        pending_per_volume in 1u32..4,
        pending_per_account in 1u32..12,
        // Multiples of a second: there the stand-in's floating point is exact as well.
        calls in prop::collection::vec((0u64..6, 0u32..6, 0u64..60), 1..120),
    ) {
        let limits = ModelLimits { burst, refill_per_s, volume_gap_ms: 15_000, pending_per_volume, pending_per_account };
        let calls: Vec<_> = calls.into_iter().map(|(s, volume, pending)| (s * 1_000, volume, pending * 1_000)).collect();
        check(limits, &calls);
    }
}
