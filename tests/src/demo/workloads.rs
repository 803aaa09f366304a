//! Which workloads does the demo's cluster hold?

use shared::identity::GroupKey;

use crate::pair::{group_of_namespace, group_of_set};
use crate::velero::cluster::Workload;

/// The budget: the coordinator's default.
pub const BUDGET: u32 = 5;

/// Who owns a group's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    StatefulSet,
    Deployment,
}

/// A snapshot group of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its workload's name.
    pub workload: &'static str,
    /// Pods.
    pub pods: u32,
    /// Volumes of each pod.
    pub volumes_per_pod: u32,
    kind: Kind,
}

/// All groups, in the order in which Velero lists their namespaces.
pub const GROUPS: [Group; 4] = [
    Group { namespace: "mail", workload: "store", pods: 2, volumes_per_pod: 2, kind: Kind::StatefulSet },
    Group { namespace: "search", workload: "index", pods: 20, volumes_per_pod: 1, kind: Kind::StatefulSet },
    Group { namespace: "shop", workload: "db", pods: 3, volumes_per_pod: 1, kind: Kind::StatefulSet },
    Group { namespace: "wiki", workload: "pages", pods: 1, volumes_per_pod: 1, kind: Kind::Deployment },
];

/// A pod without volumes: in no group.
pub const LONER: (&str, &str) = ("web", "front");

impl Group {
    /// How people call it: `shop/db`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.namespace, self.workload)
    }

    /// Volumes in all.
    pub fn volumes(&self) -> u32 {
        self.pods * self.volumes_per_pod
    }

    /// What the coordinator calls it.
    pub fn key(&self) -> GroupKey {
        match self.kind {
            Kind::StatefulSet => group_of_set(self.namespace, self.workload),
            Kind::Deployment => group_of_namespace(self.namespace),
        }
    }

    /// What is put into the cluster.
    pub fn workload(&self) -> Workload {
        let names: &[&str] = if self.volumes_per_pod == 1 { &["data"] } else { &["data", "log"] };
        match self.kind {
            Kind::StatefulSet => Workload::stateful_set(self.namespace, self.workload, self.pods).claims(names),
            Kind::Deployment => Workload::deployment(self.namespace, self.workload).claims(names),
        }
    }
}

/// The group of a pod or claim in this namespace: each namespace of the demo holds one at most.
pub fn group_in(namespace: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.namespace == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_shows_what_matters() {
        let weights = GROUPS.map(|group| group.volumes());
        assert!(weights.iter().any(|weight| *weight > BUDGET), "one is bigger than the whole budget");
        assert!(weights.iter().filter(|weight| **weight <= BUDGET).count() >= 3, "the others fit");
        assert!(weights.iter().filter(|weight| **weight <= BUDGET).sum::<u32>() > BUDGET, "but not all at once");
        assert!(group_in("web").is_none() && group_in("shop").is_some());
    }
}
