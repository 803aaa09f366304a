//! What is written is what is read; and what was damaged is an error, never a panic.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use proptest::prelude::*;
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::member_lease::MemberLease;
use shared::quiesce::LetGo;
use shared::receipt::{RECEIPT_BYTES_MAX, Receipt};

use crate::any::{budget_lease, group_lease, member_lease, receipt};
use crate::over_the_wire;

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
