//! Clusters in miniature, and the groups that they fall into.

use std::sync::Arc;

use shared::identity::{GroupId, GroupKey, Namespace};

use super::facts::{Fact, FactKind, Facts};
use super::finding::Finding;
use super::labels::Labels;
use super::{Inventory, Workload, take};
use crate::annotations::Annotations;
use crate::by_key::ByKey;
use crate::objects::{Claim, ClaimMarks, ObjectKey, OwnerKind, OwnerRef, Pod, PodKey, PodPhase, StatefulSet, Volume};

const GROUP: &str = "velero.io/snapshot-group";

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: Namespace::new("prod").unwrap(), name: name.to_owned() }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn notes(pairs: &[(&str, &str)]) -> Annotations {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn owner(kind: OwnerKind, name: &str) -> OwnerRef {
    OwnerRef::controller(kind, name, &format!("uid-{name}"))
}

fn uid(name: &str) -> crate::uid::Uid {
    format!("uid-{name}").as_str().into()
}

fn pod_key(name: &str) -> PodKey {
    PodKey { namespace: Namespace::new("prod").unwrap(), name: name.parse().unwrap() }
}

fn volume(name: &str, ebs_id: Option<&str>, claim: &str) -> Fact {
    Fact::Volume(Volume { name: name.into(), ebs: true, ebs_id: ebs_id.map(Into::into), claim: Some(key(claim)) })
}

/// A cluster of one namespace that is put together step by step.
#[derive(Clone, Default)]
struct Cluster(Facts);

impl Cluster {
    fn set(mut self, name: &str, replicas: u32, start: u32) -> Self {
        let templates = ["data".into()].into();
        let set = StatefulSet { replicas, start, templates, ..StatefulSet::new(key(name), uid(name)) };
        self.0.put(Fact::StatefulSet(set));
        self
    }

    fn claim(mut self, name: &str) -> Self {
        let held = format!("pv-{name}");
        self.0.put(Fact::Claim(Claim::new(key(name), Some(&held))));
        self.0.put(volume(&held, Some(&format!("vol-{name}")), name));
        self
    }

    fn pod(mut self, name: &str, owner: Option<OwnerRef>, claims: &[&str], label: Option<&str>) -> Self {
        let mut pod = Pod::new(pod_key(name), uid(name));
        if let Some(label) = label {
            pod.set_label(GROUP, label);
        }
        pod.set_owners(owner.into_iter().collect());
        pod.set_claims(claims.iter().map(|c| (*c).to_owned()).collect());
        pod.set_containers(vec!["main".to_owned()]);
        self.0.put(Fact::Pod(pod));
        self
    }

    /// A set with its pods and their claims.
    fn running(mut self, name: &str, replicas: u32, start: u32) -> Self {
        self = self.set(name, replicas, start);
        for ordinal in start..start + replicas {
            let claim = format!("data-{name}-{ordinal}");
            self = self.claim(&claim);
            self = self.pod(
                &format!("{name}-{ordinal}"),
                Some(owner(OwnerKind::StatefulSet, name)),
                &[claim.as_str()],
                None,
            );
        }
        self
    }

    fn edit(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.0);
        self
    }

    fn take(&self) -> Inventory {
        take(&self.0, &vec![])
    }
}

/// Gives a claim to an owner.
fn own(facts: &mut Facts, claim: &str, owner: OwnerRef) {
    let marks = Arc::new(ClaimMarks { owners: [owner].into(), ..ClaimMarks::default() });
    facts.claims.edit(&key(claim), |claim| claim.marks = marks);
}

fn of_set(name: &str) -> GroupKey {
    let namespace = Namespace::new("prod").unwrap();
    GroupKey { group: GroupId::for_stateful_set(&namespace, name), namespace }
}

fn of_namespace() -> GroupKey {
    let namespace = Namespace::new("prod").unwrap();
    GroupKey { group: GroupId::for_namespace_volumes(&namespace), namespace }
}

fn claims(inventory: &Inventory, group: &GroupKey) -> Vec<String> {
    inventory.groups.get(group).map(|group| group.claims.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn a_set_and_its_neighbours_of_like_names() {
    let inventory =
        Cluster::default().running("db", 2, 0).running("db-0", 1, 0).running("mydb", 1, 3).claim("lonely").take();
    assert_eq!(claims(&inventory, &of_set("db")), ["data-db-0", "data-db-1"]);
    assert_eq!(claims(&inventory, &of_set("db-0")), ["data-db-0-0"]);
    assert_eq!(claims(&inventory, &of_set("mydb")), ["data-mydb-3"]);
    assert_eq!(claims(&inventory, &of_namespace()), ["lonely"]);
    assert_eq!((inventory.groups.len(), inventory.ebs_volumes, inventory.grouped_volumes()), (4, 5, 5));
    assert_eq!(inventory.groups[&of_set("db")].workload, Workload::StatefulSet("db".into()));
    assert_eq!(inventory.groups[&of_namespace()].workload, Workload::OtherVolumes);
    assert_eq!(inventory.findings, []);
}

#[test]
fn claims_of_ordinals_that_were_scaled_away_stay_with_their_set() {
    let inventory = Cluster::default().running("db", 2, 5).claim("data-db-9").claim("data-db-0").take();
    assert_eq!(claims(&inventory, &of_set("db")), ["data-db-0", "data-db-5", "data-db-6", "data-db-9"]);
    assert_eq!(inventory.findings, [Finding::ScaledDown { set: key("db"), claims: 2 }]);
    let used: Vec<bool> = inventory.groups[&of_set("db")].claims.values().map(|held| held.used).collect();
    assert_eq!(used, [false, true, true, false]);
}

#[test]
fn a_set_scaled_to_nothing_keeps_its_group_and_its_template_s_label() {
    let cluster = Cluster::default().set("db", 0, 0).claim("data-db-0");
    assert_eq!(claims(&cluster.take(), &of_set("db")), ["data-db-0"]);
    let labelled = cluster.edit(|facts| {
        facts.sets.edit(&key("db"), |set| set.pod_labels = labels(&[(GROUP, "mine")]));
    });
    let groups: Vec<String> = labelled.take().groups.keys().map(ToString::to_string).collect();
    assert_eq!(groups, ["prod/mine"]);
}

#[test]
fn a_label_set_by_hand_wins_and_an_empty_one_keeps_out() {
    let db = || Some(owner(OwnerKind::StatefulSet, "db"));
    let inventory = Cluster::default()
        .set("db", 3, 0)
        .claim("data-db-0")
        .claim("data-db-1")
        .claim("data-db-2")
        .pod("db-0", db(), &["data-db-0"], Some("mine"))
        .pod("db-1", db(), &["data-db-1"], Some("mine"))
        .pod("db-2", db(), &["data-db-2"], Some(""))
        .take();
    let group = "prod/mine".parse().unwrap();
    assert_eq!(claims(&inventory, &group), ["data-db-0", "data-db-1"]);
    assert_eq!(inventory.groups[&group].workload, Workload::StatefulSet("db".into()));
    assert_eq!(inventory.findings, [Finding::KeptOut { claim: key("data-db-2") }]);
}

#[test]
fn a_claim_shared_by_two_groups_is_counted_once() {
    let inventory = Cluster::default()
        .running("db", 1, 0)
        .pod("reader", None, &["data-db-0"], None)
        .claim("own")
        .pod("other", None, &["own"], None)
        .take();
    assert_eq!(claims(&inventory, &of_set("db")), ["data-db-0"]);
    assert_eq!(claims(&inventory, &of_namespace()), ["own"]);
    let shared = Finding::SharedClaim { claim: key("data-db-0"), counted: of_set("db"), other: of_namespace() };
    assert_eq!(inventory.findings, [shared]);
}

#[test]
fn pods_that_ended_or_go_hold_nothing() {
    let cluster = Cluster::default().claim("work").pod("job", None, &["work"], None).edit(|facts| {
        facts.pods.edit(&pod_key("job"), |pod| pod.phase = PodPhase::Ended);
    });
    let inventory = cluster.take();
    assert_eq!(claims(&inventory, &of_namespace()), ["work"]);
    assert!(inventory.groups[&of_namespace()].pods.is_empty());
}

/// Kubernetes calls the claim of a generic ephemeral volume `<pod>-<volume>` and gives it to the pod.
#[test]
fn ephemeral_volumes_belong_to_their_pod_and_so_to_its_set() {
    let cluster = Cluster::default().set("db", 1, 0).claim("db-0-scratch").claim("web-scratch");
    let cluster = cluster
        .pod("db-0", Some(owner(OwnerKind::StatefulSet, "db")), &["db-0-scratch"], None)
        .pod("web", Some(owner(OwnerKind::Other, "web-6d4cf56db6")), &["web-scratch"], None)
        .edit(|facts| {
            own(facts, "db-0-scratch", owner(OwnerKind::Pod, "db-0"));
            own(facts, "web-scratch", owner(OwnerKind::Pod, "web"));
        });
    let inventory = cluster.take();
    assert_eq!(
        (claims(&inventory, &of_set("db")), claims(&inventory, &of_namespace())),
        (vec!["db-0-scratch".into()], vec!["web-scratch".into()])
    );
    assert_eq!(inventory.findings, []);
    // While the pod is replaced its claim is nobody's by use, and the set's by its owners all the same.
    let going = cluster.edit(|facts| assert!(facts.pods.edit(&pod_key("db-0"), |pod| pod.deleting = true))).take();
    assert_eq!(claims(&going, &of_set("db")), ["db-0-scratch"]);
}

#[test]
fn owners_in_a_circle_or_nowhere_are_told_and_nothing_hangs() {
    let cluster = Cluster::default().running("db", 1, 0).edit(|facts| {
        facts.sets.edit(&key("db"), |set| set.owners = [owner(OwnerKind::Pod, "db-0")].into());
        own(facts, "data-db-0", owner(OwnerKind::StatefulSet, "gone"));
    });
    let inventory = cluster.take();
    assert_eq!(claims(&inventory, &of_set("db")), ["data-db-0"]);
    let cyclic = |kind, name| Finding::CyclicOwners { kind, object: key(name) };
    assert!(inventory.findings.contains(&cyclic(FactKind::StatefulSet, "db")));
    assert!(inventory.findings.contains(&cyclic(FactKind::Pod, "db-0")));
    let dangling = |f: &Finding| matches!(f, Finding::DanglingOwner { object, .. } if object == &key("data-db-0"));
    assert!(inventory.findings.iter().any(dangling), "{:?}", inventory.findings);
}

#[test]
fn claims_and_volumes_that_miss_each_other() {
    let cluster = Cluster::default().claim("a").claim("b").edit(|facts| {
        facts.claims.edit(&key("a"), |claim| claim.volume = None);
        facts.claims.edit(&key("b"), |claim| claim.volume = Some("gone".into()));
        facts.put(Fact::Claim(Claim::new(key("c"), Some("pv-a"))));
        facts.put(Fact::Claim(Claim::new(key("d"), Some("pv-a"))));
    });
    let inventory = cluster.take();
    assert_eq!(claims(&inventory, &of_namespace()), ["c"]);
    assert_eq!(
        inventory.findings,
        [
            Finding::ClaimWithoutVolume { claim: key("a") },
            Finding::VolumeMissing { claim: key("b"), volume: "gone".into() },
            Finding::VolumeWithoutClaim { volume: "pv-b".into() },
            Finding::VolumeClaimedTwice { volume: "pv-a".into(), counted: key("c"), other: key("d") },
        ]
    );
}

#[test]
fn a_kind_that_was_forgotten_is_one_finding_not_thousands() {
    let cluster = Cluster::default().claim("a").claim("b").edit(|facts| facts.volumes = ByKey::default());
    assert_eq!(cluster.take().findings, [Finding::KindMissing { kind: FactKind::Volume }]);
    let cluster = Cluster::default().claim("a").claim("b").edit(|facts| facts.claims = ByKey::default());
    assert_eq!(cluster.take().findings, [Finding::KindMissing { kind: FactKind::Claim }]);
}

#[test]
fn wishes_of_pods_go_before_their_set_s() {
    let cluster = Cluster::default().running("db", 2, 0).edit(|facts| {
        facts.sets.edit(&key("db"), |set| set.annotations = notes(&[("ttl", "720h"), ("priority", "7")]));
        let note = |facts: &mut Facts, pod, pairs| facts.pods.edit(&pod_key(pod), |pod| pod.annotations = notes(pairs));
        note(facts, "db-0", &[("ttl", "48h"), ("at", "half past")]);
        note(facts, "db-1", &[("ttl", "24h"), ("skip", "true")]);
    });
    let inventory = cluster.take();
    let wishes = &inventory.groups[&of_set("db")].wishes;
    assert_eq!((wishes.ttl_h, wishes.priority, wishes.skip), (Some(48), Some(7), Some(true)));
    let codes: Vec<&str> = inventory.findings.iter().map(Finding::code).collect();
    assert_eq!(codes, ["skipped", "annotation-unreadable", "annotations-differ"]);
}

#[test]
fn a_selector_leaves_the_others_out() {
    let cluster = Cluster::default().running("db", 1, 0).running("web", 1, 0).edit(|facts| {
        facts.pods.edit(&pod_key("db-0"), |pod| pod.set_label("backup", "yes"));
    });
    let selector = super::selector_text::parse("backup=yes").unwrap();
    let inventory = take(&cluster.0, &selector);
    assert_eq!(inventory.groups.keys().collect::<Vec<_>>(), [&of_set("db")]);
    assert_eq!((inventory.outside_selector, inventory.findings.len()), (1, 0));
}
