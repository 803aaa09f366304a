//! What is known of the cluster's workloads, indexed by the questions that decisions ask.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{GroupKey, Namespace, PodName, PodUid};

use crate::coverage::{announces_hook, covers_pod};
use crate::grouping::group_of;
use crate::objects::{AskedCut, Backup, Claim, Cut, ObjectKey, Owner, Pod, PodKey, PodPhase, StatefulSet, Volume};

/// Cuts of one claim that are remembered. One is of the running round; older ones only bridge a restart.
const CUTS_PER_CLAIM_MAX: usize = 4;

/// Workloads, volumes, Backups and cuts as last seen. What there may be 100,000 of is kept small: a tree's node of 11 places is mostly
/// half empty, so what is long stands beside it, and each name stands once.
#[derive(Clone, Debug, Default)]
pub struct World {
    pods: BTreeMap<PodKey, Box<Pod>>,
    /// Names, sorted: the namespace is the group's.
    by_group: BTreeMap<GroupKey, Vec<PodName>>,
    claims: BTreeMap<ObjectKey, KnownClaim>,
    ebs_volumes: BTreeSet<Box<str>>,
    stateful_sets: BTreeMap<ObjectKey, StatefulSet>,
    backups: BTreeMap<ObjectKey, Backup>,
    cuts: BTreeMap<ObjectKey, BTreeMap<String, Cut>>,
    /// The newest few that were asked for, by claim, the newest last.
    asked_cuts: BTreeMap<ObjectKey, Vec<AskedCut>>,
}

/// A claim that is there, or that a pod names.
#[derive(Clone, Debug, Default)]
struct KnownClaim {
    volume: Option<Box<str>>,
    /// Pods of its namespace that use it, sorted; mostly one.
    users: Box<[PodName]>,
}

impl World {
    /// Fills the trees' nodes: what comes in order, as a list does, leaves them half empty.
    pub fn pack(&mut self) {
        self.pods = std::mem::take(&mut self.pods).into_iter().collect();
        self.claims = std::mem::take(&mut self.claims).into_iter().collect();
        self.ebs_volumes = std::mem::take(&mut self.ebs_volumes).into_iter().collect();
        self.by_group.values_mut().for_each(Vec::shrink_to_fit);
    }

    /// Takes a pod as it is now; gives the group it left, if it left one.
    pub fn put_pod(&mut self, pod: Pod) -> Option<GroupKey> {
        let left = self.remove_pod(&pod.key);
        if let Some(group) = group_of(&pod) {
            let names = self.by_group.entry(group).or_default();
            if let Err(at) = names.binary_search(&pod.key.name) {
                names.insert(at, pod.key.name.clone());
            }
        }
        for claim in &pod.claims {
            let users = &mut self.claims.entry(claim_key(&pod, claim)).or_default().users;
            if let Err(at) = users.binary_search(&pod.key.name) {
                let (before, after) = users.split_at(at);
                *users = before.iter().chain([&pod.key.name]).chain(after).cloned().collect();
            }
        }
        self.pods.insert(pod.key.clone(), Box::new(pod));
        left
    }

    /// Forgets a pod; gives the group it was in.
    pub fn remove_pod(&mut self, key: &PodKey) -> Option<GroupKey> {
        let pod = self.pods.remove(key)?;
        for claim in &pod.claims {
            let claim = claim_key(&pod, claim);
            if let Some(known) = self.claims.get_mut(&claim) {
                known.users = known.users.iter().filter(|user| **user != key.name).cloned().collect();
                self.drop_unknown_claim(&claim);
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

    /// Takes a claim as it is now.
    pub fn put_claim(&mut self, claim: Claim) {
        let Claim { key, volume } = claim;
        self.claims.entry(key).or_default().volume = volume.map(String::into_boxed_str);
    }

    /// Forgets a claim, and the cuts of it.
    pub fn remove_claim(&mut self, key: &ObjectKey) {
        if let Some(known) = self.claims.get_mut(key) {
            known.volume = None;
            self.drop_unknown_claim(key);
        }
        self.cuts.remove(key);
        self.asked_cuts.remove(key);
    }

    fn drop_unknown_claim(&mut self, key: &ObjectKey) {
        if self.claims.get(key).is_some_and(|known| known.volume.is_none() && known.users.is_empty()) {
            self.claims.remove(key);
        }
    }

    /// Takes a volume as it is now.
    pub fn put_volume(&mut self, volume: Volume) {
        if volume.ebs {
            self.ebs_volumes.insert(volume.name.into_boxed_str());
        } else {
            self.remove_volume(&volume.name);
        }
    }

    /// Forgets a volume.
    pub fn remove_volume(&mut self, name: &str) {
        self.ebs_volumes.remove(name);
    }

    /// Takes a StatefulSet as it is now.
    pub fn put_stateful_set(&mut self, set: StatefulSet) {
        self.stateful_sets.insert(set.key.clone(), set);
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
        self.pods.get(key).map(Box::as_ref)
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values().map(Box::as_ref)
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
        let known = self.claims.get_key_value(claim).into_iter();
        known.flat_map(|(claim, known)| self.named(&claim.namespace, &known.users))
    }

    /// The pod's claims that are bound to EBS volumes.
    pub fn ebs_claims(&self, pod: &Pod) -> BTreeSet<ObjectKey> {
        pod.claims
            .iter()
            .map(|claim| claim_key(pod, claim))
            .filter(|key| {
                let volume = self.claims.get(key).and_then(|claim| claim.volume.as_ref());
                volume.is_some_and(|volume| self.ebs_volumes.contains(volume))
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
            .filter(|pod| pod.phase != PodPhase::Ended && !pod.deleting)
            .filter(move |pod| backup.is_none_or(|backup| covers_pod(backup, pod)))
    }

    /// The running pods, by group, whose hooks the Backup is to run our agent by.
    pub fn announced(&self, backup: &Backup) -> BTreeMap<GroupKey, Vec<(PodKey, PodUid)>> {
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

    /// The mode that a person wrote onto the group's pods or the StatefulSet that owns them: object and text.
    pub fn mode_annotation(&self, group: &GroupKey) -> Option<(String, String)> {
        self.annotation(group, |pod| pod.mode.as_deref().map(str::to_owned), |set| set.mode.clone())
    }

    /// What a person wrote onto the group's pods or the StatefulSet that owns them: object and text.
    pub fn annotation(
        &self,
        group: &GroupKey,
        of_pod: impl Fn(&Pod) -> Option<String>,
        of_set: impl Fn(&StatefulSet) -> Option<String>,
    ) -> Option<(String, String)> {
        self.pods_of(group).find_map(|pod| {
            if let Some(text) = of_pod(pod) {
                return Some((format!("pod {}", pod.key), text));
            }
            let Some(Owner::StatefulSet(name)) = &pod.owner else { return None };
            let set =
                self.stateful_sets.get(&ObjectKey { namespace: pod.key.namespace.clone(), name: name.to_string() })?;
            of_set(set).map(|text| (format!("statefulset {}", set.key), text))
        })
    }
}

fn claim_key(pod: &Pod, claim: &str) -> ObjectKey {
    ObjectKey { namespace: pod.key.namespace.clone(), name: claim.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bind, group, grouped_pod};
    use proptest::prelude::*;

    #[test]
    fn weight_counts_each_ebs_volume_once() {
        let mut world = World::default();
        world.put_pod(grouped_pod("prod", "db-0", "g", &["a", "shared"]));
        world.put_pod(grouped_pod("prod", "db-1", "g", &["b", "shared", "nfs", "unbound"]));
        for claim in ["a", "b", "shared"] {
            bind(&mut world, "prod", claim, true);
        }
        bind(&mut world, "prod", "nfs", false);
        assert_eq!(world.weight(&group("prod", "g")), 3);
        world.remove_volume("pv-prod-a");
        assert_eq!(world.weight(&group("prod", "g")), 2);
    }

    #[test]
    fn the_newest_cuts_that_were_asked_for_are_remembered() {
        let claim = ObjectKey { namespace: "prod".parse().unwrap(), name: "data".to_owned() };
        let asked = |i: usize| AskedCut {
            claim: claim.clone(),
            snapshot: format!("s-{i}"),
            backup: (i != 1).then(|| format!("b-{i}")),
        };
        let mut world = World::default();
        assert!(!world.is_cut_asked(&claim, None));
        world.put_asked_cut(asked(0));
        assert!(world.is_cut_asked(&claim, None) && world.is_cut_asked(&claim, Some("b-0")));
        assert!(!world.is_cut_asked(&claim, Some("b-9")));
        world.put_asked_cut(asked(1));
        assert!(world.is_cut_asked(&claim, Some("b-9")), "a snapshot without a Backup's name may be of any");
        for i in 2..=CUTS_PER_CLAIM_MAX + 1 {
            // Seen again and again, it counts once.
            world.put_asked_cut(asked(i));
            world.put_asked_cut(asked(i));
        }
        assert!(!world.is_cut_asked(&claim, Some("b-0")) && world.is_cut_asked(&claim, Some("b-2")));
        world.remove_claim(&claim);
        assert!(!world.is_cut_asked(&claim, None));
    }

    proptest! {
        /// Whatever comes and goes, the indexes say what a scan of all pods would say.
        #[test]
        fn indexes_agree_with_a_scan(ops in prop::collection::vec((0u8..3, 0u8..4, 0u8..3), 0..60)) {
            let mut world = World::default();
            for (op, pod, g) in ops {
                let name = format!("p-{pod}");
                if op == 0 {
                    world.remove_pod(&grouped_pod("prod", &name, "x", &[]).key);
                } else {
                    world.put_pod(grouped_pod("prod", &name, &format!("g{g}"), &[&format!("c{g}")]));
                }
            }
            for g in 0..3 {
                let key = group("prod", &format!("g{g}"));
                let scan: Vec<_> = world.pods().filter(|p| group_of(p).as_ref() == Some(&key)).map(|p| p.key.clone()).collect();
                let indexed: Vec<_> = world.pods_of(&key).map(|p| p.key.clone()).collect();
                prop_assert_eq!(scan, indexed);
            }
        }
    }
}
