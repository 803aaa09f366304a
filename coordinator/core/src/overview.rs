//! What somebody who looks on may know: groups as their Leases stand, the budget and its limit. The same for who leads and who stands by.

use std::collections::BTreeSet;

use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::identity::{GroupId, GroupKey};
use shared::limiter_lease::LimiterLease;
use shared::member_lease::MemberLease;
use shared::names::{BUDGET_LEASE, LIMITER_LEASE};

use crate::mode::{MODE_RULE, parse};
use crate::objects::Owner;
use crate::policy::Complaint;
use crate::state::State;
use crate::stored::Stored;
use crate::time::Now;

/// A group that has pods, a Lease, or members that registered.
#[derive(Clone, Debug)]
pub struct KnownGroup<'a> {
    /// Which.
    pub key: &'a GroupKey,
    /// What its Lease says, where it has one that makes sense.
    pub lease: Option<&'a GroupLease>,
    /// Its members' Leases, by name.
    pub members: Vec<&'a MemberLease>,
    /// Live pods.
    pub pods: usize,
    /// EBS volumes of its pods.
    pub volumes: u32,
    /// What its pods belong to: a StatefulSet's name, or `volumes` for a namespace's other pods. None where a person chose the group.
    pub workload: Option<String>,
    /// Annotations of its workload that say something impossible.
    pub ignored: Vec<Complaint>,
}

/// A Lease under one of this product's names that nothing can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddLease {
    /// Namespace and name; of a group's, the group.
    pub lease: String,
    /// It is somebody else's, or of another version, and left alone. Else it is written anew.
    pub foreign: bool,
}

impl State {
    /// Whether this process leads.
    pub const fn leads(&self) -> bool {
        self.leading
    }

    /// Every group, in order.
    pub fn known_groups(&self) -> impl Iterator<Item = KnownGroup<'_>> {
        let with_pods = self.world.groups();
        let keys: BTreeSet<&GroupKey> = with_pods.chain(self.groups.keys()).chain(self.members_of.keys()).collect();
        keys.into_iter().map(|key| self.known_group(key)).filter(|group| {
            let KnownGroup { lease, members, pods, .. } = group;
            lease.is_some() || !members.is_empty() || *pods > 0
        })
    }

    fn known_group<'a>(&'a self, key: &'a GroupKey) -> KnownGroup<'a> {
        let members = self.members_of.get(key).into_iter().flatten();
        KnownGroup {
            key,
            lease: self.groups.get(key).and_then(|record| record.stored.content()),
            members: members.filter_map(|lease| self.members.get(lease)).map(|member| &member.lease).collect(),
            pods: self.world.pods_of(key).filter(|pod| pod.is_live()).count(),
            volumes: self.world.weight(key),
            workload: self.workload_name(key),
            ignored: self.ignored_annotations(key),
        }
    }

    fn workload_name(&self, key: &GroupKey) -> Option<String> {
        let set = self.world.pods_of(key).find_map(|pod| match pod.owner() {
            Some(Owner::StatefulSet(name)) => Some(name),
            Some(Owner::Other) | None => None,
        });
        match set {
            Some(name) if GroupId::for_stateful_set(&key.namespace, &name) == key.group => Some(name.to_string()),
            _ => (GroupId::for_namespace_volumes(&key.namespace) == key.group).then(|| "volumes".to_owned()),
        }
    }

    fn ignored_annotations(&self, key: &GroupKey) -> Vec<Complaint> {
        let mode = self.world.annotation(key, "mode").filter(|(_, value)| parse(value).is_none());
        let mode = mode.map(|(object, value)| Complaint { annotation: "mode", object, value, rule: MODE_RULE });
        mode.into_iter().chain(self.policy_of(key).1).collect()
    }

    /// The budget as it stands written.
    pub fn budget_lease(&self) -> Option<&BudgetLease> {
        self.budget.content()
    }

    /// The limit with its signals: by what is known now where this process leads, else as the leader wrote it.
    pub fn limiter_lease(&self, now: Now) -> Option<LimiterLease> {
        if self.leading { Some(self.wanted_lease(now)) } else { self.limit.stored.content().cloned() }
    }

    /// Leases under this product's names that nothing can be made of.
    pub fn odd_leases(&self) -> Vec<OddLease> {
        let own = |name: &str| format!("{}/{name}", self.settings.namespace);
        let budget = odd(&self.budget).map(|foreign| OddLease { lease: own(BUDGET_LEASE), foreign });
        let limiter = odd(&self.limit.stored).map(|foreign| OddLease { lease: own(LIMITER_LEASE), foreign });
        let groups = self.groups.iter().filter_map(|(key, record)| {
            odd(&record.stored).map(|foreign| OddLease { lease: key.to_string(), foreign })
        });
        budget.into_iter().chain(limiter).chain(groups).collect()
    }
}

/// Whether it is somebody else's, where nothing can be made of it.
const fn odd<T>(stored: &Stored<T>) -> Option<bool> {
    match stored {
        Stored::Foreign => Some(true),
        Stored::Present(_, None) => Some(false),
        Stored::Absent | Stored::Present(_, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bind, group, grouped_pod, own, settings};
    use crate::time::Mono;
    use shared::identity::Namespace;
    use shared::time::WallTime;

    #[test]
    fn groups_are_called_by_what_their_pods_belong_to() {
        let mut state = State::new(settings());
        let home = Namespace::new("prod").unwrap();
        let (db, volumes) = (GroupId::for_stateful_set(&home, "db"), GroupId::for_namespace_volumes(&home));
        let mut pod = grouped_pod("prod", "db-0", db.as_str(), &["a"]);
        own(&mut pod, "db");
        pod.annotations.set("mode", "sideways");
        bind(&mut state.world, "prod", "a", true);
        state.world.put_pod(pod.clone());
        state.world.put_pod(grouped_pod("prod", "web-0", volumes.as_str(), &[]));
        // A person put pods of the same set into a group of their own: its name says what they meant.
        pod.key.name = "db-1".parse().unwrap();
        pod.set_label(shared::names::LABEL_SNAPSHOT_GROUP, "by-hand");
        state.world.put_pod(pod);
        let found: Vec<_> = state.known_groups().collect();
        let of = |id: &str| found.iter().find(|known| *known.key == group("prod", id)).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!((of(db.as_str()).workload.as_deref(), of(db.as_str()).volumes), (Some("db"), 1));
        assert_eq!(of(volumes.as_str()).workload.as_deref(), Some("volumes"));
        assert_eq!(of("by-hand").workload, None);
        assert_eq!(of(db.as_str()).ignored[0].value, "sideways");
    }

    #[test]
    fn who_stands_by_shows_the_limit_as_it_was_written_or_none() {
        let mut state = State::new(settings());
        let now = Now { mono: Mono(0), wall: WallTime::EPOCH };
        assert_eq!(state.limiter_lease(now), None);
        state.leading = true;
        assert_eq!(state.limiter_lease(now).map(|lease| lease.limit), Some(5));
        assert!(state.odd_leases().is_empty());
        state.budget = Stored::Foreign;
        let odd = [OddLease { lease: "velero/snapshot-budget".into(), foreign: true }];
        assert_eq!(state.odd_leases(), odd);
    }
}
