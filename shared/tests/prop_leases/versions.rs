//! Agents and coordinators of different versions read each other's Leases.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use proptest::prelude::*;
use shared::LeaseError;
use shared::admission::{Mode, RoundPhase};
use shared::group_lease::{Epoch, GroupLease};
use shared::member_lease::MemberLease;
use shared::time::WallTime;

use crate::any::{group_lease, member_lease, pod};
use crate::over_the_wire;

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
