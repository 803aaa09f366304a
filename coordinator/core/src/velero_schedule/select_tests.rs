//! Selections against made-up namespaces: they reach what they must, and nothing of anybody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::names::LABEL_SNAPSHOT_GROUP;

use super::select::{Selection, in_order, select};
use crate::coverage::selects;
use crate::inventory::facts::{Fact, Facts};
use crate::inventory::labels::Labels;
use crate::inventory::{Inventory, take};
use crate::objects::{Claim, ClaimMarks, ObjectKey, OwnerKind, OwnerRef, Pod, PodKey, StatefulSet, Volume};

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: Namespace::new("prod").unwrap(), name: name.to_owned() }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn put_claim(facts: &mut Facts, name: &str, with: &[(&str, &str)]) {
    let volume = format!("pv-{name}");
    let marks = Arc::new(ClaimMarks { labels: labels(with), ..ClaimMarks::default() });
    facts.put(Fact::Claim(Claim { marks, ..Claim::new(key(name), Some(&volume)) }));
    facts.put(Fact::Volume(Volume { name: volume.into(), ebs: true, ebs_id: None, claim: Some(key(name)) }));
}

fn put_pod(facts: &mut Facts, name: &str, set: Option<&str>, claims: &[&str], with: &[(&str, &str)]) {
    let key = PodKey { namespace: Namespace::new("prod").unwrap(), name: name.parse().unwrap() };
    let mut pod = Pod::new(key, name.into());
    for (key, value) in with {
        pod.set_label(key, value);
    }
    if let Some(set) = set {
        pod.set_label("statefulset.kubernetes.io/pod-name", name);
        pod.set_owners(vec![OwnerRef::controller(OwnerKind::StatefulSet, set, &format!("uid-{set}"))]);
    }
    pod.set_claims(claims.iter().map(|c| (*c).to_owned()).collect());
    pod.set_containers(vec!["main".to_owned()]);
    facts.put(Fact::Pod(pod));
}

/// A set with pods, and claims that it left behind; all labelled `app=<app>`.
fn put_set(facts: &mut Facts, name: &str, app: &str, replicas: u32, left_behind: u32) {
    let set = StatefulSet {
        replicas,
        templates: ["data".into()].into(),
        selector: Some(labels(&[("app", app)])),
        ..StatefulSet::new(key(name), format!("uid-{name}").as_str().into())
    };
    facts.put(Fact::StatefulSet(set));
    for ordinal in 0..replicas + left_behind {
        let claim = format!("data-{name}-{ordinal}");
        put_claim(facts, &claim, &[("app", app)]);
        if ordinal < replicas {
            put_pod(facts, &format!("{name}-{ordinal}"), Some(name), &[&claim], &[("app", app)]);
        }
    }
}

/// The names of pods and claims that a Backup with this selection lists, once the coordinator has labelled the group's pods
/// (`label_pods`); a pod that two selectors list is in there twice.
fn listed(
    facts: &Facts,
    inventory: &Inventory,
    selection: &Selection,
    label_pods: bool,
) -> (Vec<String>, BTreeSet<String>) {
    let group_of: BTreeMap<&String, &GroupKey> =
        inventory.groups.iter().flat_map(|(key, group)| group.pods.keys().map(move |pod| (pod, key))).collect();
    let mut pods = Vec::new();
    let mut claims = BTreeSet::new();
    let everything = vec![vec![]];
    for selector in if selection.any_of.is_empty() { &everything } else { &selection.any_of } {
        for pod in facts.pods.values() {
            let name = pod.key.name.to_string();
            let label = |wanted: &str| match (wanted, group_of.get(&name)) {
                (LABEL_SNAPSHOT_GROUP, Some(group)) if label_pods => Some(group.group.as_str()),
                _ => pod.label(wanted),
            };
            if selects(selector, label) {
                pods.push(name);
            }
        }
        let picked =
            facts.claims.iter().filter(|(_, claim)| selects(selector, |wanted| claim.marks.labels.get(wanted)));
        claims.extend(picked.map(|(name, _)| name.name.clone()));
    }
    (pods, claims)
}

/// Every group's selection reaches its pods once, its claims without a pod, and nothing of another group.
fn check_exact(facts: &Facts, label_pods: bool) {
    let inventory = take(facts, &vec![]);
    for (key, group) in &inventory.groups {
        let selection = select(facts, key, group, label_pods);
        let (mut pods, claims) = listed(facts, &inventory, &selection, label_pods);
        pods.sort();
        let own: Vec<String> = group.pods.keys().cloned().collect();
        if label_pods {
            assert_eq!(pods, own, "{key}: {selection:?}");
        }
        let foreign: Vec<&String> = claims.iter().filter(|claim| !group.claims.contains_key(*claim)).collect();
        let unreached: Vec<&String> = group
            .claims
            .iter()
            .filter(|(name, held)| !held.used && !claims.contains(*name))
            .map(|(name, _)| name)
            .collect();
        if selection.finding.is_none() {
            assert!(foreign.is_empty() && unreached.is_empty(), "{key}: {foreign:?} {unreached:?} {selection:?}");
        } else {
            assert!(!label_pods || foreign.is_empty(), "{key}: {foreign:?} {selection:?}");
        }
    }
}

#[test]
fn a_set_with_claims_left_behind_is_reached_whole() {
    let mut facts = Facts::default();
    put_set(&mut facts, "db", "db", 2, 2);
    put_set(&mut facts, "web", "web", 1, 0);
    let inventory = take(&facts, &vec![]);
    let group = GroupId::for_stateful_set(&Namespace::new("prod").unwrap(), "db");
    let db = GroupKey { namespace: Namespace::new("prod").unwrap(), group };
    let selection = select(&facts, &db, &inventory.groups[&db], true);
    assert_eq!((selection.any_of.len(), selection.finding.is_none()), (2, true));
    for label_pods in [true, false] {
        check_exact(&facts, label_pods);
    }
}

#[test]
fn claims_that_no_label_tells_apart_are_a_finding_and_nobody_else_s_are_taken() {
    let mut facts = Facts::default();
    // Two sets of one chart with the same labels on everything.
    put_set(&mut facts, "db-a", "db", 1, 1);
    put_set(&mut facts, "db-b", "db", 1, 1);
    let inventory = take(&facts, &vec![]);
    for (key, group) in &inventory.groups {
        let selection = select(&facts, key, group, true);
        assert!(selection.finding.is_some(), "{selection:?}");
    }
    check_exact(&facts, true);
    // A person's label on the claims helps, as the finding says.
    for set in ["db-a", "db-b"] {
        let group = GroupId::for_stateful_set(&Namespace::new("prod").unwrap(), set);
        let labels = labels(&[("app", "db"), (LABEL_SNAPSHOT_GROUP, group.as_str())]);
        let marks = Arc::new(ClaimMarks { labels, ..ClaimMarks::default() });
        assert!(facts.claims.edit(&key(&format!("data-{set}-1")), |claim| claim.marks = marks));
    }
    let inventory = take(&facts, &vec![]);
    for (key, group) in &inventory.groups {
        assert!(select(&facts, key, group, true).finding.is_none(), "{key}");
    }
    check_exact(&facts, true);
}

/// A restore brings the product's own label along into another namespace, where it says nothing; until it is put right it hides the claim.
#[test]
fn a_claim_with_the_label_of_elsewhere_is_in_its_own_group_and_said_to_be_out_of_reach() {
    let mut facts = Facts::default();
    put_set(&mut facts, "db", "db", 1, 1);
    let carry = |facts: &mut Facts, own_label: bool| {
        let labels = labels(&[("app", "db"), (LABEL_SNAPSHOT_GROUP, "group-elsewhere")]);
        let marks = Arc::new(ClaimMarks { labels, own_label, ..ClaimMarks::default() });
        assert!(facts.claims.edit(&key("data-db-1"), |claim| claim.marks = marks));
    };
    carry(&mut facts, true);
    let group = GroupKey { namespace: key("").namespace, group: GroupId::for_stateful_set(&key("").namespace, "db") };
    let inventory = take(&facts, &vec![]);
    assert_eq!(inventory.groups.keys().collect::<Vec<_>>(), [&group]);
    assert_eq!(inventory.groups[&group].claims.len(), 2);
    assert!(select(&facts, &group, &inventory.groups[&group], true).finding.is_some());
    check_exact(&facts, true);
    carry(&mut facts, false);
    assert_eq!(take(&facts, &vec![]).groups.len(), 2, "a person's label is a group of its own");
}

/// The label comes and goes while the Schedule stands: a run in between must leave no claim out, and take nobody else's.
#[test]
fn what_is_selected_does_not_hang_on_the_product_s_own_label() {
    let mut facts = Facts::default();
    put_set(&mut facts, "db", "db", 1, 0);
    let bare = ["bare-a", "bare-b"];
    for claim in bare {
        put_claim(&mut facts, claim, &[("app", "files")]);
    }
    let group = GroupKey { namespace: key("").namespace, group: GroupId::for_namespace_volumes(&key("").namespace) };
    let of = |facts: &Facts| {
        let inventory = take(facts, &vec![]);
        select(facts, &group, &inventory.groups[&group], true).any_of
    };
    let without = of(&facts);
    for claim in bare {
        let labels = labels(&[("app", "files"), (LABEL_SNAPSHOT_GROUP, group.group.as_str())]);
        let marks = Arc::new(ClaimMarks { labels, own_label: true, ..ClaimMarks::default() });
        assert!(facts.claims.edit(&key(claim), |claim| claim.marks = marks));
        assert_eq!(of(&facts), without, "with the label on {claim}");
    }
    check_exact(&facts, true);
}

#[test]
fn pods_are_ordered_by_their_ordinals() {
    let mut facts = Facts::default();
    put_set(&mut facts, "db", "db", 12, 0);
    let inventory = take(&facts, &vec![]);
    let group = inventory.groups.values().next().unwrap();
    let ordered = in_order(group);
    assert_eq!((ordered[2], ordered[10], ordered.len()), ("db-2", "db-10", 12));
}

proptest! {
    #[test]
    fn selections_are_exact_or_say_so(
        sets in prop::collection::vec((0u8..3, 0u32..3, 0u32..2), 0..4),
        lonely in prop::collection::vec(0u8..4, 0..4), pods in prop::collection::vec(0u8..4, 0..4), label_pods: bool,
    ) {
        let mut facts = Facts::default();
        for (n, (app, replicas, left_behind)) in sets.iter().enumerate() {
            put_set(&mut facts, &format!("set{n}"), &format!("app{app}"), *replicas, *left_behind);
        }
        let label = |app: &u8| format!("app{app}");
        for (n, app) in lonely.iter().enumerate() {
            put_claim(&mut facts, &format!("lonely{n}"), &[("app", label(app).as_str())][..usize::from(*app != 3)]);
        }
        for (n, app) in pods.iter().enumerate() {
            let claim = format!("files{n}");
            put_claim(&mut facts, &claim, &[]);
            put_pod(&mut facts, &format!("pod{n}"), None, &[&claim], &[("app", label(app).as_str())]);
        }
        check_exact(&facts, label_pods);
    }
}
