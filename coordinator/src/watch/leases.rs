//! What decisions see of our Leases: member, group and budget, told apart by their role label.

use coordinator_core::event::{Event, Observed, Version};
use coordinator_core::objects::ObjectKey;
use k8s_openapi::api::coordination::v1::Lease;
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::limiter_lease::LimiterLease;
use shared::member_lease::MemberLease;
use shared::names::{BUDGET_LEASE, LABEL_ROLE, LABEL_SNAPSHOT_GROUP, LIMITER_LEASE, LeaseRole, group_lease};

/// What a Lease stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaseKey {
    /// A member's, by the Lease's own name.
    Member(ObjectKey),
    /// A group's.
    Group(GroupKey),
    /// The budget.
    Budget,
    /// The limit.
    Limiter,
}

impl LeaseKey {
    /// The event that says that it is gone.
    pub fn gone(self) -> Event {
        match self {
            Self::Member(key) => Event::MemberLeaseGone(key),
            Self::Group(key) => Event::GroupLeaseGone(key),
            Self::Budget => Event::BudgetGone,
            Self::Limiter => Event::LimiterGone,
        }
    }

    /// Reads a Lease that is known to stand for this.
    pub fn observed(self, lease: &Lease) -> Event {
        match self {
            Self::Member(key) => Event::MemberLease(key, observed(lease, MemberLease::decode(lease))),
            Self::Group(key) => Event::GroupLease(key, observed(lease, GroupLease::decode(lease))),
            Self::Budget => Event::Budget(observed(lease, BudgetLease::decode(lease))),
            Self::Limiter => Event::Limiter(observed(lease, LimiterLease::decode(lease))),
        }
    }
}

/// Finds out what a Lease with our role label stands for.
///
/// # Errors
/// When it cannot stand for anything; the text says why, and what to do.
pub fn key_of(lease: &Lease, own_namespace: &Namespace) -> Result<LeaseKey, String> {
    let label = |key: &str| lease.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let name = lease.metadata.name.clone().unwrap_or_default();
    let namespace = lease.metadata.namespace.as_deref().unwrap_or_default();
    let namespace: Namespace = namespace.parse().map_err(|why| format!("Lease {namespace}/{name}: {why}"))?;
    let role = label(LABEL_ROLE).unwrap_or_default();
    match LeaseRole::parse(role) {
        Some(LeaseRole::Member) => Ok(LeaseKey::Member(ObjectKey { namespace, name })),
        Some(LeaseRole::Group) => {
            let group: GroupId = label(LABEL_SNAPSHOT_GROUP)
                .unwrap_or_default()
                .parse()
                .map_err(|why| format!("Lease {namespace}/{name} names no group: {why}; delete it"))?;
            let expected = group_lease(&group);
            if expected.as_str() == name {
                Ok(LeaseKey::Group(GroupKey { namespace, group }))
            } else {
                Err(format!("Lease {namespace}/{name} is not group {group}'s, which is {expected}; delete it"))
            }
        }
        Some(LeaseRole::Budget) if namespace == *own_namespace && name == BUDGET_LEASE => Ok(LeaseKey::Budget),
        Some(LeaseRole::Limiter) if namespace == *own_namespace && name == LIMITER_LEASE => Ok(LeaseKey::Limiter),
        Some(LeaseRole::Limiter) => Err(format!(
            "Lease {namespace}/{name} is another coordinator's limit, ours is {own_namespace}/{LIMITER_LEASE}: \
             run all coordinators of a cluster in one namespace, and delete the other Lease"
        )),
        Some(LeaseRole::Budget) => Err(format!(
            "Lease {namespace}/{name} is another coordinator's budget, ours is {own_namespace}/{BUDGET_LEASE}: \
             run all coordinators of a cluster in one namespace, and delete the other Lease"
        )),
        None => Err(format!("Lease {namespace}/{name} has an unknown role `{}`; delete it", role.escape_debug())),
    }
}

/// The version that a Lease was observed in.
pub fn version(lease: &Lease) -> Version {
    Version {
        resource: lease.metadata.resource_version.clone().unwrap_or_default(),
        uid: lease.metadata.uid.clone().unwrap_or_default(),
    }
}

fn observed<T>(lease: &Lease, content: Result<T, shared::LeaseError>) -> Observed<T> {
    Observed { version: version(lease), content }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use std::collections::BTreeMap;

    fn lease(namespace: &str, name: &str, role: &str, group: Option<&str>) -> Lease {
        let mut labels = BTreeMap::from([(LABEL_ROLE.to_owned(), role.to_owned())]);
        labels.extend(group.map(|group| (LABEL_SNAPSHOT_GROUP.to_owned(), group.to_owned())));
        Lease {
            metadata: ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: Some(name.to_owned()),
                labels: Some(labels),
                resource_version: Some("7".to_owned()),
                ..ObjectMeta::default()
            },
            spec: None,
        }
    }

    fn check(lease: &Lease, expected: Result<&str, &str>) {
        let found = key_of(lease, &Namespace::new("velero").unwrap());
        match (found, expected) {
            (Ok(key), Ok(shown)) => assert_eq!(format!("{:?}", key.gone()).split('(').next(), Some(shown)),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_lease_stands_for_what_its_role_and_name_say_together() {
        check(&lease("prod", "snapshot-member-db-0", "member", None), Ok("MemberLeaseGone"));
        check(&lease("prod", "anything", "member", None), Ok("MemberLeaseGone"));
        check(&lease("prod", "snapshot-group-db", "group", Some("db")), Ok("GroupLeaseGone"));
        check(&lease("velero", "snapshot-budget", "budget", None), Ok("BudgetGone"));
        check(&lease("velero", "snapshot-limiter", "limiter", None), Ok("LimiterGone"));
    }

    #[test]
    fn copies_and_strangers_stand_for_nothing() {
        check(&lease("prod", "copy", "group", Some("db")), Err("is not group db's, which is snapshot-group-db"));
        check(&lease("prod", "snapshot-group-db", "group", None), Err("names no group"));
        check(&lease("other", "snapshot-budget", "budget", None), Err("another coordinator's budget"));
        check(&lease("other", "snapshot-limiter", "limiter", None), Err("another coordinator's limit"));
        check(&lease("prod", "x", "lead\nr", None), Err("unknown role `lead\\nr`"));
    }

    #[test]
    fn what_does_not_decode_is_told_with_its_version() {
        let broken = lease("prod", "snapshot-group-db", "group", Some("db"));
        let key = key_of(&broken, &Namespace::new("velero").unwrap()).unwrap();
        let Event::GroupLease(_, observed) = key.observed(&broken) else { panic!("a group's") };
        assert_eq!(observed.version.resource, "7");
        assert!(observed.content.is_err());
    }
}
