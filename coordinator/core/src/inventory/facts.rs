//! What is kept of each API object: the fields that the inventory is made of, and nothing else.

use std::collections::BTreeMap;
use std::fmt;

use shared::identity::GroupKey;
use shared::time::WallTime;

use super::finding::Finding;
use super::labels::Labels;
use crate::objects::{ObjectKey, PodPhase};

/// The product's own annotations of an object (`snapshot-group.velero.io/…`), without their common prefix.
pub type Annotations = BTreeMap<String, String>;

/// The kinds that the inventory is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// `persistentvolumes`.
    Volume,
    /// `persistentvolumeclaims`.
    Claim,
    /// `statefulsets.apps`.
    StatefulSet,
    /// `pods`.
    Pod,
    /// `schedules.velero.io`.
    Schedule,
    /// `backups.velero.io`.
    Backup,
}

impl FactKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Volume, Self::Claim, Self::StatefulSet, Self::Pod, Self::Schedule, Self::Backup];

    /// The kind as Kubernetes writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "PersistentVolume",
            Self::Claim => "PersistentVolumeClaim",
            Self::StatefulSet => "StatefulSet",
            Self::Pod => "Pod",
            Self::Schedule => "Schedule",
            Self::Backup => "Backup",
        }
    }

    /// What `kubectl get` calls it.
    pub const fn kubectl(self) -> &'static str {
        match self {
            Self::Volume => "pv",
            Self::Claim => "pvc",
            Self::StatefulSet => "sts",
            Self::Pod => "pods",
            Self::Schedule => "schedules.velero.io",
            Self::Backup => "backups.velero.io",
        }
    }
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an ownerReference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerKind {
    /// `apps` StatefulSet.
    StatefulSet,
    /// Core Pod.
    Pod,
    /// Anything that the inventory does not hold.
    Other,
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerFact {
    /// What it points to.
    pub kind: OwnerKind,
    /// The owner's name, in the same namespace.
    pub name: String,
    /// The owner's uid.
    pub uid: Box<str>,
    /// Whether it is the controller.
    pub controller: bool,
}

/// A PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFact {
    /// Whether EBS holds it (CSI, in-tree, or migrated).
    pub ebs: bool,
    /// The EBS volume's id (`vol-…`), where it is said.
    pub ebs_id: Option<Box<str>>,
    /// `spec.claimRef`.
    pub claim: Option<ObjectKey>,
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimFact {
    /// `spec.volumeName`.
    pub volume: Option<Box<str>>,
    /// Its labels.
    pub labels: Labels,
    /// Its owners.
    pub owners: Vec<OwnerFact>,
    /// What a person wrote for this product.
    pub annotations: Annotations,
    /// `metadata.uid`, kept only where there are annotations: who tells of them needs it, and a cluster has many claims.
    pub uid_of_annotated: Option<Box<str>>,
}

/// A StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetFact {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `spec.replicas` (1 where it is not said, as the API defaults it).
    pub replicas: u32,
    /// `spec.ordinals.start`.
    pub start: u32,
    /// Names of `spec.volumeClaimTemplates`.
    pub templates: Vec<String>,
    /// `spec.selector.matchLabels`; `None` where the selector has expressions as well, and is no plain set of labels.
    pub selector: Option<Labels>,
    /// Labels of the pod template.
    pub pod_labels: Labels,
    /// The pod template's first container.
    pub container: Option<String>,
    /// What a person wrote for this product, on the set.
    pub annotations: Annotations,
    /// Its owners.
    pub owners: Vec<OwnerFact>,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFact {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// How far it is.
    pub phase: PodPhase,
    /// It is being deleted.
    pub deleting: bool,
    /// Its labels.
    pub labels: Labels,
    /// Its owners.
    pub owners: Vec<OwnerFact>,
    /// Claims that its volumes use, generic ephemeral ones included, sorted.
    pub claims: Vec<String>,
    /// Its containers' names, in the pod's order (init containers are no place for a hook).
    pub containers: Vec<String>,
    /// Whether it carries Velero's own hook annotations: they win over the hooks of a Schedule.
    pub own_hooks: bool,
    /// What a person wrote for this product.
    pub annotations: Annotations,
}

/// A Velero Schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleFact {
    /// Whether this product made it (its label says so).
    pub ours: bool,
    /// The group that it backs up, where its labels say so.
    pub group: Option<GroupKey>,
    /// `spec.schedule`.
    pub cron: String,
    /// `spec.paused`.
    pub paused: bool,
    /// Whether this product paused it ([`shared::names::ANNOTATION_PAUSED_BY`]), not a person.
    pub paused_by_breaker: bool,
    /// `metadata.creationTimestamp`.
    pub created: Option<WallTime>,
    /// `spec.template` as canonical JSON, for comparing; empty for Schedules that are not ours.
    pub template: Box<str>,
    /// `spec.template.includedNamespaces`, empty for all.
    pub namespaces: Vec<String>,
    /// The annotation that says what its slot was planned for, as written.
    pub planned: Option<Box<str>>,
}

/// A Velero Backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupFact {
    /// The Schedule that made it (label `velero.io/schedule-name`).
    pub schedule: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// `status.startTimestamp`.
    pub started: Option<WallTime>,
    /// `status.completionTimestamp`.
    pub completed: Option<WallTime>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A PersistentVolume, by its name.
    Volume(String, VolumeFact),
    /// A PersistentVolumeClaim.
    Claim(ObjectKey, ClaimFact),
    /// A StatefulSet.
    StatefulSet(ObjectKey, SetFact),
    /// A Pod.
    Pod(ObjectKey, PodFact),
    /// A Schedule.
    Schedule(ObjectKey, ScheduleFact),
    /// A Backup.
    Backup(ObjectKey, BackupFact),
}

/// Everything that was read of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// PersistentVolumes by name.
    pub volumes: BTreeMap<String, VolumeFact>,
    /// PersistentVolumeClaims.
    pub claims: BTreeMap<ObjectKey, ClaimFact>,
    /// StatefulSets.
    pub sets: BTreeMap<ObjectKey, SetFact>,
    /// Pods.
    pub pods: BTreeMap<ObjectKey, PodFact>,
    /// Schedules.
    pub schedules: BTreeMap<ObjectKey, ScheduleFact>,
    /// Backups.
    pub backups: BTreeMap<ObjectKey, BackupFact>,
    /// What was wrong with what was read.
    pub findings: Vec<Finding>,
}

impl Facts {
    /// Takes an object. Of two different ones with one name the first stays, and a finding says so; the same one twice
    /// (files of two `kubectl get` that overlap) is nothing to speak of.
    pub fn put(&mut self, fact: Fact) {
        let clash = match fact {
            Fact::Volume(name, fact) => keep_first(&mut self.volumes, name, fact).map(|n| (FactKind::Volume, n)),
            Fact::Claim(key, fact) => clash_of(&mut self.claims, key, fact, FactKind::Claim),
            Fact::StatefulSet(key, fact) => clash_of(&mut self.sets, key, fact, FactKind::StatefulSet),
            Fact::Pod(key, fact) => clash_of(&mut self.pods, key, fact, FactKind::Pod),
            Fact::Schedule(key, fact) => clash_of(&mut self.schedules, key, fact, FactKind::Schedule),
            Fact::Backup(key, fact) => clash_of(&mut self.backups, key, fact, FactKind::Backup),
        };
        if let Some((kind, name)) = clash {
            self.findings.push(Finding::Duplicate { kind, name });
        }
    }

    /// Fills the trees' nodes once all is in: what comes in order, as a list does, leaves them half empty.
    pub fn pack(&mut self) {
        self.volumes = std::mem::take(&mut self.volumes).into_iter().collect();
        self.claims = std::mem::take(&mut self.claims).into_iter().collect();
        self.pods = std::mem::take(&mut self.pods).into_iter().collect();
    }

    /// How many objects are held.
    pub fn len(&self) -> usize {
        FactKind::ALL.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects of a kind are held.
    pub fn count(&self, kind: FactKind) -> usize {
        match kind {
            FactKind::Volume => self.volumes.len(),
            FactKind::Claim => self.claims.len(),
            FactKind::StatefulSet => self.sets.len(),
            FactKind::Pod => self.pods.len(),
            FactKind::Schedule => self.schedules.len(),
            FactKind::Backup => self.backups.len(),
        }
    }
}

fn clash_of<F: PartialEq>(
    map: &mut BTreeMap<ObjectKey, F>,
    key: ObjectKey,
    fact: F,
    kind: FactKind,
) -> Option<(FactKind, String)> {
    keep_first(map, key, fact).map(|key| (kind, key.to_string()))
}

/// Puts it, unless another stands there; gives the name when that one differs.
fn keep_first<K: Ord + Clone, F: PartialEq>(map: &mut BTreeMap<K, F>, key: K, fact: F) -> Option<K> {
    match map.get(&key) {
        None => {
            map.insert(key, fact);
            None
        }
        Some(held) => (*held != fact).then_some(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_stays_and_the_same_twice_is_fine() {
        let mut facts = Facts::default();
        let one = VolumeFact { ebs: true, ..VolumeFact::default() };
        facts.put(Fact::Volume("pv".into(), one.clone()));
        facts.put(Fact::Volume("pv".into(), one.clone()));
        assert!(facts.findings.is_empty());
        facts.put(Fact::Volume("pv".into(), VolumeFact::default()));
        assert_eq!(facts.findings, [Finding::Duplicate { kind: FactKind::Volume, name: "pv".into() }]);
        assert_eq!((facts.volumes["pv"].clone(), facts.len()), (one, 1));
    }
}
