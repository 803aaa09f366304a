//! What a plan leaves for those who apply and tell it; the rest of a large cluster's facts is let go of.

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator_core::inventory::facts::Facts;
use coordinator_core::inventory::finding::Finding;
use coordinator_core::schedule::plan::Feasibility;
use coordinator_core::schedule_apply::claim_labels::ClaimLabel;
use coordinator_core::velero_schedule::change::Change;
use coordinator_core::velero_schedule::object::Schedule;
use shared::time::WallTime;

use crate::cli::LabelSelector;
use crate::page::Planned;
use crate::plan::made::Made;

/// A plan in short.
#[derive(Debug)]
pub struct Found {
    /// What is to stand in the cluster.
    pub schedules: Vec<Schedule>,
    /// What that changes.
    pub changes: BTreeMap<String, Change>,
    /// Claims whose label is to be another.
    pub claim_labels: Vec<ClaimLabel>,
    /// What is odd.
    pub findings: Vec<Finding>,
    /// Whether it fits.
    pub feasibility: Feasibility,
    /// Groups that are planned.
    pub groups: usize,
    /// EBS volumes that the cluster has.
    pub volumes: usize,
    /// Those of them that are in groups.
    pub grouped_volumes: usize,
    /// What is shown of it.
    pub planned: Arc<Planned>,
}

/// Why nothing is to be backed up, where that may be a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty<'a> {
    /// The cluster shows no EBS volume.
    NoVolume,
    /// It has some, and this selector has no group with one.
    NoneSelected(&'a str),
}

impl Found {
    /// Of a plan that was made then.
    pub fn new(made: Made, facts: &Facts, at: WallTime) -> Self {
        let planned = Arc::new(Planned::of(&made, at));
        Self {
            schedules: made.schedules,
            changes: made.changes,
            claim_labels: made.claim_labels,
            findings: made.findings,
            feasibility: made.plan.feasibility,
            groups: made.plan.slots.len(),
            volumes: facts.volumes.values().filter(|volume| volume.ebs).count(),
            grouped_volumes: made.inventory.grouped_volumes(),
            planned,
        }
    }

    /// Whether there is nothing to back up, for a reason that may be another than a cluster without databases.
    pub fn empty<'a>(&self, selector: Option<&'a LabelSelector>) -> Option<Empty<'a>> {
        match selector {
            _ if self.volumes == 0 => Some(Empty::NoVolume),
            Some(selector) if self.groups == 0 => Some(Empty::NoneSelected(&selector.text)),
            _ => None,
        }
    }
}
