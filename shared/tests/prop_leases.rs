//! Every Lease of the contract survives encoding and decoding, and no Lease that anybody could write makes a reader panic.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use proptest::prelude::*;
use shared::LeaseError;
use shared::admission::{Admission, AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::boot_time::{BootTime, SteadySpan};
use shared::budget_lease::{BudgetLease, Grant};
use shared::group_lease::{AttemptEntry, Call, Epoch, GroupLease, WaitReason};
use shared::identity::{AttemptId, GroupId, GroupKey, Namespace, Nonce, PodName, PodUid};
use shared::member_lease::{MemberLease, Resident};
use shared::quiesce::{LetGo, QuiesceKind};
use shared::receipt::{CutReceipt, CutWay, MemberEnd, MemberReceipt, RECEIPT_BYTES_MAX, Receipt};
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
        prop::option::of((any::<bool>(), prop::option::of("[ -~]{0,60}"))),
    );
    (who, when, what).prop_map(
        |((namespace, pod, group, attempt), (registered_at, renewed_at, lease_duration_s, deadline), what)| {
            let (phase, admission, epoch, quiesced_at, thawed_at, failure, quiesce, let_go, resident) = what;
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
                steady: SteadySpan {
                    from: quiesced_at.map(|at| BootTime { start: "0-a".to_owned(), ms: at.as_micros().unsigned_abs() }),
                    to: thawed_at.map(|at| BootTime { start: "1-b".to_owned(), ms: at.as_micros().unsigned_abs() }),
                },
                quiesce: quiesce.into_iter().collect(),
                let_go,
                resident: resident.map(|(ready, why)| Resident { ready, why }),
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
        any::<(u32, u32)>().prop_map(|(held, at_most)| WaitReason::FrozenMax { held, at_most }),
        any::<(u32, u32)>().prop_map(|(arrived, expected)| WaitReason::Members { arrived, expected }),
        any::<u64>().prop_map(|for_s| WaitReason::Volume { claim: "data-db-0".to_owned(), for_s }),
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
            steady_ms: at.map(|_| u64::from(volumes)),
            let_go: Some(LetGo::Cut),
            unheld: volumes % 2 == 0,
            failure: None,
            cuts,
        });
    (key(), epoch(), time(), word(Mode::ALL), word(Verdict::ALL), prop::collection::vec(member, 0..6)).prop_map(
        |(key, epoch, at, mode, verdict, members)| Receipt {
            namespace: key.namespace,
            group: key.group,
            epoch: Some(epoch),
            backup: Some("nightly-1".into()),
            mode,
            way: Some(CutWay::CsiOneBlock),
            degraded: false,
            weight: 3,
            opened_at: at,
            closed_at: at,
            members,
            members_omitted: 0,
            earlier_rounds: None,
            frozen_max: Some(1),
            quiesce_skew_ms: None,
            clock_error_ms: Some(50),
            skew_ms: Some(7),
            verdict,
            why: VerdictReason::NeverQuiesced { pod: "db-0".into() },
        },
    )
}

fn group_lease() -> impl Strategy<Value = GroupLease> {
    let entry = (attempt(), pod(), word(AttemptVerdict::ALL), any::<(bool, bool)>())
        .prop_map(|(a, pod, verdict, (cut, unheld))| (a, AttemptEntry { pod, verdict, cut, unheld }));
    let call = (prop::collection::btree_set(pod(), 0..6), any::<u64>());
    let words = (word(RoundPhase::ALL), word(Mode::ALL), any::<bool>(), any::<u32>());
    (
        key(),
        epoch(),
        words,
        call,
        prop::collection::vec(entry, 0..6),
        prop::option::of(wait()),
        prop::option::of(receipt()),
        time(),
    )
        .prop_map(
            |(key, epoch, (phase, mode, degraded, weight), (pods, within_ms), entries, wait, receipt, at)| GroupLease {
                key,
                epoch,
                phase,
                mode,
                degraded,
                call: (phase == RoundPhase::Calling).then_some(Call { pods, within_ms }),
                attempts: entries.into_iter().collect(),
                weight,
                wait,
                backup: Some("nightly-1".into()),
                writer: "coordinator-0".into(),
                opened_at: at,
                renewed_at: at,
                round_duration_s: 14_400,
                receipt,
            },
        )
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
            // The machine was started anew in between: nobody was there.
            _ if lease.steady.is_broken() => prop_assert_eq!(proven, None),
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

/// What a reader of the first version makes of a group Lease, as far as it looks at words: it refuses any that it does not know.
#[derive(serde::Deserialize)]
struct OldEntry {
    verdict: String,
}

proptest! {
    #[test]
    fn readers_of_the_first_version_find_only_words_that_they_know(lease in group_lease(), member in member_lease()) {
        let (encoded, member) = (lease.encode(), member.encode().unwrap());
        let annotation = |lease: &Lease, key: &str| {
            lease.metadata.annotations.as_ref().unwrap().get(&format!("snapshot-group.velero.io/{key}")).cloned().unwrap_or_default()
        };
        let of_group = |key| annotation(&encoded, key);
        prop_assert!(["waiting", "released", "closed"].contains(&of_group("phase").as_str()));
        prop_assert!(["arrive-and-go", "barrier"].contains(&of_group("mode").as_str()));
        prop_assert_eq!(of_group("receipt"), "");
        let wait = of_group("wait");
        let known = ["grant", "budget", "volume", "members"].map(|word| format!("\"for\":\"{word}\""));
        prop_assert!(wait.is_empty() || known.iter().any(|word| wait.contains(word)), "{}", wait);
        let entries: BTreeMap<String, OldEntry> = serde_json::from_str(&of_group("attempts")).unwrap();
        prop_assert!(entries.values().all(|e| ["waiting", "admitted", "superseded", "ended"].contains(&e.verdict.as_str())));
        let of_member = |key| annotation(&member, key);
        prop_assert!(["waiting", "quiesced", "done", "failed", "withdrawn"].contains(&of_member("phase").as_str()));
        prop_assert!(["", "asked", "by-itself", "unproven", "nothing-found"].contains(&of_member("let-go").as_str()));
    }

    /// What the first version wrote reads as it was meant.
    #[test]
    fn leases_of_the_first_version_are_read(lease in group_lease(), member in member_lease()) {
        let mut old = lease.encode();
        let annotations = old.metadata.annotations.as_mut().unwrap();
        let receipt = annotations.remove("snapshot-group.velero.io/last-receipt").unwrap();
        for later in ["call", "exact-mode", "exact-wait"] {
            annotations.remove(&format!("snapshot-group.velero.io/{later}"));
        }
        annotations.insert("snapshot-group.velero.io/receipt".to_owned(), receipt);
        let read = GroupLease::decode(&over_the_wire(&old)).unwrap();
        prop_assert_eq!((read.receipt, read.call, &read.attempts), (lease.receipt, None, &lease.attempts));
        prop_assert!(read.mode != Mode::Lead && read.phase != RoundPhase::Calling);
        let mut old = member.encode().unwrap();
        for later in ["resident", "exact-let-go"] {
            old.metadata.annotations.as_mut().unwrap().remove(&format!("snapshot-group.velero.io/{later}"));
        }
        let read = MemberLease::decode(&over_the_wire(&old)).unwrap();
        prop_assert!(!read.stands_by() && read.resident.is_none());
    }

    #[test]
    fn a_call_is_only_for_those_that_it_names(lease in group_lease(), other in pod()) {
        let called = lease.call.clone().unwrap_or_default().pods;
        prop_assert_eq!(lease.call_to(&other).is_some(), called.contains(&other));
        for pod in &called {
            prop_assert!(lease.call_to(pod).is_some());
        }
    }
}

/// Of a round that is over, and left nothing.
fn closed_lease(mode: Mode) -> GroupLease {
    GroupLease {
        key: "prod/g".parse().unwrap(),
        epoch: Epoch(1),
        phase: RoundPhase::Closed,
        mode,
        degraded: false,
        call: None,
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
}

#[test]
fn a_receipt_with_words_of_a_later_version_keeps_no_member_waiting() {
    let lease = closed_lease(Mode::Lead);
    let mut later = lease.encode();
    let receipt = r#"{"verdict":"better-than-ever"}"#.to_owned();
    later.metadata.annotations.as_mut().unwrap().insert("snapshot-group.velero.io/last-receipt".into(), receipt);
    assert_eq!(GroupLease::decode(&later), Ok(lease));
}

#[test]
fn foreign_and_newer_leases_are_told_apart_from_nonsense() {
    let lease = closed_lease(Mode::ArriveAndGo).encode();
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
