//! Which group each pod and each claim belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::identity::{GroupId, GroupKey, Namespace, PodName};
use shared::names::LABEL_SNAPSHOT_GROUP;

use super::ebs::{EbsClaim, ebs_claims};
use super::facts::Facts;
use super::finding::Finding;
use super::labels::Labels;
use super::owners::{audit, set_of_claim};
use super::templates::{Templates, in_scale};
use super::wishes::{self, Wishes};
use super::{Group, Held, Inventory, Member, Workload};
use crate::annotations::Annotations;
use crate::coverage::selects;
use crate::grouping::group_by_owner;
use crate::objects::{ObjectKey, OwnerKind, Pod, PodKey, Selector, StatefulSet};
use crate::report::{Subject, SubjectKind};
use crate::uid::Uid;

/// Kubernetes' own label on a StatefulSet's pods: the pod's name.
pub const LABEL_POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// What a pod's label and owner say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    In(GroupId),
    /// An empty label: a person keeps it out.
    KeptOut,
    /// Nothing that is backed up, or not what the selector asks for.
    None,
    /// `--resource-label-selector` leaves it out.
    Outside,
}

/// Turns facts into groups. An empty `selector` takes everything.
pub fn take(facts: &Facts, selector: &Selector) -> Inventory {
    let mut findings = facts.findings.clone();
    findings.extend(audit(facts));
    let ebs = ebs_claims(facts, &mut findings);
    let pods = place_pods(facts, selector, &ebs);
    let mut taker = Taker {
        facts,
        selector,
        templates: Templates::new(facts),
        pods,
        draft: BTreeMap::new(),
        findings,
        outside: 0,
        left_behind: BTreeMap::new(),
    };
    taker.put_pods();
    taker.put_claims(&ebs);
    let ebs_volumes = facts.volumes.values().filter(|volume| volume.ebs).count();
    taker.finish(ebs_volumes)
}

/// Live pods and where they belong.
fn place_pods<'a>(
    facts: &'a Facts,
    selector: &Selector,
    ebs: &BTreeMap<&ObjectKey, EbsClaim<'_>>,
) -> BTreeMap<&'a PodKey, (&'a Pod, Place)> {
    let live = facts.pods.iter().filter(|(_, pod)| pod.is_live());
    live.map(|(key, pod)| {
        let place = if !selects(selector, |label| pod.label(label)) {
            Place::Outside
        } else if let Some(label) = pod.label(LABEL_SNAPSHOT_GROUP) {
            labelled(label)
        } else {
            let uses_ebs = pod.claims().any(|claim| ebs.contains_key(&sibling(&key.namespace, claim)));
            group_by_owner(&key.namespace, pod.owner().as_ref(), uses_ebs).map_or(Place::None, Place::In)
        };
        (key, (pod, place))
    })
    .collect()
}

fn labelled(label: &str) -> Place {
    if label.is_empty() { Place::KeptOut } else { GroupId::new(label).map_or(Place::None, Place::In) }
}

fn sibling(namespace: &Namespace, name: String) -> ObjectKey {
    ObjectKey { namespace: namespace.clone(), name }
}

/// A group while it is put together.
#[derive(Default)]
struct Draft<'a> {
    pods: BTreeMap<&'a str, &'a Pod>,
    claims: BTreeMap<&'a str, (EbsClaim<'a>, bool)>,
    /// Whose they are; `None` is nobody's.
    owners: BTreeSet<Option<&'a str>>,
}

struct Taker<'a> {
    facts: &'a Facts,
    selector: &'a Selector,
    templates: Templates<'a>,
    pods: BTreeMap<&'a PodKey, (&'a Pod, Place)>,
    draft: BTreeMap<GroupKey, Draft<'a>>,
    findings: Vec<Finding>,
    outside: usize,
    left_behind: BTreeMap<&'a ObjectKey, usize>,
}

impl<'a> Taker<'a> {
    fn put_pods(&mut self) {
        for (key, (pod, place)) in &self.pods {
            let Place::In(group) = place else { continue };
            let group = GroupKey { namespace: key.namespace.clone(), group: group.clone() };
            let draft = self.draft.entry(group).or_default();
            draft.pods.insert(key.name.as_str(), pod);
            let controller = pod.owners().iter().find(|owner| owner.controller);
            let set = controller.filter(|owner| owner.kind == OwnerKind::StatefulSet);
            draft.owners.insert(set.map(|owner| &*owner.name));
        }
    }

    fn put_claims(&mut self, ebs: &BTreeMap<&'a ObjectKey, EbsClaim<'a>>) {
        let mut users: BTreeMap<&ObjectKey, Vec<&'a PodKey>> = BTreeMap::new();
        for (pod_key, (pod, _)) in &self.pods {
            for claim in pod.claims() {
                if let Some((claim, _)) = ebs.get_key_value(&sibling(&pod_key.namespace, claim)) {
                    users.entry(claim).or_default().push(pod_key);
                }
            }
        }
        for (claim, volume) in ebs {
            let used_by = users.get(claim).map_or(&[][..], Vec::as_slice);
            let (place, used) = if used_by.is_empty() {
                (self.place_unused(claim), false)
            } else {
                (self.place_used(claim, used_by), true)
            };
            self.put_claim(claim, *volume, place, used);
        }
    }

    fn put_claim(&mut self, claim: &'a ObjectKey, volume: EbsClaim<'a>, place: Place, used: bool) {
        match place {
            Place::In(group) => {
                let group = GroupKey { namespace: claim.namespace.clone(), group };
                self.draft.entry(group).or_default().claims.insert(&claim.name, (volume, used));
            }
            Place::KeptOut => self.findings.push(Finding::KeptOut { claim: claim.clone() }),
            Place::Outside | Place::None => self.outside += 1,
        }
    }

    /// The group of the pods that use it. Of several, the one whose templates made it, else the first.
    fn place_used(&mut self, claim: &ObjectKey, used_by: &[&'a PodKey]) -> Place {
        let places: Vec<&Place> = used_by.iter().filter_map(|pod| self.pods.get(pod)).map(|(_, place)| place).collect();
        let groups: BTreeSet<&GroupId> =
            places.iter().filter_map(|place| if let Place::In(group) = place { Some(group) } else { None }).collect();
        let Some(first) = groups.first() else {
            let outside = places.contains(&&Place::Outside);
            return if outside { Place::Outside } else { Place::KeptOut };
        };
        let by_template = self.facts.claims.get_key_value(claim).and_then(|(key, _)| self.templates.made(key));
        let own = by_template.map(|made| GroupId::for_stateful_set(&made.set.namespace, &made.set.name));
        let counted: GroupId = own.as_ref().filter(|own| groups.contains(own)).unwrap_or(first).clone();
        if let Some(other) = groups.iter().find(|group| ***group != counted) {
            let key = |group: &GroupId| GroupKey { namespace: claim.namespace.clone(), group: group.clone() };
            let (counted, other) = (key(&counted), key(other));
            self.findings.push(Finding::SharedClaim { claim: claim.clone(), counted, other });
        }
        Place::In(counted)
    }

    /// A claim that no live pod uses: by its own label, its owner, its name, else the namespace's.
    fn place_unused(&mut self, claim: &'a ObjectKey) -> Place {
        let Some(fact) = self.facts.claims.get(claim) else { return Place::None };
        let made = self.templates.made(claim);
        let set = set_of_claim(self.facts, claim).or_else(|| made.map(|made| made.set));
        let set_fact = set.and_then(|set| self.facts.sets.get(set));
        if !self.wanted(&fact.marks.labels, set_fact) {
            return Place::Outside;
        }
        // The product's own says where it was put, not where it belongs: a restore brings it into another namespace.
        if let Some(label) = fact.marks.labels.get(LABEL_SNAPSHOT_GROUP).filter(|_| !fact.marks.own_label) {
            return labelled(label);
        }
        let (Some(set), Some(set_fact)) = (set, set_fact) else {
            let group = GroupId::for_namespace_volumes(&claim.namespace);
            self.owner(&claim.namespace, &group, None);
            return Place::In(group);
        };
        if let Some(other) = made.and_then(|made| made.other) {
            let (counted, other) = (set.name.clone(), other.name.clone());
            self.findings.push(Finding::AmbiguousClaim { claim: claim.clone(), counted, other });
        }
        if made.is_some_and(|made| !in_scale(set_fact, made.ordinal)) {
            *self.left_behind.entry(set).or_default() += 1;
        }
        let place = self.place_of_set(set, set_fact);
        if let Place::In(group) = &place {
            self.owner(&set.namespace, group, Some(&set.name));
        }
        place
    }

    fn owner(&mut self, namespace: &Namespace, group: &GroupId, owner: Option<&'a str>) {
        let key = GroupKey { namespace: namespace.clone(), group: group.clone() };
        self.draft.entry(key).or_default().owners.insert(owner);
    }

    fn wanted(&self, labels: &Labels, set: Option<&StatefulSet>) -> bool {
        selects(self.selector, |key| labels.get(key))
            || set.is_some_and(|set| selects(self.selector, |key| set.pod_labels.get(key)))
    }

    /// Where the set's pods are or would be: as its first pod, else as its template says.
    fn place_of_set(&self, set: &ObjectKey, fact: &StatefulSet) -> Place {
        let first = PodName::new(format!("{}-{}", set.name, fact.start)).ok();
        let first = first.map(|name| PodKey { namespace: set.namespace.clone(), name });
        let of_pod = first.and_then(|first| self.pods.get(&first)).map(|(_, place)| place);
        match (of_pod, fact.pod_labels.get(LABEL_SNAPSHOT_GROUP)) {
            (Some(place @ (Place::In(_) | Place::KeptOut)), _) => place.clone(),
            (_, Some(label)) => labelled(label),
            (_, None) => Place::In(GroupId::for_stateful_set(&set.namespace, &set.name)),
        }
    }

    fn finish(mut self, ebs_volumes: usize) -> Inventory {
        for (set, claims) in std::mem::take(&mut self.left_behind) {
            self.findings.push(Finding::ScaledDown { set: set.clone(), claims });
        }
        let mut groups = BTreeMap::new();
        for (key, draft) in std::mem::take(&mut self.draft) {
            if draft.claims.is_empty() {
                continue;
            }
            let group = self.group(&key, &draft);
            if group.wishes.skip == Some(true) {
                self.findings.push(Finding::Skipped { group: key.clone() });
            }
            groups.insert(key, group);
        }
        self.findings.sort();
        self.findings.dedup();
        Inventory { groups, ebs_volumes, outside_selector: self.outside, findings: self.findings }
    }

    fn group(&mut self, key: &GroupKey, draft: &Draft<'a>) -> Group {
        let workload = match (draft.owners.len(), draft.owners.first()) {
            (1, Some(Some(set))) => Workload::StatefulSet((*set).to_owned()),
            _ if key.group == GroupId::for_namespace_volumes(&key.namespace) => Workload::OtherVolumes,
            _ => Workload::Labelled,
        };
        let claims = draft.claims.iter().map(|(name, (ebs, used))| {
            let held = Held { volume: ebs.volume.to_owned(), ebs_id: ebs.ebs_id.map(str::to_owned), used: *used };
            ((*name).to_owned(), held)
        });
        Group {
            workload,
            claims: claims.collect(),
            pods: draft.pods.iter().map(|(name, pod)| ((*name).to_owned(), member(pod))).collect(),
            wishes: self.wishes(key, draft),
        }
    }

    /// Pods' wishes go before their sets', those before the claims'; within a level the first by name counts.
    fn wishes(&mut self, key: &GroupKey, draft: &Draft<'a>) -> Wishes {
        let object = |name: &str| ObjectKey { namespace: key.namespace.clone(), name: name.to_owned() };
        let facts = self.facts;
        let at = |kind, key, uid: &Uid| Subject { kind, key, uid: uid.told() };
        let pods = draft.pods.iter().filter(|(_, pod)| !pod.annotations.is_empty());
        let pods = pods.map(|(name, pod)| (at(SubjectKind::Pod, object(name), &pod.uid), &pod.annotations));
        let sets = draft.owners.iter().flatten().filter_map(|name| facts.sets.get_key_value(&object(name)));
        let sets = sets.filter(|(_, set)| !set.annotations.is_empty());
        let sets = sets.map(|(key, set)| (at(SubjectKind::StatefulSet, key.clone(), &set.uid), &set.annotations));
        let claims = draft.claims.keys().filter_map(|name| facts.claims.get_key_value(&object(name)));
        let claims = claims.filter(|(_, claim)| !claim.marks.annotations.is_empty());
        let claims = claims.map(|(key, claim)| {
            let marks = &claim.marks;
            (at(SubjectKind::PersistentVolumeClaim, key.clone(), &marks.uid_of_annotated), &marks.annotations)
        });
        let of_pods = self.level(key, pods);
        let of_sets = self.level(key, sets);
        let of_claims = self.level(key, claims);
        or(or(of_pods, of_sets), of_claims)
    }

    fn level<'b>(&mut self, key: &GroupKey, objects: impl Iterator<Item = (Subject, &'b Annotations)>) -> Wishes {
        let mut first = Wishes::default();
        for (at, annotations) in objects {
            let (next, errors) = wishes::read(annotations);
            self.findings.extend(errors.into_iter().map(|error| Finding::Wish { at: at.clone(), error }));
            for annotation in differing(&first, &next) {
                self.findings.push(Finding::WishesDiffer { group: key.clone(), annotation, at: at.clone() });
            }
            first = or(first, next);
        }
        first
    }
}

fn member(pod: &Pod) -> Member {
    Member {
        pattern: Arc::clone(pod.pattern()),
        own_hooks: pod.own_hooks,
        labelled: pod.label(LABEL_SNAPSHOT_GROUP).is_some(),
        named_by_set: pod.label(LABEL_POD_NAME).is_some(),
    }
}

fn or(first: Wishes, second: Wishes) -> Wishes {
    Wishes {
        skip: first.skip.or(second.skip),
        ttl_h: first.ttl_h.or(second.ttl_h),
        storage_location: first.storage_location.or(second.storage_location),
        at: first.at.or(second.at),
        priority: first.priority.or(second.priority),
        times_a_day: first.times_a_day.or(second.times_a_day),
        hook_container: first.hook_container.or(second.hook_container),
    }
}

fn differing(first: &Wishes, second: &Wishes) -> Vec<&'static str> {
    fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    let Wishes { skip, ttl_h, storage_location, at, priority, times_a_day, hook_container } = first;
    let found = [
        (wishes::SKIP, differ(skip.as_ref(), second.skip.as_ref())),
        (wishes::TTL, differ(ttl_h.as_ref(), second.ttl_h.as_ref())),
        (wishes::STORAGE_LOCATION, differ(storage_location.as_ref(), second.storage_location.as_ref())),
        (wishes::AT, differ(at.as_ref(), second.at.as_ref())),
        (wishes::PRIORITY, differ(priority.as_ref(), second.priority.as_ref())),
        (wishes::TIMES_A_DAY, differ(times_a_day.as_ref(), second.times_a_day.as_ref())),
        (wishes::HOOK_CONTAINER, differ(hook_container.as_ref(), second.hook_container.as_ref())),
    ];
    found.into_iter().filter_map(|(annotation, differs)| differs.then_some(annotation)).collect()
}
