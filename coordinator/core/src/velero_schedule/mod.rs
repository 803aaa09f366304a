//! What a generated Schedule contains: exactly one group, cut together, hooked, kept as long as asked. Everything but its time,
//! which the plan says.

pub mod change;
mod hooks;
mod name;
pub mod object;
mod select;
#[cfg(test)]
mod select_tests;

use std::collections::BTreeMap;

use shared::identity::{GroupKey, Namespace};
use shared::names::{
    ANNOTATION_PLANNED, LABEL_GROUP_NAMESPACE, LABEL_MANAGED_BY, LABEL_SNAPSHOT_GROUP, MANAGED_BY_SCHEDULER,
};

use crate::inventory::facts::Facts;
use crate::inventory::finding::Finding;
use crate::inventory::{Group, Inventory};
use crate::schedule::cron;
use crate::schedule::plan::{Plan, Slot};
pub use hooks::{HookRecipe, OnError};
use object::{BackupSpec, BackupSpecMetadata, Metadata, Schedule, ScheduleSpec};

/// How EBS volumes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotWay {
    /// By the EBS CSI driver (Velero with `--features=EnableCSI`).
    Csi,
    /// By Velero's AWS plugin.
    Native,
}

/// What an operator may set about the content of generated Schedules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Where Velero, and therefore its Schedules, are.
    pub velero_namespace: Namespace,
    /// Velero's storage location, unless a workload says otherwise.
    pub storage_location: String,
    /// How long backups are kept, h, unless a workload says otherwise.
    pub ttl_h: u32,
    /// The hooks, unless `ENSURE_BACKUP_CONSISTENCY=false` leaves them out.
    pub hooks: Option<HookRecipe>,
    /// How volumes are cut.
    pub way: SnapshotWay,
    /// Whether the coordinator puts the group's label onto pods, so that selections may rest on it.
    pub label_pods: bool,
}

/// How long Velero waits for a CSI snapshot's handle: its own default, written down because hooks hold pods that long.
const CSI_SNAPSHOT_TIMEOUT: &str = "10m0s";

/// Kinds that belong to a group. The new, scoped filter: with the old one a list without PersistentVolumes drops them
/// silently (velero `includes_excludes.go`); here they follow their claims.
const RESOURCES: [&str; 3] = ["persistentvolumeclaims", "pods", "statefulsets.apps"];

/// Every Schedule of a plan, by name, and what could not be selected.
pub fn schedules(facts: &Facts, inventory: &Inventory, plan: &Plan, recipe: &Recipe) -> (Vec<Schedule>, Vec<Finding>) {
    let mut names = name::Names::default();
    let mut findings = Vec::new();
    let mut schedules = Vec::new();
    for (key, slot) in &plan.slots {
        let Some(group) = inventory.groups.get(key) else { continue };
        let template = template(facts, key, group, recipe, &mut findings);
        // One cron line says every slot that the planner chose; fixed times may need several lines, and each is a Schedule.
        for (n, line) in cron::lines(slot.minutes()).into_iter().enumerate() {
            schedules.push(Schedule {
                api_version: "velero.io/v1",
                kind: "Schedule",
                metadata: metadata(key, slot, names.give(key, group.workload.name(key), n), recipe),
                spec: ScheduleSpec {
                    schedule: line,
                    skip_immediately: None,
                    use_owner_references_in_backup: false,
                    template: template.clone(),
                },
            });
        }
    }
    findings.sort();
    findings.dedup();
    schedules.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    (schedules, findings)
}

fn metadata(key: &GroupKey, slot: &Slot, name: String, recipe: &Recipe) -> Metadata {
    Metadata {
        name,
        namespace: recipe.velero_namespace.to_string(),
        labels: labels(key),
        annotations: BTreeMap::from([(ANNOTATION_PLANNED.to_owned(), slot.planned.to_string())]),
    }
}

/// On the Schedule, and through its template on every Backup.
fn labels(key: &GroupKey) -> BTreeMap<String, String> {
    [
        (LABEL_MANAGED_BY, MANAGED_BY_SCHEDULER),
        (LABEL_SNAPSHOT_GROUP, key.group.as_str()),
        (LABEL_GROUP_NAMESPACE, key.namespace.as_str()),
    ]
    .map(|(label, value)| (label.to_owned(), value.to_owned()))
    .into()
}

fn template(facts: &Facts, key: &GroupKey, group: &Group, recipe: &Recipe, findings: &mut Vec<Finding>) -> BackupSpec {
    let selection = select::select(facts, key, group, recipe.label_pods);
    findings.extend(selection.finding);
    let hooks = recipe.hooks.as_ref().filter(|_| !group.pods.is_empty());
    let ordered = select::in_order(group);
    let (label_selector, or_label_selectors) = match <[_; 1]>::try_from(selection.any_of) {
        Ok([only]) => (Some(only.into()), None),
        Err(several) if several.is_empty() => (None, None),
        Err(several) => (None, Some(several.into_iter().map(Into::into).collect())),
    };
    BackupSpec {
        metadata: BackupSpecMetadata { labels: labels(key) },
        included_namespaces: vec![key.namespace.to_string()],
        included_namespace_scoped_resources: RESOURCES.map(str::to_owned).to_vec(),
        label_selector,
        or_label_selectors,
        // No spaces: up to 1.18 Velero does not trim, and a name that it does not find tears the group.
        ordered_resources: (ordered.len() > 1).then(|| {
            let pods: Vec<String> = ordered.iter().map(|pod| format!("{}/{pod}", key.namespace)).collect();
            BTreeMap::from([("pods".to_owned(), pods.join(","))])
        }),
        volume_group_snapshot_label_key: match recipe.way {
            // One block for labelled claims, new pods' included; in CSI mode such claims would fail.
            SnapshotWay::Native => Some(LABEL_SNAPSHOT_GROUP.to_owned()),
            SnapshotWay::Csi => None,
        },
        snapshot_volumes: true,
        default_volumes_to_fs_backup: false,
        csi_snapshot_timeout: CSI_SNAPSHOT_TIMEOUT.to_owned(),
        storage_location: group.wishes.storage_location.clone().unwrap_or_else(|| recipe.storage_location.clone()),
        ttl: format!("{}h0m0s", group.wishes.ttl_h.unwrap_or(recipe.ttl_h)),
        hooks: hooks.map(|hooks| hooks::hooks(key, group, hooks, findings)),
    }
}
