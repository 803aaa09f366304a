//! Into which group a pod is put by its label, when nobody has put it into one.

use shared::identity::{GroupId, GroupKey, Namespace};
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::objects::{Owner, Pod, PodPhase};

/// The group that a pod is in, as its label says. An empty label is a person's "none"; one that is no label's value cannot
/// come from an API server and counts as none.
pub fn group_of(pod: &Pod) -> Option<GroupKey> {
    let label = pod.label(LABEL_SNAPSHOT_GROUP)?;
    Some(GroupKey { namespace: pod.key.namespace.clone(), group: GroupId::new(label).ok()? })
}

/// A label to set on a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelling {
    /// What it is to say.
    pub group: GroupId,
    /// The coordinator's own label that it replaces.
    pub instead_of: Option<GroupId>,
}

/// The label to set on a pod, if any: none where somebody else's stands already (a person's or the original system's is respected),
/// the StatefulSet's group for its pods, the namespace's for other pods that use an EBS volume. A label of the coordinator's own that nobody has
/// changed since follows the owner: a restore brings it into a namespace whose groups are called otherwise. Ended and going pods stay as they are.
pub fn label_for(pod: &Pod, uses_ebs: bool) -> Option<Labelling> {
    if pod.deleting || pod.phase == PodPhase::Ended {
        return None;
    }
    let stands = pod.label(LABEL_SNAPSHOT_GROUP);
    if stands.is_some() && !pod.own_label {
        return None;
    }
    let group = group_by_owner(&pod.key.namespace, pod.owner().as_ref(), uses_ebs)?;
    let instead_of = stands.map(GroupId::new).transpose().ok()?;
    (instead_of.as_ref() != Some(&group)).then_some(Labelling { group, instead_of })
}

/// The group of a pod that nobody labelled: the StatefulSet's for its pods, the namespace's for others that use an EBS volume.
pub fn group_by_owner(namespace: &Namespace, owner: Option<&Owner>, uses_ebs: bool) -> Option<GroupId> {
    match owner {
        Some(Owner::StatefulSet(name)) => Some(GroupId::for_stateful_set(namespace, name)),
        Some(Owner::Other) | None => uses_ebs.then(|| GroupId::for_namespace_volumes(namespace)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{own, pod};

    #[test]
    fn stateful_sets_by_owner_others_by_their_volumes() {
        let mut db = pod("prod", "db-0");
        own(&mut db, "db");
        assert_eq!(label_for(&db, false), Some(new(GroupId::for_stateful_set(&db.key.namespace, "db"))));

        let web = pod("prod", "db-lookalike-0");
        assert_eq!(label_for(&web, false), None);
        assert_eq!(label_for(&web, true), Some(new(GroupId::for_namespace_volumes(&web.key.namespace))));
    }

    fn new(group: GroupId) -> Labelling {
        Labelling { group, instead_of: None }
    }

    #[test]
    fn our_own_label_follows_the_owner_into_another_namespace() {
        let mut db = pod("drill", "db-0");
        own(&mut db, "db");
        let old = GroupId::for_stateful_set(&"prod".parse().unwrap(), "db");
        let here = GroupId::for_stateful_set(&db.key.namespace, "db");
        db.set_label(LABEL_SNAPSHOT_GROUP, old.as_str());
        assert_eq!(label_for(&db, true), None, "whoever put it there is not known");
        db.own_label = true;
        assert_eq!(label_for(&db, true), Some(Labelling { group: here.clone(), instead_of: Some(old) }));
        db.set_label(LABEL_SNAPSHOT_GROUP, "by-hand");
        db.own_label = false;
        assert_eq!(label_for(&db, true), None, "somebody changed it since");
        db.set_label(LABEL_SNAPSHOT_GROUP, here.as_str());
        db.own_label = true;
        assert_eq!(label_for(&db, true), None);
    }

    #[test]
    fn what_stands_there_is_respected() {
        for label in ["mine", ""] {
            let mut db = pod("prod", "db-0");
            own(&mut db, "db");
            db.set_label(LABEL_SNAPSHOT_GROUP, label);
            assert_eq!(label_for(&db, true), None, "`{label}`");
        }
        let mut going = pod("prod", "x");
        going.deleting = true;
        assert_eq!(label_for(&going, true), None);
        let mut ended = pod("prod", "x");
        ended.phase = PodPhase::Ended;
        assert_eq!(label_for(&ended, true), None);
    }
}
