//! How Velero is told to pick exactly a group's pods, claims and volumes, with nothing but label selectors.
//!
//! Velero has no filter by name, and one set of selectors goes for every kind (velero.io/docs, "Resource filtering"). Claims that a
//! pod uses, and their volumes, follow the pod; claims without a pod must be found by labels of their own.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{GroupKey, PodName};
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::coverage::selects;
use crate::inventory::facts::Facts;
use crate::inventory::finding::Finding;
use crate::inventory::labels::Labels;
use crate::inventory::{Group, LABEL_POD_NAME, Workload};
use crate::objects::{Claim, ObjectKey, Pod, PodKey, Requirement, Selector};

/// The selectors of which any may match, and what they cannot reach.
#[derive(Debug)]
pub struct Selection {
    /// Empty selects everything in the namespace.
    pub any_of: Vec<Selector>,
    /// Claims that no selector can pick alone.
    pub finding: Option<Finding>,
}

/// Pods with the group's label.
pub fn by_group_label(key: &GroupKey) -> Selector {
    vec![equals(LABEL_SNAPSHOT_GROUP, key.group.as_str())]
}

fn equals(key: &str, value: &str) -> Requirement {
    Requirement::In(key.to_owned(), BTreeSet::from([value.to_owned()]))
}

/// The group's pods in the order of their ordinals.
pub fn in_order(group: &Group) -> Vec<&str> {
    let mut pods: Vec<&str> = group.pods.keys().map(String::as_str).collect();
    pods.sort_by_key(|pod| match pod.rsplit_once('-') {
        Some((head, ordinal)) => (head, ordinal.parse::<u64>().unwrap_or(0), *pod),
        None => (*pod, 0, *pod),
    });
    pods
}

/// Picks a group.
pub fn select(facts: &Facts, key: &GroupKey, group: &Group, label_pods: bool) -> Selection {
    let place = Place { facts, key, group };
    let mut any_of = Vec::new();
    // What tells the group's pods from everything else, so that a second selector lists none of them twice: Velero
    // would run their hooks twice.
    let pods_have = if label_pods || group.pods.values().all(|pod| pod.labelled) {
        any_of.push(by_group_label(key));
        LABEL_SNAPSHOT_GROUP
    } else if group.pods.values().all(|pod| pod.named_by_set) {
        let names = group.pods.keys().cloned().collect();
        any_of.push(vec![Requirement::In(LABEL_POD_NAME.to_owned(), names)]);
        LABEL_POD_NAME
    } else {
        return place.all_but_the_others();
    };
    let without_pod = place.without_pod();
    let own = place.set_labels().filter(|labels| place.exact(labels, pods_have));
    if let Some(labels) = &own {
        any_of.push(place.besides(labels, pods_have));
    }
    // The product's own label may come off or on while the Schedule stands; nothing hangs on it, so that no run in between leaves a claim out.
    let missing: Vec<(&String, &Claim, Labels)> = without_pod
        .into_iter()
        .map(|(name, claim)| (name, claim, without_ours(claim, Some(key))))
        .filter(|(_, _, labels)| !any_of.iter().any(|any| picks(any, labels)))
        .collect();
    if missing.is_empty() {
        return Selection { any_of, finding: None };
    }
    let common = common_labels(missing.iter().map(|(_, _, labels)| labels));
    let by_common = place.besides(&common, pods_have);
    // What carries another group's label, which a restore brings along, is picked by none until that is put right.
    let reaches_all = missing.iter().all(|(_, _, labels)| picks(&by_common, labels));
    if !common.is_empty() && reaches_all && place.exact(&common, pods_have) {
        any_of.push(by_common);
        return Selection { any_of, finding: None };
    }
    // As long as the product's own label is on, it reaches what nothing else does.
    let unreached = || missing.iter().filter(|(_, claim, _)| !any_of.iter().any(|any| picks(any, &claim.marks.labels)));
    let finding = unreached().next().map(|(name, _, _)| place.not_selectable(name, unreached().count()));
    Selection { any_of, finding }
}

/// A claim's labels without the group label that the product put there, whichever group it names or only this one.
fn without_ours(claim: &Claim, of: Option<&GroupKey>) -> Labels {
    let marks = &claim.marks;
    let named = marks.labels.get(LABEL_SNAPSHOT_GROUP);
    if !marks.own_label || of.is_some_and(|key| named != Some(key.group.as_str())) {
        return marks.labels.clone();
    }
    let mut labels = marks.labels.to_map();
    labels.remove(LABEL_SNAPSHOT_GROUP);
    Labels::new(&labels)
}

fn picks(selector: &Selector, labels: &Labels) -> bool {
    selects(selector, |key| labels.get(key))
}

fn common_labels<'a>(mut all: impl Iterator<Item = &'a Labels>) -> BTreeMap<String, String> {
    let mut common = all.next().map(Labels::to_map).unwrap_or_default();
    for labels in all {
        common.retain(|key, value| labels.get(key) == Some(value));
    }
    common
}

/// A group among the other objects of its namespace.
struct Place<'a> {
    facts: &'a Facts,
    key: &'a GroupKey,
    group: &'a Group,
}

impl<'a> Place<'a> {
    /// EBS claims that no pod of the group uses.
    fn without_pod(&self) -> Vec<(&'a String, &'a Claim)> {
        let unused = self.group.claims.iter().filter(|(_, held)| !held.used);
        unused.filter_map(|(name, _)| Some((name, self.facts.claims.get(&self.object(name))?))).collect()
    }

    fn object(&self, name: &str) -> ObjectKey {
        ObjectKey { namespace: self.key.namespace.clone(), name: name.to_owned() }
    }

    /// The labels that the StatefulSet's claims, and by custom the set itself, carry: its selector.
    fn set_labels(&self) -> Option<BTreeMap<String, String>> {
        let Workload::StatefulSet(name) = &self.group.workload else { return None };
        let labels = self.facts.sets.get(&self.object(name))?.selector.as_ref()?;
        (!labels.is_empty()).then(|| labels.to_map())
    }

    /// Whatever has these labels and is none of the group's pods.
    #[expect(clippy::unused_self, reason = "reads as: in this place, what is besides the pods")]
    fn besides(&self, labels: &BTreeMap<String, String>, pods_have: &str) -> Selector {
        let mut selector: Selector = labels.iter().map(|(key, value)| equals(key, value)).collect();
        selector.push(Requirement::DoesNotExist(pods_have.to_owned()));
        selector
    }

    /// Whether these labels, besides the group's pods, pick nothing of anybody else.
    fn exact(&self, labels: &BTreeMap<String, String>, pods_have: &str) -> bool {
        let selector = self.besides(labels, pods_have);
        let picked = |pod: &Pod| selects(&selector, |key| pod.label(key));
        let foreign_pod = self.pods().any(|pod| !self.is_ours(pod) && picked(pod));
        !foreign_pod && !self.foreign_claim(|labels| picks(&selector, labels))
    }

    fn foreign_claim(&self, picked: impl Fn(&Labels) -> bool) -> bool {
        let mut foreign = self.claims().filter(|(name, _)| !self.group.claims.contains_key(*name));
        foreign.any(|(_, claim)| picked(&claim.marks.labels) || picked(&without_ours(claim, None)))
    }

    fn pods(&self) -> impl Iterator<Item = &'a Pod> {
        let namespace = &self.key.namespace;
        // No name comes before it (RFC 1123).
        let first = PodName::new("0").map(|name| PodKey { namespace: namespace.clone(), name });
        let from = first.into_iter().flat_map(|first| self.facts.pods.from(&first));
        from.take_while(move |(key, _)| key.namespace == *namespace).map(|(_, pod)| pod)
    }

    fn is_ours(&self, pod: &Pod) -> bool {
        self.group.pods.contains_key(pod.key.name.as_str())
    }

    fn claims(&self) -> impl Iterator<Item = (&'a String, &'a Claim)> {
        let namespace = &self.key.namespace;
        let from = self.facts.claims.from(&self.object(""));
        from.take_while(move |(key, _)| key.namespace == *namespace).map(|(key, claim)| (&key.name, claim))
    }

    /// Where nobody labels pods: everything in the namespace that is not another StatefulSet's.
    fn all_but_the_others(&self) -> Selection {
        let mut selector: Selector = Vec::new();
        let namespace = &self.key.namespace;
        let first = self.object("");
        let sets = self.facts.sets.from(&first).take_while(|(key, _)| key.namespace == *namespace);
        for (_, set) in sets {
            let telling =
                set.selector.iter().flat_map(Labels::iter).find(|(key, value)| self.nobody_of_ours(key, value));
            if let Some((key, value)) = telling {
                selector.push(Requirement::NotIn(key.to_owned(), BTreeSet::from([value.to_owned()])));
            }
        }
        let foreign = self.foreign_claim(|labels| picks(&selector, labels));
        let any_of = if selector.is_empty() { vec![] } else { vec![selector] };
        let first = self.group.claims.keys().next().filter(|_| foreign);
        Selection { any_of, finding: first.map(|claim| self.not_selectable(claim, self.group.claims.len())) }
    }

    fn nobody_of_ours(&self, key: &str, value: &str) -> bool {
        let mut pods = self.pods().filter(|pod| self.is_ours(pod));
        let mut claims = self.claims().filter(|(name, _)| self.group.claims.contains_key(*name));
        !pods.any(|pod| pod.label(key) == Some(value))
            && !claims.any(|(_, claim)| claim.marks.labels.get(key) == Some(value))
    }

    fn not_selectable(&self, claim: &str, claims: usize) -> Finding {
        Finding::NotSelectable { group: self.key.clone(), claim: self.object(claim), claims }
    }
}
