//! What there is to back up: the cluster's EBS volumes, whose they are, and which group each is cut with.
//!
//! [`facts::Facts`] hold what was read, cut down; [`take()`] turns them into groups, by the rules that pods are labelled by
//! ([`crate::grouping`]), and says what it found odd. The same facts give the same inventory, whatever order they came in.

mod assign;
pub mod demands;
mod ebs;
pub mod facts;
pub mod finding;
pub mod labels;
mod owners;
pub mod selector_text;
mod templates;
pub mod wishes;

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::identity::GroupKey;

pub use assign::{LABEL_POD_NAME, take};
use finding::Finding;
use wishes::Wishes;

use crate::objects::Pattern;

/// What a group stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// One StatefulSet, by name.
    StatefulSet(String),
    /// The namespace's volumes that no StatefulSet owns.
    OtherVolumes,
    /// What a person labelled, and is neither of the others.
    Labelled,
}

impl Workload {
    /// How people call it within its namespace.
    pub fn name<'a>(&'a self, group: &'a GroupKey) -> &'a str {
        match self {
            Self::StatefulSet(name) => name,
            Self::OtherVolumes => "volumes",
            Self::Labelled => group.group.as_str(),
        }
    }
}

/// A pod of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it has in common with others, its containers among it.
    pub pattern: Arc<Pattern>,
    /// It carries Velero's hook annotations, which win over the hooks of a Schedule.
    pub own_hooks: bool,
    /// It carries the group's label already.
    pub labelled: bool,
    /// It carries `statefulset.kubernetes.io/pod-name`.
    pub named_by_set: bool,
}

/// A claim of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its PersistentVolume.
    pub volume: String,
    /// Its EBS volume's id, where it is said.
    pub ebs_id: Option<String>,
    /// Whether a pod of the group uses it: Velero comes to other claims by their own labels only.
    pub used: bool,
}

/// What is cut together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What it stands for.
    pub workload: Workload,
    /// Its live pods, by name.
    pub pods: BTreeMap<String, Member>,
    /// Its EBS claims, by name.
    pub claims: BTreeMap<String, Held>,
    /// What its owner wishes.
    pub wishes: Wishes,
}

/// Everything that is to be backed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every group that has an EBS volume.
    pub groups: BTreeMap<GroupKey, Group>,
    /// EBS volumes in all, those that no group holds included.
    pub ebs_volumes: usize,
    /// EBS claims that `--resource-label-selector` leaves out.
    pub outside_selector: usize,
    /// What is odd, sorted, each once.
    pub findings: Vec<Finding>,
}

impl Inventory {
    /// EBS volumes that a group holds.
    pub fn grouped_volumes(&self) -> usize {
        self.groups.values().map(|group| group.claims.len()).sum()
    }
}

#[cfg(test)]
mod assign_tests;
