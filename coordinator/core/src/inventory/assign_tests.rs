//! Clusters in miniature, and the groups that they fall into.

use std::collections::BTreeMap;

use shared::identity::{GroupId, GroupKey, Namespace};

use super::facts::{ClaimFact, Fact, FactKind, Facts, OwnerFact, OwnerKind, PodFact, SetFact, VolumeFact};
use super::finding::Finding;
use super::labels::Labels;
use super::{Inventory, Workload, take};
use crate::objects::{ObjectKey, PodPhase};

const GROUP: &str = "velero.io/snapshot-group";

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: Namespace::new("prod").unwrap(), name: name.to_owned() }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn notes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn owner(kind: OwnerKind, name: &str) -> OwnerFact {
    OwnerFact { kind, name: name.to_owned(), uid: format!("uid-{name}").into(), controller: true }
}

/// A cluster of one namespace that is put together step by step.
#[derive(Clone, Default)]
struct Cluster(Facts);

impl Cluster {
    fn set(mut self, name: &str, replicas: u32, start: u32) -> Self {
        let fact = SetFact {
            uid: format!("uid-{name}").into(),
            replicas,
            start,
            templates: vec!["data".to_owned()],
            ..SetFact::default()
        };
        self.0.put(Fact::StatefulSet(key(name), fact));
        self
    }

    fn claim(mut self, name: &str) -> Self {
        self.0.put(Fact::Claim(
            key(name),
            ClaimFact { volume: Some(format!("pv-{name}").into()), ..ClaimFact::default() },
        ));
        let ebs_id = Some(format!("vol-{name}").into());
        self.0.put(Fact::Volume(format!("pv-{name}"), VolumeFact { ebs: true, ebs_id, claim: Some(key(name)) }));
        self
    }

    fn pod(mut self, name: &str, owner: Option<OwnerFact>, claims: &[&str], label: Option<&str>) -> Self {
        let fact = PodFact {
            uid: format!("uid-{name}").into(),
            phase: PodPhase::Running,
            deleting: false,
            labels: label.map(|label| labels(&[(GROUP, label)])).unwrap_or_default(),
            owners: owner.into_iter().collect(),
            claims: claims.iter().map(|c| (*c).to_owned()).collect(),
            containers: vec!["main".to_owned()],
            own_hooks: false,
            annotations: BTreeMap::new(),
        };
        self.0.put(Fact::Pod(key(name), fact));
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
        facts.sets.get_mut(&key("db")).unwrap().pod_labels = labels(&[(GROUP, "mine")]);
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
        facts.pods.get_mut(&key("job")).unwrap().phase = PodPhase::Ended;
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
            facts.claims.get_mut(&key("db-0-scratch")).unwrap().owners = vec![owner(OwnerKind::Pod, "db-0")];
            facts.claims.get_mut(&key("web-scratch")).unwrap().owners = vec![owner(OwnerKind::Pod, "web")];
        });
    let inventory = cluster.take();
    assert_eq!(
        (claims(&inventory, &of_set("db")), claims(&inventory, &of_namespace())),
        (vec!["db-0-scratch".into()], vec!["web-scratch".into()])
    );
    assert_eq!(inventory.findings, []);
    // While the pod is replaced its claim is nobody's by use, and the set's by its owners all the same.
    let going = cluster.edit(|facts| facts.pods.get_mut(&key("db-0")).unwrap().deleting = true).take();
    assert_eq!(claims(&going, &of_set("db")), ["db-0-scratch"]);
}

#[test]
fn owners_in_a_circle_or_nowhere_are_told_and_nothing_hangs() {
    let cluster = Cluster::default().running("db", 1, 0).edit(|facts| {
        facts.sets.get_mut(&key("db")).unwrap().owners = vec![owner(OwnerKind::Pod, "db-0")];
        facts.claims.get_mut(&key("data-db-0")).unwrap().owners = vec![owner(OwnerKind::StatefulSet, "gone")];
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
        facts.claims.get_mut(&key("a")).unwrap().volume = None;
        facts.claims.get_mut(&key("b")).unwrap().volume = Some("gone".into());
        facts.put(Fact::Claim(key("c"), ClaimFact { volume: Some("pv-a".into()), ..ClaimFact::default() }));
        facts.put(Fact::Claim(key("d"), ClaimFact { volume: Some("pv-a".into()), ..ClaimFact::default() }));
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
    let cluster = Cluster::default().claim("a").claim("b").edit(|facts| facts.volumes.clear());
    assert_eq!(cluster.take().findings, [Finding::KindMissing { kind: FactKind::Volume }]);
    let cluster = Cluster::default().claim("a").claim("b").edit(|facts| facts.claims.clear());
    assert_eq!(cluster.take().findings, [Finding::KindMissing { kind: FactKind::Claim }]);
}

#[test]
fn wishes_of_pods_go_before_their_set_s() {
    let cluster = Cluster::default().running("db", 2, 0).edit(|facts| {
        facts.sets.get_mut(&key("db")).unwrap().annotations = notes(&[("ttl", "720h"), ("priority", "7")]);
        facts.pods.get_mut(&key("db-0")).unwrap().annotations = notes(&[("ttl", "48h"), ("at", "half past")]);
        facts.pods.get_mut(&key("db-1")).unwrap().annotations = notes(&[("ttl", "24h"), ("skip", "true")]);
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
        facts.pods.get_mut(&key("db-0")).unwrap().labels = labels(&[("backup", "yes")]);
    });
    let selector = super::selector_text::parse("backup=yes").unwrap();
    let inventory = take(&cluster.0, &selector);
    assert_eq!(inventory.groups.keys().collect::<Vec<_>>(), [&of_set("db")]);
    assert_eq!((inventory.outside_selector, inventory.findings.len()), (1, 0));
}
