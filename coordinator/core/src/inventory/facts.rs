//! What is kept of each API object: the fields that the inventory is made of, and nothing else.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use shared::identity::GroupKey;
use shared::time::WallTime;

use super::finding::Finding;
use crate::by_key::{ByKey, Entry, Keyed};
use crate::objects::{Claim, ObjectKey, Pod, StatefulSet, Volume};

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

/// A Velero Schedule.
#[expect(clippy::struct_excessive_bools, reason = "four facts that Velero and users set apart from each other")]
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
    /// Whether `spec.skipImmediately` is `true`: Velero was asked, and has not looked since.
    pub asks_to_skip: bool,
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
    /// A PersistentVolume.
    Volume(Volume),
    /// A PersistentVolumeClaim.
    Claim(Claim),
    /// A StatefulSet.
    StatefulSet(StatefulSet),
    /// A Pod.
    Pod(Pod),
    /// A Schedule.
    Schedule(ObjectKey, ScheduleFact),
    /// A Backup.
    Backup(ObjectKey, BackupFact),
}

/// Everything that is known of a cluster: read from files or an API server, or as watches see it
/// ([`crate::step::State::facts`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// PersistentVolumes by name.
    pub volumes: ByKey<Volume>,
    /// PersistentVolumeClaims.
    pub claims: ByKey<Claim>,
    /// StatefulSets.
    pub sets: ByKey<StatefulSet>,
    /// Pods.
    pub pods: ByKey<Pod>,
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
            Fact::Volume(volume) => {
                let name = volume.name.to_string();
                clash_of(&mut self.volumes, volume).then_some((FactKind::Volume, name))
            }
            Fact::Claim(claim) => {
                let name = claim.key.to_string();
                clash_of(&mut self.claims, claim).then_some((FactKind::Claim, name))
            }
            Fact::StatefulSet(set) => {
                let name = set.key.to_string();
                clash_of(&mut self.sets, set).then_some((FactKind::StatefulSet, name))
            }
            Fact::Pod(pod) => {
                let name = pod.key.to_string();
                clash_of(&mut self.pods, pod).then_some((FactKind::Pod, name))
            }
            Fact::Schedule(key, fact) => keep_first(&mut self.schedules, key, fact).map(|n| (FactKind::Schedule, n)),
            Fact::Backup(key, fact) => keep_first(&mut self.backups, key, fact).map(|n| (FactKind::Backup, n)),
        };
        if let Some((kind, name)) = clash {
            self.findings.push(Finding::Duplicate { kind, name });
        }
    }

    /// Fills the trees' nodes once all is in: what comes in order, as a list does, leaves them half empty.
    pub fn pack(&mut self) {
        self.volumes.pack();
        self.claims.pack();
        self.pods.pack();
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

/// Puts it, unless another stands there; whether that one differs.
fn clash_of<T: Keyed + PartialEq>(held: &mut ByKey<T>, object: T) -> bool
where
    Entry<T>: Borrow<T::Key>,
{
    if let Some(known) = held.get(object.key()) {
        return *known != object;
    }
    held.put(object);
    false
}

/// Puts it, unless another stands there; gives the name when that one differs.
fn keep_first<F: PartialEq>(map: &mut BTreeMap<ObjectKey, F>, key: ObjectKey, fact: F) -> Option<String> {
    match map.get(&key) {
        None => {
            map.insert(key, fact);
            None
        }
        Some(held) => (*held != fact).then(|| key.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_stays_and_the_same_twice_is_fine() {
        let mut facts = Facts::default();
        let one = Volume { name: "pv".into(), ebs: true, ..Volume::default() };
        facts.put(Fact::Volume(one.clone()));
        facts.put(Fact::Volume(one.clone()));
        assert!(facts.findings.is_empty());
        facts.put(Fact::Volume(Volume { ebs: false, ..one.clone() }));
        assert_eq!(facts.findings, [Finding::Duplicate { kind: FactKind::Volume, name: "pv".into() }]);
        assert_eq!((facts.volumes.get("pv"), facts.len()), (Some(&one), 1));
    }
}
