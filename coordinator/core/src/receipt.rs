//! A round's receipt, put together from its parts and the cuts that were seen.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{GroupKey, PodName};
use shared::receipt::{CutReceipt, CutWay, FAILURE_CHARS_KEPT, MemberEnd, MemberReceipt, Receipt};

use crate::judge::{Evidence, judge, quiesce_skew_ms, skew_ms};
use crate::objects::{Cut, ObjectKey};
use crate::round::{Part, Round};
use crate::state::State;
use crate::time::Now;

/// The EBS claims of each pod.
pub(crate) type ClaimsOf = BTreeMap<PodName, BTreeSet<ObjectKey>>;

/// So long after the last hook of a round a snapshot that was asked for is known here, ms. Velero creates it seconds before post runs,
/// and a watch shows it within one; the rest is for a slow API server. One that comes later still is found in no receipt, which then claims less.
const CUT_UNASKED_MS: u64 = 3_000;

impl State {
    /// Whether no further cut is to come of the pods that took part: of every EBS volume one was seen, or can be seen by nobody. Nobody
    /// sees one where the cluster has no snapshots, and where none was asked for, though Velero is done with the pod: it cuts by
    /// itself then (native snapshots), or not at all.
    pub(crate) fn cuts_settled(&self, key: &GroupKey, round: &Round, now: Now) -> bool {
        if !self.settings.cuts_visible {
            return true;
        }
        let claims = self.claims_of(key);
        let done_long_ago = now.mono.ms_since(round.last_active) >= CUT_UNASKED_MS;
        let backup = round.backup.as_ref().map(|backup| backup.name.as_str());
        round.parts.iter().all(|(pod, part)| {
            let unasked = |claim: &ObjectKey| {
                done_long_ago && part.end == Some(MemberEnd::Done) && !self.world.is_cut_asked(claim, backup)
            };
            let mut claims = claims.get(pod).into_iter().flatten();
            claims.all(|claim| self.cut_of(round, claim).is_some() || unasked(claim))
        })
    }

    /// The round's cut of a claim: that of its Backup; where no Backup is known, the first that is not older than the round.
    fn cut_of(&self, round: &Round, claim: &ObjectKey) -> Option<&Cut> {
        let of_round = |cut: &&Cut| {
            if let (Some(backup), Some(of)) = (&round.backup, &cut.backup) {
                return backup.name == *of;
            }
            let slack_ms = cut.resolution_ms.saturating_add(self.settings.clock_error_ms);
            cut.at.plus_ms(i64::try_from(slack_ms).unwrap_or(i64::MAX)) >= round.opened_at
        };
        self.world.cuts_of(claim).filter(of_round).min_by_key(|cut| cut.at)
    }

    /// How the round's volumes were cut, as far as the snapshots that were asked for show it.
    fn way_of(&self, round: &Round, claims: &ClaimsOf) -> Option<CutWay> {
        let key = round.backup.as_ref().filter(|_| self.settings.cuts_visible)?;
        let mut of_parts = round.parts.keys().filter_map(|pod| claims.get(pod)).flatten();
        if !of_parts.any(|claim| self.world.is_cut_asked(claim, Some(&key.name))) {
            return Some(CutWay::Unseen);
        }
        Some(if self.in_one_block(round) { CutWay::CsiOneBlock } else { CutWay::CsiOwnBlocks })
    }

    /// Whether the Backup lists all pods that took part in its `orderedResources`: Velero runs all their pre hooks before it cuts any of them.
    pub(crate) fn in_one_block(&self, round: &Round) -> bool {
        let Some(backup) = round.backup.as_ref().and_then(|key| self.world.backup(key)) else { return false };
        let listed =
            |part: &Part| backup.ordered_pods.contains(&format!("{}/{}", part.lease.namespace, part.lease.pod));
        round.parts.len() > 1 && round.parts.values().all(listed)
    }

    /// What the round can prove about itself now.
    pub(crate) fn receipt(&self, key: &GroupKey, round: &Round, weight: u32, now: Now) -> Receipt {
        let mut claims = self.claims_of(key);
        for (pod, known) in &round.claims {
            claims.entry(pod.clone()).or_insert_with(|| known.clone());
        }
        let backup = round.backup.as_ref().and_then(|key| self.world.backup(key));
        let expected = self.world.expected(key, backup).map(|pod| pod.key.name.clone());
        // Who was admitted and went with its Lease before this process began: Velero may have cut it, and nobody can tell how it was held.
        let forgotten = round.forgotten();
        let pods: BTreeSet<PodName> =
            expected.chain(round.parts.keys().cloned()).chain(forgotten.iter().cloned()).collect();
        let mut uncut = Vec::new();
        let mut members = Vec::new();
        for pod in pods {
            let of_pod = claims.get(&pod).cloned().unwrap_or_default();
            let cuts: Vec<CutReceipt> =
                of_pod.iter().filter_map(|claim| self.cut_of(round, claim)).map(cut_receipt).collect();
            uncut.push(of_pod.len() - cuts.len());
            let part = round.parts.get(&pod);
            let unheld = part.is_some_and(|part| round.is_unheld(part));
            let mut member = MemberReceipt { unheld, ..member_receipt(pod.clone(), part, of_pod.len(), cuts) };
            if forgotten.contains(&pod) {
                member.end = MemberEnd::PodGone;
            }
            members.push(member);
        }
        let evidence: Vec<Evidence<'_>> =
            members.iter().zip(uncut).map(|(member, uncut)| Evidence { member, uncut }).collect();
        let (verdict, why) = judge(&evidence, self.settings.clock_error_ms, round.policy.frozen_max);
        let skew_ms = skew_ms(&evidence);
        let clock_error_ms = self.settings.clock_error_ms;
        let quiesce_skew_ms = quiesce_skew_ms(&evidence, clock_error_ms);
        Receipt {
            namespace: key.namespace.clone(),
            group: key.group.clone(),
            epoch: round.epoch,
            backup: round.backup.as_ref().map(|backup| backup.name.clone()),
            mode: round.mode,
            way: self.way_of(round, &claims),
            degraded: round.degraded,
            weight,
            opened_at: round.opened_at,
            closed_at: now.wall,
            members,
            members_omitted: 0,
            earlier_rounds: None,
            frozen_max: round.policy.frozen_max,
            quiesce_skew_ms,
            clock_error_ms: Some(clock_error_ms),
            skew_ms,
            verdict,
            why,
        }
    }
}

fn cut_receipt(cut: &Cut) -> CutReceipt {
    CutReceipt { claim: cut.claim.name.clone(), at: cut.at, resolution_ms: cut.resolution_ms }
}

fn member_receipt(pod: PodName, part: Option<&Part>, volumes: usize, cuts: Vec<CutReceipt>) -> MemberReceipt {
    let lease = part.map(|part| &part.lease);
    let quiesced_at = lease.and_then(shared::member_lease::MemberLease::proven_quiesced_at);
    let waited =
        |lease: &shared::member_lease::MemberLease| u64::try_from(quiesced_at?.ms_since(lease.registered_at)).ok();
    MemberReceipt {
        pod,
        volumes: u32::try_from(volumes).unwrap_or(u32::MAX),
        end: part.map_or(MemberEnd::NeverArrived, |part| part.end.unwrap_or(MemberEnd::Open)),
        admission: lease.and_then(|lease| lease.admission),
        waited_ms: lease.and_then(waited),
        quiesced_at,
        // A hook that never held still has nothing to let go, whatever its post hook wrote.
        thawed_at: quiesced_at.and(lease.and_then(|lease| lease.thawed_at)),
        steady_ms: quiesced_at.and(lease.filter(|lease| lease.thawed_at.is_some()).and_then(|lease| lease.steady.ms())),
        let_go: quiesced_at.and(lease.and_then(|lease| lease.let_go)),
        unheld: false,
        failure: lease.and_then(|lease| lease.failure.as_ref()).map(|f| f.chars().take(FAILURE_CHARS_KEPT).collect()),
        cuts,
    }
}
