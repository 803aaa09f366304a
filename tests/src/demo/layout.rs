//! In which three ways may Velero process the same nightly backup?

use std::time::Duration;

use serde_json::{Value, json};

use super::workloads::{GROUPS, Group, LONER};
use crate::original;
use crate::velero::VeleroSettings;

/// How often the real Velero looks for a CSI snapshot's handle.
pub const REAL_POLL: Duration = Duration::from_secs(5);

/// Enough workers that all pods of the demo's cluster can be hooked at once.
const WORKERS: usize = 32;

/// How Velero processes the night's backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// What every default installation does: hook, cut, release one pod, then the next.
    EachPodAlone,
    /// `orderedResources` lists a group's pods: all hooks, all cuts, all releases.
    OrderedBlock,
    /// Many item block workers: all pods' hooks run at the same time.
    ParallelWorkers,
}

impl Layout {
    /// All, in the order of the demo.
    pub const ALL: [Self; 3] = [Self::EachPodAlone, Self::OrderedBlock, Self::ParallelWorkers];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::EachPodAlone => "Each pod alone: what Velero does by default",
            Self::OrderedBlock => "One ordered block per group: the Backup lists its pods in orderedResources",
            Self::ParallelWorkers => "Parallel workers: Velero runs with --item-block-worker-count=32",
        }
    }

    /// The heading in the table.
    pub fn short(self) -> &'static str {
        match self {
            Self::EachPodAlone => "1. Each pod alone",
            Self::OrderedBlock => "2. One ordered block per group",
            Self::ParallelWorkers => "3. Parallel workers",
        }
    }

    /// What to expect, in two lines.
    pub fn explanation(self) -> [&'static str; 2] {
        match self {
            Self::EachPodAlone => [
                "Velero hooks, cuts and releases one pod after the other. Every cut is clean, but the members",
                "of a group are cut at different moments, and no hook can change that.",
            ],
            Self::OrderedBlock => [
                "One Backup per group. Velero runs all pre hooks of the group, then all cuts, then all post hooks:",
                "everybody is still while anybody is cut. No change to Velero is needed (1.15 or later).",
            ],
            Self::ParallelWorkers => [
                "All hooks start at the same time. Each group meets at a barrier, takes its share of the budget",
                "and is released by one write. The cuts happen side by side.",
            ],
        }
    }

    /// The layout of the original's model.
    pub fn of_original(self) -> original::Layout {
        match self {
            Self::EachPodAlone => original::Layout::EachPodAlone,
            Self::OrderedBlock => original::Layout::OneBlock,
            Self::ParallelWorkers => original::Layout::ParallelWorkers(WORKERS),
        }
    }

    /// How often the simulated Velero polls. In parallel the polls run side by side, so they may be slower: closer to the truth.
    pub fn poll(self) -> Duration {
        match self {
            Self::EachPodAlone | Self::OrderedBlock => Duration::from_millis(250),
            Self::ParallelWorkers => Duration::from_millis(1_250),
        }
    }

    /// How much faster than the real one it polls.
    pub fn speed_up(self) -> u128 {
        REAL_POLL.as_millis() / self.poll().as_millis()
    }

    /// How long after its request a volume is cut. In parallel, twenty hooks that return at once share this machine's cores; the
    /// last must have returned when the first volume is cut, as it has where each pod has a node of its own.
    pub fn cut_delay(self) -> Duration {
        match self {
            Self::EachPodAlone | Self::OrderedBlock => Duration::from_millis(50),
            Self::ParallelWorkers => Duration::from_millis(500),
        }
    }

    /// The simulated Velero.
    pub fn velero(self) -> VeleroSettings {
        let workers = match self {
            Self::EachPodAlone | Self::OrderedBlock => 1,
            Self::ParallelWorkers => WORKERS,
        };
        VeleroSettings {
            csi_poll: self.poll(),
            cut_delay: self.cut_delay(),
            item_block_workers: workers,
            ..VeleroSettings::quick()
        }
    }

    /// The night's Backups: name and spec.
    pub fn backups(self) -> Vec<(String, Value)> {
        let everything = |name: &str| {
            let namespaces: Vec<&str> = GROUPS.iter().map(|group| group.namespace).chain([LONER.0]).collect();
            vec![(name.to_owned(), json!({"includedNamespaces": namespaces}))]
        };
        match self {
            Self::EachPodAlone => everything("nightly-1"),
            Self::OrderedBlock => GROUPS.iter().map(ordered).collect(),
            Self::ParallelWorkers => everything("nightly-3"),
        }
    }

    /// The Backup in which a group is.
    pub fn backup_of(self, group: &Group) -> String {
        match self {
            Self::EachPodAlone => "nightly-1".to_owned(),
            Self::OrderedBlock => format!("nightly-2-{}", group.namespace),
            Self::ParallelWorkers => "nightly-3".to_owned(),
        }
    }
}

fn ordered(group: &Group) -> (String, Value) {
    let mut spec = json!({"includedNamespaces": [group.namespace]});
    if group.pods > 1 {
        let pod = |ordinal| format!("{}/{}-{ordinal}", group.namespace, group.workload);
        spec["orderedResources"] = json!({"pods": (0..group.pods).map(pod).collect::<Vec<_>>().join(",")});
    }
    (Layout::OrderedBlock.backup_of(group), spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_in_one_backup_of_each_layout() {
        for layout in Layout::ALL {
            let backups = layout.backups();
            for group in &GROUPS {
                let found = backups.iter().find(|(name, _)| *name == layout.backup_of(group)).map(|(_, spec)| spec);
                let namespaces = found.map(|spec| spec["includedNamespaces"].to_string()).unwrap_or_default();
                assert!(namespaces.contains(&format!("\"{}\"", group.namespace)), "{layout:?} {group:?}");
            }
        }
    }

    #[test]
    fn an_ordered_list_has_no_spaces() {
        let (_, spec) = ordered(&GROUPS[2]);
        assert_eq!(spec["orderedResources"]["pods"], "shop/db-0,shop/db-1,shop/db-2");
    }
}
