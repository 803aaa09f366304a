//! Which receipt stands on a Backup, and how much of it: a newer one is never replaced by an older one, and all of them fit together.

use std::collections::BTreeMap;

use shared::receipt::{RECEIPT_BYTES_MAX, Receipt};

/// All annotations of an object together may have 256 KiB, keys and values (apimachinery `TotalAnnotationSizeLimitB`); receipts leave a part of
/// it to Velero and to whoever else writes there later, bytes.
const ANNOTATIONS_BYTES_MAX: usize = 240 * 1024;

/// One receipt takes at most this part of what is left, so that a Backup of many groups has room for the last ones too.
const PART_OF_REST: usize = 8;

/// What is to be done with a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placing {
    /// Write this.
    Write(String),
    /// A later round's is there: somebody else led meanwhile.
    NewerIsThere,
    /// Not even its verdict fits beside what is there.
    NoRoom,
}

/// Places a receipt under `key` among a Backup's annotations as they stand now.
pub fn place(annotations: &BTreeMap<String, String>, key: &str, receipt: &Receipt) -> Placing {
    let there = annotations.get(key).and_then(|text| serde_json::from_str::<Receipt>(text).ok());
    if there.is_some_and(|there| is_newer(&there, receipt)) {
        return Placing::NewerIsThere;
    }
    let others: usize =
        annotations.iter().filter(|(name, _)| *name != key).map(|(name, text)| name.len() + text.len()).sum();
    let room = ANNOTATIONS_BYTES_MAX.saturating_sub(others + key.len());
    let json = receipt.to_json_within((room / PART_OF_REST).min(RECEIPT_BYTES_MAX));
    if json.len() <= room { Placing::Write(json) } else { Placing::NoRoom }
}

/// Round numbers only grow. One that went without a grant has none; then the coordinators' clocks have to tell.
fn is_newer(there: &Receipt, than: &Receipt) -> bool {
    match (there.epoch, than.epoch) {
        (Some(there), Some(than)) => there > than,
        _ => there.closed_at > than.closed_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::admission::Mode;
    use shared::group_lease::Epoch;
    use shared::identity::{GroupKey, PodName};
    use shared::names::receipt_annotation;
    use shared::receipt::{MemberEnd, MemberReceipt};
    use shared::time::WallTime;
    use shared::verdict::{Verdict, VerdictReason};

    fn receipt(group: usize, epoch: Option<u32>, closed_ms: i64, members: usize) -> (String, Receipt) {
        let key = GroupKey { namespace: "prod".parse().unwrap(), group: format!("g-{group}").parse().unwrap() };
        let member = |i: usize| MemberReceipt {
            pod: PodName::new(format!("database-with-a-long-name-{i}")).unwrap(),
            volumes: 1,
            end: MemberEnd::NeverArrived,
            admission: None,
            waited_ms: None,
            quiesced_at: None,
            thawed_at: None,
            steady_ms: None,
            let_go: None,
            unheld: false,
            failure: Some("x".repeat(120)),
            cuts: vec![],
        };
        let receipt = Receipt {
            namespace: key.namespace.clone(),
            group: key.group.clone(),
            epoch: epoch.map(Epoch),
            backup: Some("nightly".to_owned()),
            mode: Mode::ArriveAndGo,
            way: None,
            degraded: false,
            weight: 1,
            opened_at: WallTime::EPOCH,
            closed_at: WallTime::EPOCH.plus_ms(closed_ms),
            members: (0..members).map(member).collect(),
            members_omitted: 0,
            frozen_max: None,
            quiesce_skew_ms: None,
            clock_error_ms: Some(50),
            skew_ms: None,
            earlier_rounds: None,
            verdict: Verdict::CrashConsistent,
            why: VerdictReason::NeverQuiesced { pod: "database-with-a-long-name-0".to_owned() },
        };
        (receipt_annotation(&key), receipt)
    }

    #[test]
    fn an_older_receipt_never_replaces_a_newer_one() {
        for (there, ours, writes) in [
            ((Some(7), 10), (Some(8), 5), true),
            ((Some(7), 10), (Some(7), 10), true),
            ((Some(8), 5), (Some(7), 10), false),
            ((None, 10), (None, 11), true),
            ((None, 11), (None, 10), false),
            ((Some(7), 11), (None, 10), false),
        ] {
            let (key, there) = receipt(0, there.0, there.1, 1);
            let ours = receipt(0, ours.0, ours.1, 1).1;
            let placed = place(&[(key.clone(), there.to_bounded_json())].into(), &key, &ours);
            assert_eq!(placed == Placing::Write(ours.to_bounded_json()), writes, "{placed:?}");
            assert_eq!(placed == Placing::NewerIsThere, !writes);
        }
        let (key, ours) = receipt(0, Some(7), 0, 1);
        let nonsense = [(key.clone(), "by hand".to_owned())].into();
        assert!(matches!(place(&nonsense, &key, &ours), Placing::Write(_)));
    }

    #[test]
    fn the_receipts_of_many_groups_fit_onto_one_backup_each_with_its_verdict() {
        let mut annotations: BTreeMap<String, String> = [("velero.io/by-others".to_owned(), "x".repeat(20_000))].into();
        for group in 0..50 {
            let (key, whole) = receipt(group, Some(7), 0, 1_000);
            let Placing::Write(json) = place(&annotations, &key, &whole) else { panic!("no room for group {group}") };
            let kept: Receipt = serde_json::from_str(&json).unwrap();
            assert_eq!((kept.verdict, &kept.why), (whole.verdict, &whole.why));
            assert_eq!(kept.members.len() + kept.members_omitted as usize, 1_000, "what is left out is counted");
            annotations.insert(key, json);
        }
        let sum: usize = annotations.iter().map(|(key, text)| key.len() + text.len()).sum();
        assert!(sum <= 256 * 1024, "{sum}");
        // A group that is there already has its own place again.
        let (key, again) = receipt(3, Some(8), 0, 1_000);
        assert!(matches!(place(&annotations, &key, &again), Placing::Write(_)));
        annotations.insert("full".to_owned(), "x".repeat(256 * 1024));
        assert_eq!(place(&annotations, &key, &again), Placing::NoRoom);
    }
}
