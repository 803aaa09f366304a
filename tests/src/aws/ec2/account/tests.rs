//! Do the limits refuse what they should, and nothing else?

use super::limits::{PendingPerVolume, RequestBucket};
use super::volume::VolumeType;
use super::*;

/// What came of a snapshot of volume `.0` at millisecond `.1`.
type Asked = (usize, i64, &'static str);

const DONE: &str = "cut";

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millisecond).expect("a time")
}

/// Three volumes, the last of type st1; snapshots stay pending for 20 s.
fn check(limits: Limits, asked: &[Asked]) {
    let mut account = Account::default();
    let types = [VolumeType::Gp3, VolumeType::Io2, VolumeType::St1];
    let ids = types
        .map(|volume_type| account.add_volume(NewVolume { volume_type, ..NewVolume::default() }, at(0)).id.clone());
    account.set_limits(limits, at(0));
    for (number, (volume, millisecond, expected)) in asked.iter().enumerate() {
        let said = cut(&mut account, &ids[*volume], at(*millisecond)).map_or_else(|refusal| refusal.code(), |_| DONE);
        assert_eq!(said, *expected, "call {number} of {asked:?}");
    }
}

fn cut(account: &mut Account, volume: &VolumeId, now: Timestamp) -> Result<SnapshotId, Refusal> {
    let new = NewSnapshot { volume: volume.clone(), description: String::new(), tags: BTreeMap::new() };
    account.create_snapshot(new, Duration::from_secs(20), now).map(|s| s.id.clone())
}

#[test]
fn without_limits_everything_is_cut() {
    check(Limits::none(), &[(0, 0, DONE), (0, 0, DONE), (2, 0, DONE), (2, 0, DONE)]);
}

#[test]
fn the_bucket_empties_and_fills_and_refused_requests_take_nothing_from_an_empty_one() {
    let requests = Some(RequestBucket { burst: 2, refill_per_s: 0.5 });
    let limits = Limits { requests, ..Limits::none() };
    let no = "RequestLimitExceeded";
    check(limits, &[(0, 0, DONE), (1, 0, DONE), (2, 0, no), (2, 1_999, no), (2, 2_000, DONE), (2, 2_001, no)]);
    // A full bucket does not overflow.
    check(limits, &[(0, 3_600_000, DONE), (0, 3_600_000, DONE), (0, 3_600_000, no)]);
    // A clock that is set back gives no tokens.
    check(limits, &[(0, 9_000, DONE), (0, 0, DONE), (0, 0, no), (0, 2_000, DONE)]);
}

#[test]
fn requests_that_other_limits_refuse_cost_a_token() {
    let requests = Some(RequestBucket { burst: 2, refill_per_s: 0.001 });
    let limits = Limits { requests, per_volume_gap: Some(Duration::from_secs(15)), ..Limits::none() };
    check(limits, &[(0, 0, DONE), (0, 1, "SnapshotCreationPerVolumeRateExceeded"), (1, 2, "RequestLimitExceeded")]);
}

#[test]
fn one_volume_is_cut_once_in_a_while() {
    let limits = Limits { per_volume_gap: Some(Duration::from_secs(15)), ..Limits::none() };
    let no = "SnapshotCreationPerVolumeRateExceeded";
    // Counted from the last cut, not from the last request.
    check(limits, &[(0, 0, DONE), (1, 0, DONE), (0, 14_999, no), (0, 15_000, DONE), (0, 29_999, no)]);
}

#[test]
fn pending_snapshots_of_a_volume_are_counted_by_its_type() {
    let pending_per_volume = Some(PendingPerVolume { usual: 2, cold: 1 });
    let limits = Limits { pending_per_volume, ..Limits::none() };
    let no = "ConcurrentSnapshotLimitExceeded";
    check(
        limits,
        &[(0, 0, DONE), (0, 1, DONE), (0, 2, no), (2, 3, DONE), (2, 4, no), (0, 20_000, DONE), (0, 20_000, no)],
    );
}

#[test]
fn pending_snapshots_and_all_snapshots_of_the_account_are_counted() {
    let limits = Limits { pending_per_account: Some(2), snapshots: Some(3), ..Limits::none() };
    let (pending, all) = ("PendingSnapshotLimitExceeded", "SnapshotLimitExceeded");
    check(
        limits,
        &[(0, 0, DONE), (1, 0, DONE), (2, 1, pending), (2, 20_000, DONE), (0, 20_001, all), (0, 99_000, all)],
    );
}

#[test]
fn what_is_deleted_while_pending_counts_on() {
    let mut account = Account::default();
    let volume = account.add_volume(NewVolume::default(), at(0)).id.clone();
    let pending_per_volume = Some(PendingPerVolume::all(1));
    account.set_limits(Limits { pending_per_volume, ..Limits::none() }, at(0));
    let first = cut(&mut account, &volume, at(0)).expect("the first");
    account.delete_snapshot(&first).expect("it is there");
    assert_eq!(cut(&mut account, &volume, at(1)), Err(Refusal::ConcurrentSnapshotLimitExceeded));
    assert!(cut(&mut account, &volume, at(20_000)).is_ok());
    assert_eq!(account.delete_snapshot(&first), Err(Refusal::NoSuchSnapshot(first.to_string())));
}

#[test]
fn a_snapshot_is_pending_and_then_a_volume_can_be_made_of_it() {
    let mut account = Account::default();
    let volume = account.add_volume(NewVolume { size_gib: 7, ..NewVolume::default() }, at(0)).id.clone();
    let id = cut(&mut account, &volume, at(0)).expect("no limits");
    let progress = |ms| account.snapshot(&id).map(|s| (s.is_pending(at(ms)), s.progress_percent(at(ms))));
    assert_eq!(progress(0), Ok((true, 0)));
    assert_eq!(progress(10_000), Ok((true, 50)));
    assert_eq!(progress(19_999), Ok((true, 99)));
    assert_eq!(progress(20_000), Ok((false, 100)));
    let wanted = NewVolume { size_gib: 0, snapshot: Some(id), ..NewVolume::default() };
    assert_eq!(account.create_volume(wanted.clone(), at(5)), Err(Refusal::SnapshotPending));
    assert_eq!(account.create_volume(wanted.clone(), at(20_000)).map(|v| v.what.size_gib), Ok(7));
    let small = NewVolume { size_gib: 6, ..wanted };
    assert!(matches!(account.create_volume(small, at(20_000)), Err(Refusal::InvalidParameterValue(_))));
}

#[test]
fn tags_are_set_on_all_or_none() {
    let mut account = Account::default();
    let volume = account.add_volume(NewVolume::default(), at(0)).id.clone();
    let tags = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    let both = [volume.to_string(), "snap-none".to_owned()];
    assert_eq!(account.create_tags(&both, &tags), Err(Refusal::NoSuchSnapshot("snap-none".to_owned())));
    assert!(account.volume(&volume).expect("it is there").what.tags.is_empty());
    assert_eq!(account.create_tags(&both[..1], &tags), Ok(()));
    let many: BTreeMap<_, _> = (0..50).map(|n| (format!("k{n}"), String::new())).collect();
    assert_eq!(account.create_tags(&both[..1], &many), Err(Refusal::TagLimitExceeded));
}

#[test]
fn a_request_that_is_sent_twice_makes_one_volume() {
    let mut account = Account::default();
    let what = NewVolume::default;
    let first = account.create_volume_once("t", what(), at(0)).map(|v| v.id.clone());
    assert_eq!(account.create_volume_once("t", what(), at(1)).map(|v| v.id.clone()), first);
    assert_ne!(account.create_volume_once("u", what(), at(1)).map(|v| v.id.clone()), first);
    let other = NewVolume { size_gib: 2, ..what() };
    assert_eq!(account.create_volume_once("t", other, at(1)), Err(Refusal::IdempotentParameterMismatch));
}
