//! Every Lease of the contract survives encoding and decoding, and no Lease that anybody could write makes a reader panic.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use proptest::prelude::*;
use shared::LeaseError;
use shared::admission::{Admission, AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::budget_lease::{BudgetLease, Grant};
use shared::group_lease::{AttemptEntry, Epoch, GroupLease, WaitReason};
use shared::identity::{AttemptId, GroupId, GroupKey, Namespace, Nonce, PodName, PodUid};
use shared::member_lease::MemberLease;
use shared::quiesce::{LetGo, QuiesceKind};
use shared::receipt::{CutReceipt, MemberEnd, MemberReceipt, RECEIPT_BYTES_MAX, Receipt};
use shared::time::WallTime;
use shared::verdict::{Verdict, VerdictReason};

fn time() -> impl Strategy<Value = WallTime> {
    (0i64..4_000_000_000_000_000).prop_map(WallTime::from_micros)
}

fn namespace() -> impl Strategy<Value = Namespace> {
    "[a-z]([a-z0-9-]{0,20}[a-z0-9])?".prop_map(|s| Namespace::new(s).unwrap())
}

fn pod() -> impl Strategy<Value = PodName> {
    "[a-z]([a-z0-9-]{0,30}[a-z0-9])?(\\.[a-z0-9]{1,9})?".prop_map(|s| PodName::new(s).unwrap())
}

fn group() -> impl Strategy<Value = GroupId> {
    "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?".prop_map(|s| GroupId::new(s).unwrap())
}

fn key() -> impl Strategy<Value = GroupKey> {
    (namespace(), group()).prop_map(|(namespace, group)| GroupKey { namespace, group })
}

fn attempt() -> impl Strategy<Value = AttemptId> {
    ("[a-f0-9]{8}-[a-f0-9]{4}", any::<u64>())
        .prop_map(|(uid, bits)| AttemptId { pod_uid: PodUid::new(uid).unwrap(), nonce: Nonce::from_bits(bits) })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (0..=i32::MAX.unsigned_abs()).prop_map(Epoch)
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn member_lease() -> impl Strategy<Value = MemberLease> {
    let who = (namespace(), pod(), group(), attempt());
    let when = (time(), time(), 1u32..100_000, time());
    let what = (
        word(MemberPhase::ALL),
        prop::option::of(word(Admission::ALL)),
        prop::option::of(epoch()),
        prop::option::of(time()),
        prop::option::of(time()),
        prop::option::of("[ -~]{1,60}"),
        prop::collection::vec(word(QuiesceKind::ALL), 0..3),
        prop::option::of(word(LetGo::ALL)),
    );
    (who, when, what).prop_map(
        |((namespace, pod, group, attempt), (registered_at, renewed_at, lease_duration_s, deadline), what)| {
            let (phase, admission, epoch, quiesced_at, thawed_at, failure, quiesce, let_go) = what;
            MemberLease {
                namespace,
                pod,
                group,
                attempt,
                phase,
                registered_at,
                renewed_at,
                lease_duration_s,
                deadline,
                admission,
                epoch,
                quiesced_at,
                thawed_at,
                quiesce: quiesce.into_iter().collect(),
                let_go,
                failure,
                agent_version: "1.2.3".into(),
            }
        },
    )
}

fn wait() -> impl Strategy<Value = WaitReason> {
    prop_oneof![
        Just(WaitReason::Grant),
        any::<(u32, u32, u32, u32)>().prop_map(|(weight, in_use, limit, ahead)| WaitReason::Budget {
            weight,
            in_use,
            limit,
            ahead
        }),
        any::<(u32, u32)>().prop_map(|(arrived, expected)| WaitReason::Members { arrived, expected }),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let cut =
        (time(), 0u64..2_000).prop_map(|(at, resolution_ms)| CutReceipt { claim: "data".into(), at, resolution_ms });
    let member = (
        pod(),
        any::<u32>(),
        prop::option::of(word(Admission::ALL)),
        prop::option::of(time()),
        prop::collection::vec(cut, 0..3),
    )
        .prop_map(|(pod, volumes, admission, at, cuts)| MemberReceipt {
            pod,
            volumes,
            end: MemberEnd::Done,
            admission,
            waited_ms: Some(5),
            quiesced_at: at,
            thawed_at: at,
            cuts,
        });
    (key(), epoch(), time(), word(Mode::ALL), word(Verdict::ALL), prop::collection::vec(member, 0..6)).prop_map(
        |(key, epoch, at, mode, verdict, members)| Receipt {
            namespace: key.namespace,
            group: key.group,
            epoch: Some(epoch),
            backup: Some("nightly-1".into()),
            mode,
            degraded: false,
            weight: 3,
            opened_at: at,
            closed_at: at,
            members,
            members_omitted: 0,
            skew_ms: Some(7),
            verdict,
            why: VerdictReason::NeverQuiesced { pod: "db-0".into() },
        },
    )
}

fn group_lease() -> impl Strategy<Value = GroupLease> {
    let entry =
        (attempt(), pod(), word(AttemptVerdict::ALL)).prop_map(|(a, pod, verdict)| (a, AttemptEntry { pod, verdict }));
    let words = (word(RoundPhase::ALL), word(Mode::ALL), any::<bool>(), any::<u32>());
    (
        key(),
        epoch(),
        words,
        prop::collection::btree_map(attempt(), Just(()), 0..1),
        prop::collection::vec(entry, 0..6),
        prop::option::of(wait()),
        prop::option::of(receipt()),
        time(),
    )
        .prop_map(|(key, epoch, (phase, mode, degraded, weight), _, entries, wait, receipt, at)| GroupLease {
            key,
            epoch,
            phase,
            mode,
            degraded,
            attempts: entries.into_iter().collect(),
            weight,
            wait,
            backup: Some("nightly-1".into()),
            writer: "coordinator-0".into(),
            opened_at: at,
            renewed_at: at,
            round_duration_s: 14_400,
            receipt,
        })
}

fn budget_lease() -> impl Strategy<Value = BudgetLease> {
    let grant =
        (epoch(), any::<u32>(), time()).prop_map(|(epoch, weight, granted_at)| Grant { epoch, weight, granted_at });
    (namespace(), epoch(), any::<u32>(), prop::collection::btree_map(key(), grant, 0..6), time()).prop_map(
        |(namespace, last_epoch, limit, grants, renewed_at)| BudgetLease {
            namespace,
            last_epoch,
            limit,
            grants,
            writer: "coordinator-0".into(),
            renewed_at,
        },
    )
}

/// A Lease as it comes back from an API server: through JSON.
fn over_the_wire(lease: &Lease) -> Lease {
    serde_json::from_str(&serde_json::to_string(lease).unwrap()).unwrap()
}

/// Somebody's hands in a Lease: an annotation, a label or a field gone or replaced.
fn tamper(lease: &mut Lease, which: usize, with: Option<&str>) {
    let meta = &mut lease.metadata;
    let maps: [&mut Option<BTreeMap<String, String>>; 2] = [&mut meta.annotations, &mut meta.labels];
    let mut slots: Vec<(&mut BTreeMap<String, String>, String)> = vec![];
    for map in maps.into_iter().flatten() {
        let keys: Vec<String> = map.keys().cloned().collect();
        if let Some(key) = keys.get(which % keys.len().max(1)) {
            slots.push((map, key.clone()));
        }
    }
    let count = slots.len();
    if let Some((map, key)) = slots.into_iter().nth(which % count.max(1)) {
        match with {
            Some(text) => map.insert(key, text.to_owned()),
            None => map.remove(&key),
        };
    }
    if let Some(spec) = &mut lease.spec {
        match which % 7 {
            0 => spec.holder_identity = with.map(str::to_owned),
            1 => spec.lease_duration_seconds = with.and_then(|t| i32::try_from(t.len()).ok()).map(|n| -n),
            2 => spec.acquire_time = None,
            3 => spec.lease_transitions = Some(-1),
            4 => lease.spec = None,
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_member_lease_round_trips(lease in member_lease()) {
        prop_assert_eq!(MemberLease::decode(&over_the_wire(&lease.encode().unwrap())), Ok(lease));
    }

    #[test]
    fn a_hold_that_nobody_vouches_for_proves_nothing(lease in member_lease()) {
        let proven = lease.proven_quiesced_at();
        match lease.let_go {
            Some(LetGo::Unproven) => prop_assert_eq!(proven, None),
            Some(LetGo::NothingFound) if lease.quiesce.hold() => prop_assert_eq!(proven, None),
            _ => prop_assert_eq!(proven, lease.quiesced_at),
        }
    }

    #[test]
    fn a_group_lease_round_trips(lease in group_lease()) {
        prop_assert_eq!(GroupLease::decode(&over_the_wire(&lease.encode())), Ok(lease));
    }

    #[test]
    fn a_budget_lease_round_trips(lease in budget_lease()) {
        prop_assert_eq!(BudgetLease::decode(&over_the_wire(&lease.encode())), Ok(lease));
    }

    #[test]
    fn a_receipt_is_bounded_and_says_what_it_left_out(receipt in receipt(), copies in 1usize..300) {
        let mut receipt = receipt;
        let members = receipt.members.clone();
        receipt.members = members.iter().cycle().take(members.len() * copies).cloned().collect();
        let json = receipt.to_bounded_json();
        prop_assert!(json.len() <= RECEIPT_BYTES_MAX);
        let kept: Receipt = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(kept.members.len() + kept.members_omitted as usize, receipt.members.len());
        prop_assert_eq!((kept.verdict, kept.why, kept.skew_ms), (receipt.verdict, receipt.why, receipt.skew_ms));
    }

    #[test]
    fn no_tampering_makes_a_reader_panic(
        member in member_lease(), group in group_lease(), budget in budget_lease(),
        edits in prop::collection::vec((any::<usize>(), prop::option::of("\\PC{0,40}")), 1..4),
    ) {
        let mut leases = [member.encode().unwrap(), group.encode(), budget.encode()];
        for lease in &mut leases {
            for (which, with) in &edits {
                tamper(lease, *which, with.as_deref());
            }
            let readers = [MemberLease::decode(lease).err(), GroupLease::decode(lease).err(), BudgetLease::decode(lease).err()];
            let name = lease.metadata.name.clone().unwrap();
            for error in readers.into_iter().flatten() {
                prop_assert!(error.to_string().contains(&name), "an error names its Lease: {}", error);
            }
        }
    }
}

#[test]
fn foreign_and_newer_leases_are_told_apart_from_nonsense() {
    let key: GroupKey = "prod/g".parse().unwrap();
    let lease = GroupLease {
        key,
        epoch: Epoch(1),
        phase: RoundPhase::Closed,
        mode: Mode::ArriveAndGo,
        degraded: false,
        attempts: BTreeMap::new(),
        weight: 1,
        wait: None,
        backup: None,
        writer: "c".into(),
        opened_at: WallTime::EPOCH,
        renewed_at: WallTime::EPOCH,
        round_duration_s: 1,
        receipt: None,
    }
    .encode();
    let with = |change: &dyn Fn(&mut Lease)| {
        let mut changed = lease.clone();
        change(&mut changed);
        GroupLease::decode(&changed).unwrap_err()
    };
    let annotation = |key: &'static str, value: &'static str| {
        with(&move |l: &mut Lease| {
            l.metadata.annotations.as_mut().unwrap().insert(format!("snapshot-group.velero.io/{key}"), value.into());
        })
    };
    assert!(matches!(with(&|l| l.metadata.labels = None), LeaseError::Foreign { .. }));
    assert!(matches!(annotation("protocol", "2"), LeaseError::Protocol { .. }));
    assert!(matches!(
        annotation("phase", "asleep"),
        LeaseError::Invalid { field: "snapshot-group.velero.io/phase", .. }
    ));
    assert!(matches!(annotation("attempts", "[1,2"), LeaseError::Invalid { .. }));
    assert!(matches!(annotation("weight", "-3"), LeaseError::Invalid { .. }));
    assert!(matches!(annotation("weight", ""), LeaseError::Missing { .. }));
    assert!(matches!(with(&|l| l.metadata.name = Some("snapshot-group-other".into())), LeaseError::Invalid { .. }));
    assert!(matches!(MemberLease::decode(&lease), Err(LeaseError::Foreign { .. })));
}
