//! Which StatefulSet owns a claim by its ownerReferences, and which references lead nowhere or in a circle.

use shared::identity::{Namespace, PodName};

use super::facts::{FactKind, Facts};
use super::finding::Finding;
use crate::objects::{ObjectKey, OwnerKind, OwnerRef, Pod, PodKey};

/// Longer chains of Pods and StatefulSets than this are no real cluster's: claim → pod → set is three.
const CHAIN_MAX: usize = 8;

/// The StatefulSet that owns a claim, directly or through its pod (claims of a retention policy, generic ephemeral volumes).
pub fn set_of_claim<'a>(facts: &'a Facts, claim: &ObjectKey) -> Option<&'a ObjectKey> {
    let fact = facts.claims.get(claim)?;
    let mut at: Vec<&OwnerRef> = fact.marks.owners.iter().collect();
    for _ in 0..CHAIN_MAX {
        let mut next = Vec::new();
        for owner in at {
            match owner.kind {
                OwnerKind::StatefulSet => {
                    let key = ObjectKey { namespace: claim.namespace.clone(), name: owner.name.to_string() };
                    if let Some((key, set)) = facts.sets.get_key_value(&key)
                        && set.uid == owner.uid
                    {
                        return Some(key);
                    }
                }
                OwnerKind::Pod => {
                    next.extend(pod(facts, &claim.namespace, &owner.name).into_iter().flat_map(Pod::owners));
                }
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

fn pod<'a>(facts: &'a Facts, namespace: &Namespace, name: &str) -> Option<&'a Pod> {
    facts.pods.get(&PodKey { namespace: namespace.clone(), name: PodName::new(name).ok()? })
}

/// An object that has owners.
#[derive(Clone, Copy)]
struct Owned<'a> {
    kind: FactKind,
    namespace: &'a Namespace,
    name: &'a str,
    owners: &'a [OwnerRef],
}

impl Owned<'_> {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.namespace.clone(), name: self.name.to_owned() }
    }

    fn is(&self, other: &Owned<'_>) -> bool {
        (self.kind, self.namespace, self.name) == (other.kind, other.namespace, other.name)
    }
}

fn of_key<'a>(kind: FactKind, key: &'a ObjectKey, owners: &'a [OwnerRef]) -> Owned<'a> {
    Owned { kind, namespace: &key.namespace, name: &key.name, owners }
}

fn of_pod(pod: &Pod) -> Owned<'_> {
    let PodKey { namespace, name } = &pod.key;
    Owned { kind: FactKind::Pod, namespace, name: name.as_str(), owners: pod.owners() }
}

/// Every reference that leads nowhere or in a circle.
pub fn audit(facts: &Facts) -> Vec<Finding> {
    let claims = facts.claims.iter().map(|(key, claim)| of_key(FactKind::Claim, key, &claim.marks.owners));
    let sets = facts.sets.iter().map(|(key, set)| of_key(FactKind::StatefulSet, key, &set.owners));
    let all = claims.chain(facts.pods.values().map(of_pod)).chain(sets);
    all.filter(|object| !object.owners.is_empty()).flat_map(|object| audit_one(facts, object)).collect()
}

fn audit_one(facts: &Facts, object: Owned<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for owner in object.owners.iter().filter(|owner| owner.kind != OwnerKind::Other) {
        if target(facts, object.namespace, owner).is_none() {
            let owner = format!("{} {}", kind_of(owner.kind), owner.name);
            findings.push(Finding::DanglingOwner { kind: object.kind, object: object.key(), owner });
        }
    }
    if in_circle(facts, object) {
        findings.push(Finding::CyclicOwners { kind: object.kind, object: object.key() });
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
fn target<'a>(facts: &'a Facts, namespace: &Namespace, owner: &OwnerRef) -> Option<Owned<'a>> {
    match owner.kind {
        OwnerKind::StatefulSet => {
            let key = ObjectKey { namespace: namespace.clone(), name: owner.name.to_string() };
            let (key, set) = facts.sets.get_key_value(&key).filter(|(_, set)| set.uid == owner.uid)?;
            Some(of_key(FactKind::StatefulSet, key, &set.owners))
        }
        OwnerKind::Pod => pod(facts, namespace, &owner.name).filter(|pod| pod.uid == owner.uid).map(of_pod),
        OwnerKind::Other => None,
    }
}

fn in_circle(facts: &Facts, object: Owned<'_>) -> bool {
    let mut at: Vec<&OwnerRef> = object.owners.iter().collect();
    for _ in 0..CHAIN_MAX {
        let mut next = Vec::new();
        // Owners are of the object's own namespace, all along the chain.
        for found in at.into_iter().filter_map(|owner| target(facts, object.namespace, owner)) {
            if found.is(&object) {
                return true;
            }
            next.extend(found.owners);
        }
        next.truncate(CHAIN_MAX * CHAIN_MAX);
        if next.is_empty() {
            return false;
        }
        at = next;
    }
    false
}
