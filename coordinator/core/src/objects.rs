//! The API objects that decisions look at, cut down to the fields they use. The shell fills them in.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use shared::identity::{Namespace, PodName};
use shared::time::WallTime;

use crate::annotations::Annotations;
use crate::inventory::labels::Labels;
pub use crate::pod::{Pattern, Pod};
use crate::uid::Uid;

/// Namespace and name of a namespaced object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The object's namespace.
    pub namespace: Namespace,
    /// The object's name.
    pub name: String,
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A pod by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodKey {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: PodName,
}

impl std::fmt::Display for PodKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// `status.phase` of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all containers started yet.
    Pending,
    /// At least one container runs.
    Running,
    /// Ended; Velero skips its hooks.
    Ended,
}

/// The controller of a pod, as its ownerReferences say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A StatefulSet of the pod's namespace.
    StatefulSet(Arc<str>),
    /// Anything else (ReplicaSet, Job, …).
    Other,
}

/// What a pod's own annotations say about its pre hook. Where they name one, a Backup's `spec.hooks` do not count for this
/// pod (velero `internal/hook/item_hook_handler.go`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreHook {
    /// None is named.
    #[default]
    None,
    /// One whose command runs our agent.
    Ours,
    /// Somebody else's.
    Other,
}

/// What an ownerReference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerKind {
    /// `apps` StatefulSet.
    StatefulSet,
    /// Core Pod.
    Pod,
    /// Anything that is not known here.
    Other,
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerRef {
    /// What it points to.
    pub kind: OwnerKind,
    /// The owner's name, in the same namespace.
    pub name: Arc<str>,
    /// The owner's uid.
    pub uid: Uid,
    /// Whether it is the controller.
    pub controller: bool,
}

impl OwnerRef {
    /// The one that is the controller.
    pub fn controller(kind: OwnerKind, name: &str, uid: &str) -> Self {
        Self { kind, name: name.into(), uid: uid.into(), controller: true }
    }
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `spec.volumeName`: the PersistentVolume that it is bound to.
    pub volume: Option<Arc<str>>,
    /// What is written on it.
    pub marks: Arc<ClaimMarks>,
}

/// What is written on a claim: mostly the same on all claims of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimMarks {
    /// Its labels.
    pub labels: Labels,
    /// Its group label is the coordinator's own, and nobody has changed it since: [`shared::names::ANNOTATION_LABELLED_AS`] says the same.
    pub own_label: bool,
    /// Its owners.
    pub owners: Box<[OwnerRef]>,
    /// What a person wrote for this product.
    pub annotations: Annotations,
    /// `metadata.uid`, kept only where there are annotations: who tells of them needs it.
    pub uid_of_annotated: Uid,
}

impl Claim {
    /// A claim with nothing written on it.
    pub fn new(key: ObjectKey, volume: Option<&str>) -> Self {
        Self { key, volume: volume.map(Into::into), marks: Arc::default() }
    }
}

/// A PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: Arc<str>,
    /// Whether EBS holds it (CSI, in-tree, or migrated).
    pub ebs: bool,
    /// The EBS volume's id (`vol-…`), where it is said.
    pub ebs_id: Option<Box<str>>,
    /// `spec.claimRef`: the claim that it is bound to.
    pub claim: Option<ObjectKey>,
}

/// A StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatefulSet {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `spec.replicas` (1 where it is not said, as the API defaults it).
    pub replicas: u32,
    /// `spec.ordinals.start`.
    pub start: u32,
    /// Names of `spec.volumeClaimTemplates`.
    pub templates: Box<[Box<str>]>,
    /// `spec.selector.matchLabels`; `None` where the selector has expressions as well, and is no plain set of labels.
    pub selector: Option<Labels>,
    /// Labels of the pod template.
    pub pod_labels: Labels,
    /// What a person wrote for this product, on the set.
    pub annotations: Annotations,
    /// Its owners.
    pub owners: Box<[OwnerRef]>,
}

impl StatefulSet {
    /// A set of one pod, of which nothing else is known.
    pub fn new(key: ObjectKey, uid: Uid) -> Self {
        Self {
            key,
            uid,
            replicas: 1,
            start: 0,
            templates: Box::default(),
            selector: None,
            pod_labels: Labels::default(),
            annotations: Annotations::default(),
            owners: Box::default(),
        }
    }
}

/// A hash of an object's name, by which watches know what they told of: in a cluster of 100,000 two names share one once in a thousand
/// million clusters. A cluster-wide object's namespace is empty.
pub fn name_print(namespace: &str, name: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    hash.write(namespace.as_bytes());
    hash.write(b"/");
    hash.write(name.as_bytes());
    hash.finish()
}

/// How far a Backup is, as far as rounds care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupPhase {
    /// Not started: New, Queued, ReadyToStart, or no phase.
    Pending,
    /// Its hooks run and its volumes are cut.
    InProgress,
    /// Cuts are over: waiting for plugin operations, finalizing, or ended in any way.
    CutsOver,
}

/// How a Backup ended that nothing can be restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupFailure {
    /// `FailedValidation`: Velero did not begin, because a storage location is unavailable for example.
    Refused,
    /// `Failed`: Velero stopped in the middle, or could not store it.
    Failed,
}

/// One entry of a Backup's `spec.hooks.resources` whose pre hook runs our agent: the pods that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookScope {
    /// Empty or `*` is all.
    pub included_namespaces: Vec<String>,
    /// None of these.
    pub excluded_namespaces: Vec<String>,
    /// Empty is everything.
    pub selector: Selector,
}

/// One term of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// `key in (values)`; equality is one value.
    In(String, BTreeSet<String>),
    /// `key notin (values)`; true for pods without the key.
    NotIn(String, BTreeSet<String>),
    /// The key is there.
    Exists(String),
    /// The key is not there.
    DoesNotExist(String),
}

/// All terms must hold; an empty one selects everything.
pub type Selector = Vec<Requirement>;

/// A Velero Backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Namespace (Velero's) and name.
    pub key: ObjectKey,
    /// `metadata.uid`.
    pub uid: String,
    /// `status.startTimestamp`: when Velero began, by its clock, to the second.
    pub started_at: Option<WallTime>,
    /// Whether it ended without anything to restore.
    pub failure: Option<BackupFailure>,
    /// How far it is.
    pub phase: BackupPhase,
    /// `spec.includedNamespaces`; empty or `*` is all.
    pub included_namespaces: Vec<String>,
    /// `spec.excludedNamespaces`.
    pub excluded_namespaces: Vec<String>,
    /// Whether its resource filters let pods in: without pods no hook runs.
    pub includes_pods: bool,
    /// Whose pre hooks it brings itself, as far as they run our agent.
    pub hooks: Vec<HookScope>,
    /// `spec.labelSelector` as one, or `spec.orLabelSelectors` as any; empty is everything.
    pub any_of: Vec<Selector>,
    /// `spec.orderedResources.pods`, split at commas and not trimmed, as Velero reads it.
    pub ordered_pods: Vec<String>,
    /// Its annotations that are receipts, by name ([`shared::names::receipt_annotation`]).
    pub receipts: BTreeSet<String>,
}

/// A CSI snapshot of a claim that was asked for, cut or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedCut {
    /// Namespace and name of the claim.
    pub claim: ObjectKey,
    /// The VolumeSnapshot's own name.
    pub snapshot: String,
    /// The Backup that asked for it (label `velero.io/backup-name`).
    pub backup: Option<String>,
}

/// A CSI snapshot of a claim, as VolumeSnapshot and VolumeSnapshotContent show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Namespace and name of the claim that was cut.
    pub claim: ObjectKey,
    /// The VolumeSnapshot's own name: two cuts of one claim differ in it.
    pub snapshot: String,
    /// The Backup that asked for it (label `velero.io/backup-name`).
    pub backup: Option<String>,
    /// When EC2 made it (`status.creationTime`), once `status.snapshotHandle` is there; the point lies from here to `resolution_ms` later.
    pub at: WallTime,
    /// How coarse `at` is, ms.
    pub resolution_ms: u64,
}
