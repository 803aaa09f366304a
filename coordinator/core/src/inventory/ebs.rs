//! Which claims hold an EBS volume, and what is wrong between claims and volumes.

use std::collections::BTreeMap;

use super::facts::{FactKind, Facts};
use super::finding::Finding;
use crate::objects::ObjectKey;

/// The EBS volume behind a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EbsClaim<'a> {
    /// The PersistentVolume's name.
    pub volume: &'a str,
    /// The EBS volume's id, where it is said.
    pub ebs_id: Option<&'a str>,
}

/// The claims that hold an EBS volume, each volume once.
pub fn ebs_claims<'a>(facts: &'a Facts, findings: &mut Vec<Finding>) -> BTreeMap<&'a ObjectKey, EbsClaim<'a>> {
    let mut claims = BTreeMap::new();
    let mut claimed: BTreeMap<&str, &ObjectKey> = BTreeMap::new();
    let mut missing = 0_usize;
    for (key, claim) in facts.claims.iter() {
        let Some(name) = claim.volume.as_deref() else {
            findings.push(Finding::ClaimWithoutVolume { claim: key.clone() });
            continue;
        };
        let Some(volume) = facts.volumes.get(name) else {
            missing += 1;
            if !facts.volumes.is_empty() {
                findings.push(Finding::VolumeMissing { claim: key.clone(), volume: name.to_owned() });
            }
            continue;
        };
        if let Some(counted) = claimed.get(name) {
            let (counted, other) = ((*counted).clone(), key.clone());
            findings.push(Finding::VolumeClaimedTwice { volume: name.to_owned(), counted, other });
            continue;
        }
        claimed.insert(name, key);
        if volume.ebs {
            claims.insert(key, EbsClaim { volume: name, ebs_id: volume.ebs_id.as_deref() });
        }
    }
    if missing > 0 && facts.volumes.is_empty() {
        findings.push(Finding::KindMissing { kind: FactKind::Volume });
    }
    unclaimed(facts, &claimed, findings);
    claims
}

fn unclaimed(facts: &Facts, claimed: &BTreeMap<&str, &ObjectKey>, findings: &mut Vec<Finding>) {
    if facts.claims.is_empty() && facts.volumes.values().any(|volume| volume.ebs && volume.claim.is_some()) {
        findings.push(Finding::KindMissing { kind: FactKind::Claim });
        return;
    }
    let free = facts.volumes.iter().filter(|(name, volume)| volume.ebs && !claimed.contains_key(name));
    findings.extend(free.map(|(name, _)| Finding::VolumeWithoutClaim { volume: name.to_owned() }));
}
