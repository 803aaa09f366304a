//! What things are called in the API: labels, annotations, Leases.

use crate::group_id::hash8;
use crate::identity::{GroupId, GroupKey, IdentityError, LeaseName, PodName, is_dns_subdomain, shorten};

/// On pods (and, for Velero's native mode, claims): which group they belong to. The original's label, kept.
pub const LABEL_SNAPSHOT_GROUP: &str = "velero.io/snapshot-group";

/// On our Leases: what the Lease is for. Watching by this label keeps the nodes' heartbeats out of our watches.
pub const LABEL_ROLE: &str = "snapshot-group.velero.io/role";

/// On pods whose group label the coordinator set itself, and may therefore take away again.
pub const ANNOTATION_LABELLED_BY: &str = "snapshot-group.velero.io/labelled-by";

/// On a pod or a claim that the coordinator labelled: the group that it put there. Where the label still says the same, nobody has changed it since, and it
/// follows the pod's owner: a restore brings both into another namespace, whose groups have other ids.
pub const ANNOTATION_LABELLED_AS: &str = "snapshot-group.velero.io/labelled-as";

/// On a pod, or on the StatefulSet that owns it: how its group is released (`auto`, `arrive-and-go`, `barrier`, `lead`).
pub const ANNOTATION_MODE: &str = "snapshot-group.velero.io/mode";

/// On a pod, or on the StatefulSet that owns it: when a member lets go once its volumes are cut (`group`, `member`, `off`).
pub const ANNOTATION_THAW_ON_CUT: &str = "snapshot-group.velero.io/thaw-on-cut";

/// On a pod, or on the StatefulSet that owns it: how many of the group's members may be held still at once.
pub const ANNOTATION_FROZEN_MAX: &str = "snapshot-group.velero.io/frozen-max";

/// On a pod, or on the StatefulSet that owns it: how long the group may be held still in all, such as `20s`.
pub const ANNOTATION_FROZEN_TIME_MAX: &str = "snapshot-group.velero.io/frozen-time-max";

/// What the product's own annotations and labels begin with; what follows is said where each is read.
pub const OWN_PREFIX: &str = "snapshot-group.velero.io/";

/// On a generated Schedule: what its slot was chosen for, as the planner writes it.
pub const ANNOTATION_PLANNED: &str = "snapshot-group.velero.io/planned";

/// On a generated Schedule and its Backups: the namespace of the group, whose id is in [`LABEL_SNAPSHOT_GROUP`].
pub const LABEL_GROUP_NAMESPACE: &str = "snapshot-group.velero.io/namespace";

/// Kubernetes' label for who looks after an object; generated Schedules carry [`MANAGED_BY_SCHEDULER`].
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Field manager of generated Schedules, and their value of [`LABEL_MANAGED_BY`]. Only what carries it is ever changed or removed.
pub const MANAGED_BY_SCHEDULER: &str = "snapshot-scheduler";

/// Velero's label on a Backup: the Schedule that made it.
pub const VELERO_LABEL_SCHEDULE_NAME: &str = "velero.io/schedule-name";

/// On a Backup, before a slash, namespace and group: the round's receipt as JSON. See [`receipt_annotation`].
pub const ANNOTATION_RECEIPT_PREFIX: &str = "receipt.snapshot-group.velero.io";

/// Field manager of the hook-agent's writes.
pub const FIELD_MANAGER_AGENT: &str = "hook-agent";

/// On a Schedule that the coordinator has paused, with the value [`PAUSED_BY_BREAKER`]: it resumes it. A person's pause has no such mark.
pub const ANNOTATION_PAUSED_BY: &str = "snapshot-group.velero.io/paused-by";

/// The value of [`ANNOTATION_PAUSED_BY`].
pub const PAUSED_BY_BREAKER: &str = "breaker";

/// Field manager of the coordinator's writes, and the value of [`ANNOTATION_LABELLED_BY`].
pub const FIELD_MANAGER_COORDINATOR: &str = "snapshot-coordinator";

/// Velero's own label: a pod that carries it with `true` is left out of backups.
pub const VELERO_LABEL_EXCLUDE: &str = "velero.io/exclude-from-backup";

/// Velero's own label on the snapshots of a Backup.
pub const VELERO_LABEL_BACKUP_NAME: &str = "velero.io/backup-name";

/// The CSI driver of EBS volumes.
pub const EBS_CSI_DRIVER: &str = "ebs.csi.aws.com";

/// The Lease, in the coordinator's namespace, that holds the budget's grants.
pub const BUDGET_LEASE: &str = "snapshot-budget";

/// The Lease, in the coordinator's namespace, that holds the limit of the budget, and why it is what it is.
pub const LIMITER_LEASE: &str = "snapshot-limiter";

/// The Lease, in the coordinator's namespace, that says which coordinator leads.
pub const LEADER_LEASE: &str = "snapshot-coordinator";

const MEMBER_PREFIX: &str = "snapshot-member-";
const GROUP_PREFIX: &str = "snapshot-group-";

/// Value of [`LABEL_ROLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaseRole {
    /// Written by one pod's hook-agent.
    Member,
    /// Written by the coordinator for one group.
    Group,
    /// Written by the coordinator: the grants.
    Budget,
    /// Written by the coordinator: the limit.
    Limiter,
}

impl LeaseRole {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Group => "group",
            Self::Budget => "budget",
            Self::Limiter => "limiter",
        }
    }

    /// Reads the label's value.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Group, Self::Budget, Self::Limiter].into_iter().find(|role| role.as_str() == text)
    }
}

/// The name of a pod's member Lease: `snapshot-member-<pod>`. Plain, so that an admission policy can compare it with a
/// token's pod claim. Errs for pod names of more than 237 characters, for which no such Lease can exist.
pub fn member_lease(pod: &PodName) -> Result<LeaseName, IdentityError> {
    LeaseName::new(format!("{MEMBER_PREFIX}{pod}")).map_err(|_| IdentityError {
        field: "pod name",
        value: shorten(pod.as_str()),
        rule: "with more than 237 characters its Lease cannot be named",
    })
}

/// The pod that a member Lease's name stands for.
pub fn pod_of_member_lease(lease: &str) -> Option<PodName> {
    PodName::new(lease.strip_prefix(MEMBER_PREFIX)?).ok()
}

/// The name of a group's Lease: `snapshot-group-<group>`, or, where a label's value is no Lease name (capitals, `_`, `..`),
/// a readable form of it with 8 hex digits of a hash. The Lease's own label carries the exact value.
pub fn group_lease(group: &GroupId) -> LeaseName {
    let plain = format!("{GROUP_PREFIX}{group}");
    let name = if is_dns_subdomain(&plain) {
        plain
    } else {
        let readable: String = group
            .as_str()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        format!("{GROUP_PREFIX}{readable}-{}", hash8(group.as_str()))
    };
    LeaseName::new(name).unwrap_or_else(|e| unreachable!("letters, digits and '-' between letters and digits: {e}"))
}

/// Whether an annotation of a Backup is a receipt, of whichever group.
pub fn is_receipt_annotation(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, _)| prefix == ANNOTATION_RECEIPT_PREFIX)
}

/// The annotation of a Backup that holds a group's receipt: `…/<namespace>.<group>`, since a Backup may cover groups of one id
/// in several namespaces. Behind the slash a key may have 63 characters; what is longer ends in 8 hex digits of its hash.
pub fn receipt_annotation(group: &GroupKey) -> String {
    let GroupKey { namespace, group } = group;
    let name = format!("{namespace}.{group}");
    match name.get(..RECEIPT_KEY_CHARS_MAX - 9) {
        Some(head) if name.len() > RECEIPT_KEY_CHARS_MAX => {
            format!("{ANNOTATION_RECEIPT_PREFIX}/{head}-{}", hash8(&name))
        }
        _ => format!("{ANNOTATION_RECEIPT_PREFIX}/{name}"),
    }
}

/// The most characters behind the slash of an annotation's key (Kubernetes' qualified names).
const RECEIPT_KEY_CHARS_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_group_has_a_lease_name(text in "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?") {
            let name = group_lease(&GroupId::new(text).unwrap());
            prop_assert!(name.as_str().len() <= 253);
        }

        #[test]
        fn different_groups_have_different_leases(a in "[Aa][Bb._-]{0,3}[Cc]", b in "[Aa][Bb._-]{0,3}[Cc]") {
            prop_assume!(a != b);
            prop_assert_ne!(group_lease(&GroupId::new(a).unwrap()), group_lease(&GroupId::new(b).unwrap()));
        }
    }

    #[test]
    fn a_receipt_s_key_fits_and_tells_groups_apart() {
        let key = |text: &str| receipt_annotation(&text.parse().unwrap());
        assert_eq!(key("prod/db"), "receipt.snapshot-group.velero.io/prod.db");
        let long = |namespace: &str| key(&format!("{}/{}", namespace, "g".repeat(63)));
        let (a, b) = (long(&"a".repeat(63)), long(&format!("{}b", "a".repeat(62))));
        assert_ne!(a, b);
        assert!(a.split_once('/').is_some_and(|(_, name)| name.len() == 63), "{a}");
    }

    #[test]
    fn a_member_lease_names_its_pod() {
        let pod = PodName::new("db-0").unwrap();
        let lease = member_lease(&pod).unwrap();
        assert_eq!(lease.as_str(), "snapshot-member-db-0");
        assert_eq!(pod_of_member_lease(lease.as_str()), Some(pod));
        assert_eq!(pod_of_member_lease("other"), None);
        assert!(member_lease(&PodName::new("a".repeat(238)).unwrap()).is_err());
    }
}
