//! What is known of the cluster's workloads, indexed by the questions that decisions ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::identity::{GroupKey, Namespace, PodName};

use crate::by_key::ByKey;
use crate::coverage::{announces_hook, covers_pod};
use crate::grouping::group_of;
use crate::inventory::facts::Facts;
use crate::objects::{
    AskedCut, Backup, Claim, ClaimMarks, Cut, ObjectKey, Owner, Pattern, Pod, PodKey, PodPhase, StatefulSet, Volume,
    name_print,
};
use crate::sharing::Sharing;
use crate::uid::Uid;

/// Cuts of one claim that are remembered. One is of the running round; older ones only bridge a restart.
const CUTS_PER_CLAIM_MAX: usize = 4;

/// Workloads, volumes, Backups and cuts as last seen. What there may be 100,000 of is kept small: each name stands once, as far as it
/// can, and what many objects say alike is theirs together.
#[derive(Clone, Debug, Default)]
pub struct World {
    pods: ByKey<Pod>,
    /// Pods that the operator left to others: nothing is decided about them, but a plan must know whose claims are theirs.
    outside: ByKey<Pod>,
    /// Names, sorted: the namespace is the group's.
    by_group: BTreeMap<GroupKey, Vec<PodName>>,
    claims: ByKey<Claim>,
    /// Pods by the [`name_print`] of the claims that they use, sorted; mostly one. They are of the claim's namespace.
    users: BTreeMap<u64, Box<[PodName]>>,
    volumes: ByKey<Volume>,
    stateful_sets: ByKey<StatefulSet>,
    backups: BTreeMap<ObjectKey, Backup>,
    cuts: BTreeMap<ObjectKey, BTreeMap<String, Cut>>,
    /// The newest few that were asked for, by claim, the newest last.
    asked_cuts: BTreeMap<ObjectKey, Vec<AskedCut>>,
    namespaces: Sharing<Namespace>,
    patterns: Sharing<Arc<Pattern>>,
    marks: Sharing<Arc<ClaimMarks>>,
}

impl World {
    /// Fills the trees' nodes: what comes in order, as a list does, leaves them half empty.
    pub fn pack(&mut self) {
        self.pods.pack();
        self.claims.pack();
        self.volumes.pack();
        self.users = std::mem::take(&mut self.users).into_iter().collect();
        self.by_group.values_mut().for_each(Vec::shrink_to_fit);
    }

    /// What there is to back up, as it is now. The objects are shared, not copied: it takes some bytes and some time for each.
    pub fn facts(&self) -> Facts {
        let mut pods = self.pods.clone();
        pods.extend(&self.outside);
        Facts {
            pods,
            claims: self.claims.clone(),
            volumes: self.volumes.clone(),
            sets: self.stateful_sets.clone(),
            ..Facts::default()
        }
    }

    /// Takes a pod as it is now; gives the group it left, if it left one.
    pub fn put_pod(&mut self, pod: Pod) -> Option<GroupKey> {
        let pod = self.shared_pod(pod);
        self.outside.remove(&pod.key);
        let left = self.remove_pod(&pod.key);
        if let Some(group) = group_of(&pod) {
            let names = self.by_group.entry(group).or_default();
            if let Err(at) = names.binary_search(&pod.key.name) {
                names.insert(at, pod.key.name.clone());
            }
        }
        for claim in pod.claims() {
            let users = self.users.entry(name_print(pod.key.namespace.as_str(), &claim)).or_default();
            if let Err(at) = users.binary_search(&pod.key.name) {
                let (before, after) = users.split_at(at);
                *users = before.iter().chain([&pod.key.name]).chain(after).cloned().collect();
            }
        }
        self.pods.put(pod);
        left
    }

    /// Takes a pod that the operator left to others; gives the group it was in.
    pub fn put_outside(&mut self, pod: Pod) -> Option<GroupKey> {
        let pod = self.shared_pod(pod);
        let left = self.remove_pod(&pod.key);
        self.outside.put(pod);
        left
    }

    fn shared_pod(&mut self, mut pod: Pod) -> Pod {
        let objects = self.pods.len() + self.outside.len();
        pod.key.namespace = self.namespaces.kept(pod.key.namespace.clone(), objects);
        if let Some(known) = self.pods.get(&pod.key).or_else(|| self.outside.get(&pod.key)) {
            pod.key.name = known.key.name.clone();
        }
        pod.share(self.patterns.kept(Arc::clone(pod.pattern()), objects));
        pod
    }

    /// Forgets a pod; gives the group it was in.
    pub fn remove_pod(&mut self, key: &PodKey) -> Option<GroupKey> {
        self.outside.remove(key);
        let pod = self.pods.remove(key)?;
        for claim in pod.claims() {
            let print = name_print(key.namespace.as_str(), &claim);
            if let Some(users) = self.users.get_mut(&print) {
                *users = users.iter().filter(|user| **user != key.name).cloned().collect();
                if users.is_empty() {
                    self.users.remove(&print);
                }
            }
        }
        let group = group_of(&pod)?;
        if let Some(names) = self.by_group.get_mut(&group) {
            names.retain(|name| *name != key.name);
            if names.is_empty() {
                self.by_group.remove(&group);
            }
        }
        Some(group)
    }

    /// The pods with these [`name_print`]s.
    pub fn pods_printed(&self, prints: &BTreeSet<u64>) -> Vec<PodKey> {
        let all = self.pods.keys().chain(self.outside.keys());
        let printed = |key: &&PodKey| prints.contains(&name_print(key.namespace.as_str(), key.name.as_str()));
        all.filter(printed).cloned().collect()
    }

    /// Takes a claim as it is now.
    pub fn put_claim(&mut self, mut claim: Claim) {
        claim.key.namespace = self.namespaces.kept(claim.key.namespace.clone(), self.claims.len());
        claim.marks = self.marks.kept(Arc::clone(&claim.marks), self.claims.len());
        if let Some(volume) = claim.volume.as_deref().and_then(|name| self.volumes.get(name)) {
            claim.volume = Some(Arc::clone(&volume.name));
        }
        self.claims.put(claim);
    }

    /// Forgets a claim, and the cuts of it.
    pub fn remove_claim(&mut self, key: &ObjectKey) {
        self.claims.remove(key);
        self.cuts.remove(key);
        self.asked_cuts.remove(key);
    }

    /// The claims with these [`name_print`]s.
    pub fn claims_printed(&self, prints: &BTreeSet<u64>) -> Vec<ObjectKey> {
        let printed = |key: &&ObjectKey| prints.contains(&name_print(key.namespace.as_str(), &key.name));
        self.claims.keys().filter(printed).cloned().collect()
    }

    /// Takes a volume as it is now.
    pub fn put_volume(&mut self, mut volume: Volume) {
        if let Some(claim) = &mut volume.claim {
            claim.namespace = self.namespaces.kept(claim.namespace.clone(), self.volumes.len());
            let bound = self.claims.get(claim).and_then(|claim| claim.volume.as_ref());
            if let Some(name) = bound.filter(|name| **name == volume.name) {
                volume.name = Arc::clone(name);
            }
        }
        self.volumes.put(volume);
    }

    /// Forgets a volume.
    pub fn remove_volume(&mut self, name: &str) {
        self.volumes.remove(name);
    }

    /// The volumes with these [`name_print`]s.
    pub fn volumes_printed(&self, prints: &BTreeSet<u64>) -> Vec<String> {
        self.volumes.keys().filter(|name| prints.contains(&name_print("", name))).map(str::to_owned).collect()
    }

    /// Takes a StatefulSet as it is now.
    pub fn put_stateful_set(&mut self, set: StatefulSet) {
        self.stateful_sets.put(set);
    }

    /// Forgets a StatefulSet.
    pub fn remove_stateful_set(&mut self, key: &ObjectKey) {
        self.stateful_sets.remove(key);
    }

    /// Takes a Backup as it is now.
    pub fn put_backup(&mut self, backup: Backup) {
        self.backups.insert(backup.key.clone(), backup);
    }

    /// Forgets a Backup.
    pub fn remove_backup(&mut self, key: &ObjectKey) {
        self.backups.remove(key);
    }

    /// Remembers that a cut was asked for; of one claim the newest few.
    pub fn put_asked_cut(&mut self, asked: AskedCut) {
        let of_claim = self.asked_cuts.entry(asked.claim.clone()).or_default();
        of_claim.retain(|known| known.snapshot != asked.snapshot);
        of_claim.push(asked);
        if of_claim.len() > CUTS_PER_CLAIM_MAX {
            of_claim.remove(0);
        }
    }

    /// Remembers a cut; of one claim the newest few.
    pub fn put_cut(&mut self, cut: Cut) {
        let of_claim = self.cuts.entry(cut.claim.clone()).or_default();
        of_claim.insert(cut.snapshot.clone(), cut);
        while of_claim.len() > CUTS_PER_CLAIM_MAX {
            let oldest = of_claim.values().min_by_key(|c| c.at).map(|c| c.snapshot.clone());
            oldest.and_then(|snapshot| of_claim.remove(&snapshot));
        }
    }

    /// A pod by name.
    pub fn pod(&self, key: &PodKey) -> Option<&Pod> {
        self.pods.get(key)
    }

    /// A pod by name, also one that the operator left to others.
    pub fn any_pod(&self, key: &PodKey) -> Option<&Pod> {
        self.pod(key).or_else(|| self.outside.get(key))
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// The groups that have pods.
    pub fn groups(&self) -> impl Iterator<Item = &GroupKey> {
        self.by_group.keys()
    }

    /// The pods of a group, by name.
    pub fn pods_of<'a>(&'a self, group: &GroupKey) -> impl Iterator<Item = &'a Pod> + use<'a> {
        self.by_group.get_key_value(group).into_iter().flat_map(|(group, names)| self.named(&group.namespace, names))
    }

    fn named<'a>(&'a self, namespace: &'a Namespace, names: &'a [PodName]) -> impl Iterator<Item = &'a Pod> + use<'a> {
        names.iter().filter_map(|name| self.pod(&PodKey { namespace: namespace.clone(), name: name.clone() }))
    }

    /// A Backup by name.
    pub fn backup(&self, key: &ObjectKey) -> Option<&Backup> {
        self.backups.get(key)
    }

    /// All Backups.
    pub fn backups(&self) -> impl Iterator<Item = &Backup> {
        self.backups.values()
    }

    /// The pods that a claim's change concerns.
    pub fn pods_using_claim<'a>(&'a self, claim: &ObjectKey) -> impl Iterator<Item = &'a Pod> + use<'a> {
        let namespace = claim.namespace.clone();
        let users = self.users.get(&name_print(namespace.as_str(), &claim.name)).into_iter().flatten();
        users.filter_map(move |name| self.pod(&PodKey { namespace: namespace.clone(), name: name.clone() }))
    }

    /// The pod's claims that are bound to EBS volumes.
    pub fn ebs_claims(&self, pod: &Pod) -> BTreeSet<ObjectKey> {
        let namespace = &pod.key.namespace;
        pod.claims()
            .map(|name| ObjectKey { namespace: namespace.clone(), name })
            .filter(|key| {
                let volume = self.claims.get(key).and_then(|claim| self.volumes.get(claim.volume.as_deref()?));
                volume.is_some_and(|volume| volume.ebs)
            })
            .collect()
    }

    /// The cuts of a claim that are remembered.
    pub fn cuts_of<'a>(&'a self, claim: &ObjectKey) -> impl Iterator<Item = &'a Cut> + use<'a> {
        self.cuts.get(claim).into_iter().flat_map(BTreeMap::values)
    }

    /// The cuts of a claim that were asked for lately, the newest last.
    pub fn asked_cuts_of<'a>(&'a self, claim: &ObjectKey) -> impl Iterator<Item = &'a AskedCut> + use<'a> {
        self.asked_cuts.get(claim).into_iter().flatten()
    }

    /// Whether a cut of a claim was asked for in a Backup, as far as it is remembered; without a Backup's name, in any.
    pub fn is_cut_asked(&self, claim: &ObjectKey, backup: Option<&str>) -> bool {
        let asked = self.asked_cuts.get(claim).into_iter().flatten();
        // A snapshot that names no Backup may be of any.
        asked.into_iter().any(|asked| backup.is_none() || asked.backup.is_none() || asked.backup.as_deref() == backup)
    }

    /// What the group's grant counts: EBS volumes of its pods, each once.
    pub fn weight(&self, group: &GroupKey) -> u32 {
        let claims: BTreeSet<ObjectKey> = self
            .pods_of(group)
            .filter(|pod| pod.phase != PodPhase::Ended)
            .flat_map(|pod| self.ebs_claims(pod))
            .collect();
        u32::try_from(claims.len()).unwrap_or(u32::MAX)
    }

    /// The group's pods whose hooks Velero runs: live, not going, and covered by the Backup where it is known.
    pub fn expected<'a>(
        &'a self,
        group: &GroupKey,
        backup: Option<&'a Backup>,
    ) -> impl Iterator<Item = &'a Pod> + use<'a> {
        self.pods_of(group)
            .filter(|pod| pod.is_live())
            .filter(move |pod| backup.is_none_or(|backup| covers_pod(backup, pod)))
    }

    /// The running pods, by group, whose hooks the Backup is to run our agent by.
    pub fn announced(&self, backup: &Backup) -> BTreeMap<GroupKey, Vec<(PodKey, Uid)>> {
        let hooked = |pod: &&Pod| {
            pod.phase == PodPhase::Running && !pod.deleting && announces_hook(backup, pod) && covers_pod(backup, pod)
        };
        let of_group = |(group, names): (&GroupKey, &Vec<PodName>)| {
            let pods = self.named(&group.namespace, names).filter(hooked);
            let pods: Vec<_> = pods.map(|pod| (pod.key.clone(), pod.uid.clone())).collect();
            (!pods.is_empty()).then(|| (group.clone(), pods))
        };
        self.by_group.iter().filter_map(of_group).collect()
    }

    /// A StatefulSet by name.
    pub fn stateful_set(&self, key: &ObjectKey) -> Option<&StatefulSet> {
        self.stateful_sets.get(key)
    }

    /// What a person wrote onto the group's pods or the StatefulSet that owns them, by the annotation's name without the product's prefix:
    /// object and text.
    pub fn annotation(&self, group: &GroupKey, name: &str) -> Option<(String, String)> {
        self.pods_of(group).find_map(|pod| {
            if let Some(text) = pod.annotations.get(name) {
                return Some((format!("pod {}", pod.key), text.to_owned()));
            }
            let Some(Owner::StatefulSet(of)) = pod.owner() else { return None };
            let set = self.stateful_set(&ObjectKey { namespace: pod.key.namespace.clone(), name: of.to_string() })?;
            set.annotations.get(name).map(|text| (format!("statefulset {}", set.key), text.to_owned()))
        })
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
