//! Which group is a workload's?

use shared::identity::{GroupId, GroupKey, Namespace};

/// The group of a `StatefulSet`'s pods.
///
/// # Panics
/// When the namespace's name is none.
pub fn group_of_set(namespace: &str, set: &str) -> GroupKey {
    let namespace = Namespace::new(namespace).expect("a namespace's name");
    GroupKey { group: GroupId::for_stateful_set(&namespace, set), namespace }
}

/// The group of a namespace's other pods with claims.
///
/// # Panics
/// When the namespace's name is none.
pub fn group_of_namespace(namespace: &str) -> GroupKey {
    let namespace = Namespace::new(namespace).expect("a namespace's name");
    GroupKey { group: GroupId::for_namespace_volumes(&namespace), namespace }
}
