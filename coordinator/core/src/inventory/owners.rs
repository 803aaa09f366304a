//! Which StatefulSet owns a claim by its ownerReferences, and which references lead nowhere or in a circle.

use super::facts::{FactKind, Facts, OwnerFact, OwnerKind};
use super::finding::Finding;
use crate::objects::{ObjectKey, Owner};

/// Longer chains of Pods and StatefulSets than this are no real cluster's: claim → pod → set is three.
const CHAIN_MAX: usize = 8;

/// The controller of a pod, by the rule that pods are labelled by: kind and name of the controller reference.
pub fn controller(owners: &[OwnerFact]) -> Option<Owner> {
    let controller = owners.iter().find(|owner| owner.controller)?;
    Some(match controller.kind {
        OwnerKind::StatefulSet => Owner::StatefulSet(controller.name.as_str().into()),
        OwnerKind::Pod | OwnerKind::Other => Owner::Other,
    })
}

/// The StatefulSet that owns a claim, directly or through its pod (claims of a retention policy, generic ephemeral volumes).
pub fn set_of_claim<'a>(facts: &'a Facts, claim: &ObjectKey) -> Option<&'a ObjectKey> {
    let fact = facts.claims.get(claim)?;
    let mut at: Vec<&OwnerFact> = fact.owners.iter().collect();
    for _ in 0..CHAIN_MAX {
        let mut next = Vec::new();
        for owner in at {
            let key = ObjectKey { namespace: claim.namespace.clone(), name: owner.name.clone() };
            match owner.kind {
                OwnerKind::StatefulSet => {
                    if let Some((key, set)) = facts.sets.get_key_value(&key)
                        && set.uid == owner.uid
                    {
                        return Some(key);
                    }
                }
                OwnerKind::Pod => next.extend(facts.pods.get(&key).into_iter().flat_map(|pod| &pod.owners)),
                OwnerKind::Other => {}
            }
        }
        if next.is_empty() {
            return None;
        }
        at = next;
    }
    None
}

/// Every reference that leads nowhere or in a circle.
pub fn audit(facts: &Facts) -> Vec<Finding> {
    let claims = facts.claims.iter().map(|(key, fact)| (FactKind::Claim, key, fact.owners.as_slice()));
    let pods = facts.pods.iter().map(|(key, fact)| (FactKind::Pod, key, fact.owners.as_slice()));
    let sets = facts.sets.iter().map(|(key, fact)| (FactKind::StatefulSet, key, fact.owners.as_slice()));
    claims.chain(pods).chain(sets).flat_map(|(kind, key, owners)| audit_one(facts, kind, key, owners)).collect()
}

fn audit_one(facts: &Facts, kind: FactKind, object: &ObjectKey, owners: &[OwnerFact]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for owner in owners.iter().filter(|owner| owner.kind != OwnerKind::Other) {
        if target(facts, object, owner).is_none() {
            let owner = format!("{} {}", kind_of(owner.kind), owner.name);
            findings.push(Finding::DanglingOwner { kind, object: object.clone(), owner });
        }
    }
    if in_circle(facts, kind, object, owners) {
        findings.push(Finding::CyclicOwners { kind, object: object.clone() });
    }
    findings
}

fn kind_of(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::StatefulSet => FactKind::StatefulSet.as_str(),
        OwnerKind::Pod => FactKind::Pod.as_str(),
        OwnerKind::Other => "object",
    }
}

/// The owner that is meant, when it is there and still the same one.
fn target<'a>(
    facts: &'a Facts,
    of: &ObjectKey,
    owner: &OwnerFact,
) -> Option<(FactKind, &'a ObjectKey, &'a [OwnerFact])> {
    let key = ObjectKey { namespace: of.namespace.clone(), name: owner.name.clone() };
    match owner.kind {
        OwnerKind::StatefulSet => facts
            .sets
            .get_key_value(&key)
            .filter(|(_, set)| set.uid == owner.uid)
            .map(|(key, set)| (FactKind::StatefulSet, key, set.owners.as_slice())),
        OwnerKind::Pod => facts
            .pods
            .get_key_value(&key)
            .filter(|(_, pod)| pod.uid == owner.uid)
            .map(|(key, pod)| (FactKind::Pod, key, pod.owners.as_slice())),
        OwnerKind::Other => None,
    }
}

fn in_circle(facts: &Facts, kind: FactKind, object: &ObjectKey, owners: &[OwnerFact]) -> bool {
    let mut at: Vec<(&ObjectKey, &OwnerFact)> = owners.iter().map(|owner| (object, owner)).collect();
    for _ in 0..CHAIN_MAX {
        let mut next = Vec::new();
        for (of, owner) in at {
            let Some((owner_kind, key, owners)) = target(facts, of, owner) else { continue };
            if owner_kind == kind && key == object {
                return true;
            }
            next.extend(owners.iter().map(|owner| (key, owner)));
        }
        next.truncate(CHAIN_MAX * CHAIN_MAX);
        if next.is_empty() {
            return false;
        }
        at = next;
    }
    false
}
