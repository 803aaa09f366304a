//! Any Lease that may be written.

use proptest::prelude::*;
use shared::admission::{Admission, AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::boot_time::{BootTime, SteadySpan};
use shared::budget_lease::{BudgetLease, Grant};
use shared::group_lease::{AttemptEntry, Call, Epoch, GroupLease, WaitReason};
use shared::identity::{AttemptId, GroupId, GroupKey, Namespace, Nonce, PodName, PodUid};
use shared::member_lease::{MemberLease, Resident};
use shared::quiesce::{LetGo, QuiesceKind};
use shared::receipt::{CutReceipt, CutWay, MemberEnd, MemberReceipt, Receipt};
use shared::time::WallTime;
use shared::verdict::{Verdict, VerdictReason};

pub fn time() -> impl Strategy<Value = WallTime> {
    (0i64..4_000_000_000_000_000).prop_map(WallTime::from_micros)
}

pub fn namespace() -> impl Strategy<Value = Namespace> {
    "[a-z]([a-z0-9-]{0,20}[a-z0-9])?".prop_map(|s| Namespace::new(s).unwrap())
}

pub fn pod() -> impl Strategy<Value = PodName> {
    "[a-z]([a-z0-9-]{0,30}[a-z0-9])?(\\.[a-z0-9]{1,9})?".prop_map(|s| PodName::new(s).unwrap())
}

pub fn group() -> impl Strategy<Value = GroupId> {
    "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?".prop_map(|s| GroupId::new(s).unwrap())
}

pub fn key() -> impl Strategy<Value = GroupKey> {
    (namespace(), group()).prop_map(|(namespace, group)| GroupKey { namespace, group })
}

pub fn attempt() -> impl Strategy<Value = AttemptId> {
    ("[a-f0-9]{8}-[a-f0-9]{4}", any::<u64>())
        .prop_map(|(uid, bits)| AttemptId { pod_uid: PodUid::new(uid).unwrap(), nonce: Nonce::from_bits(bits) })
}

pub fn epoch() -> impl Strategy<Value = Epoch> {
    (0..=i32::MAX.unsigned_abs()).prop_map(Epoch)
}

pub fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

pub fn member_lease() -> impl Strategy<Value = MemberLease> {
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

pub fn wait() -> impl Strategy<Value = WaitReason> {
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

pub fn receipt() -> impl Strategy<Value = Receipt> {
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

pub fn group_lease() -> impl Strategy<Value = GroupLease> {
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

pub fn budget_lease() -> impl Strategy<Value = BudgetLease> {
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
