//! What is odd about a cluster, and what was done about it: one variant a case, text last.

use std::fmt;

use shared::identity::{GroupId, GroupKey, shorten};

use super::facts::FactKind;
use super::wishes::WishError;
use crate::objects::ObjectKey;
use crate::report::Subject;

/// Something about the cluster that its owner should know. None of them keeps the rest from being planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Two different objects of one kind and name were read; the first one counts.
    Duplicate {
        /// Their kind.
        kind: FactKind,
        /// Their name.
        name: String,
    },
    /// An object that no API server holds in this form (a name of 300 characters, a list where a text belongs); it is left out.
    Unreadable {
        /// The object's kind.
        kind: FactKind,
        /// Which one, and what is wrong with it.
        why: String,
    },
    /// Nothing of a kind that is needed was read, though others refer to it.
    KindMissing {
        /// The kind.
        kind: FactKind,
    },
    /// An object's owners own each other.
    CyclicOwners {
        /// The object's kind.
        kind: FactKind,
        /// Its name.
        object: ObjectKey,
    },
    /// An object's owner is not there, or is another object of that name by now.
    DanglingOwner {
        /// The object's kind.
        kind: FactKind,
        /// Its name.
        object: ObjectKey,
        /// The owner, as the reference names it.
        owner: String,
    },
    /// A claim that is bound to no volume: nothing to cut.
    ClaimWithoutVolume {
        /// The claim.
        claim: ObjectKey,
    },
    /// A claim says that it is bound to a volume which is not there.
    VolumeMissing {
        /// The claim.
        claim: ObjectKey,
        /// The volume's name.
        volume: String,
    },
    /// An EBS volume without a claim: Velero never comes by it.
    VolumeWithoutClaim {
        /// The volume.
        volume: String,
    },
    /// Two claims are bound to one volume; the first one counts.
    VolumeClaimedTwice {
        /// The volume.
        volume: String,
        /// The claim that counts.
        counted: ObjectKey,
        /// The other one.
        other: ObjectKey,
    },
    /// A claim of a set's ordinal that is scaled away: still backed up.
    ScaledDown {
        /// The set.
        set: ObjectKey,
        /// How many claims.
        claims: usize,
    },
    /// A claim that the templates of two StatefulSets may have made; the first one by name counts.
    AmbiguousClaim {
        /// The claim.
        claim: ObjectKey,
        /// The set that it is counted for.
        counted: String,
        /// The other set.
        other: String,
    },
    /// A claim that pods of several groups use: Velero pulls them all into one block.
    SharedClaim {
        /// The claim.
        claim: ObjectKey,
        /// The group that it is counted for.
        counted: GroupKey,
        /// Another group that uses it.
        other: GroupKey,
    },
    /// Pods that a person keeps out of every group by an empty label.
    KeptOut {
        /// The claim that nothing backs up therefore.
        claim: ObjectKey,
    },
    /// A workload that is left out because its annotation says so.
    Skipped {
        /// The group.
        group: GroupKey,
    },
    /// An annotation that cannot be read: the default applies.
    Wish {
        /// Where it stands.
        at: Subject,
        /// What is wrong with it.
        error: WishError,
    },
    /// Two pods or sets of one group wish for different things; the first one by name counts.
    WishesDiffer {
        /// The group.
        group: GroupKey,
        /// The annotation, without its prefix.
        annotation: &'static str,
        /// Where the one stands that does not count.
        at: Subject,
    },
    /// No label tells these claims without a pod apart from what others own: no selection of Velero can pick them alone.
    NotSelectable {
        /// The group.
        group: GroupKey,
        /// One of the claims.
        claim: ObjectKey,
        /// How many there are.
        claims: usize,
    },
    /// A claim of a group carries a group label that is not the product's, where native snapshots need the group's.
    ClaimLabelledOtherwise {
        /// The claim.
        claim: ObjectKey,
        /// What it says.
        label: String,
        /// What the claim's group is.
        group: GroupId,
    },
    /// The hook container that a person named is in none of the group's pods.
    NoSuchContainer {
        /// The group.
        group: GroupKey,
        /// The name.
        container: String,
    },
}

impl Finding {
    /// One word for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Duplicate { .. } => "duplicate",
            Self::Unreadable { .. } => "unreadable",
            Self::KindMissing { .. } => "kind-missing",
            Self::CyclicOwners { .. } => "cyclic-owners",
            Self::DanglingOwner { .. } => "dangling-owner",
            Self::ClaimWithoutVolume { .. } => "claim-without-volume",
            Self::VolumeMissing { .. } => "volume-missing",
            Self::VolumeWithoutClaim { .. } => "volume-without-claim",
            Self::VolumeClaimedTwice { .. } => "volume-claimed-twice",
            Self::ScaledDown { .. } => "scaled-down",
            Self::AmbiguousClaim { .. } => "ambiguous-claim",
            Self::SharedClaim { .. } => "shared-claim",
            Self::KeptOut { .. } => "kept-out",
            Self::Skipped { .. } => "skipped",
            Self::Wish { .. } => "annotation-unreadable",
            Self::WishesDiffer { .. } => "annotations-differ",
            Self::NotSelectable { .. } => "not-selectable",
            Self::ClaimLabelledOtherwise { .. } => "claim-labelled-otherwise",
            Self::NoSuchContainer { .. } => "no-such-container",
        }
    }

    /// Whether an EBS volume is not backed up, or not as asked, because of it.
    pub const fn costs_a_backup(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::KindMissing { .. }
                | Self::VolumeMissing { .. }
                | Self::VolumeWithoutClaim { .. }
                | Self::KeptOut { .. }
                | Self::NotSelectable { .. }
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { kind, name } => {
                write!(f, "{kind} {} was read twice and differs; the first one counts", shorten(name))
            }
            Self::Unreadable { kind, why } => write!(f, "a {kind} is left out: {why}"),
            Self::KindMissing { kind } => write!(
                f,
                "no {kind} was read though others refer to one; add `{}` to the resources of kubectl get",
                kind.kubectl()
            ),
            Self::CyclicOwners { kind, object } => {
                write!(f, "{kind} {object} is its own owner's owner; it counts as owned by nobody")
            }
            Self::DanglingOwner { kind, object, owner } => {
                write!(f, "{kind} {object} names an owner that is not there: {}", shorten(owner))
            }
            Self::ClaimWithoutVolume { claim } => write!(f, "claim {claim} is bound to no volume; nothing to cut"),
            Self::VolumeMissing { claim, volume } => {
                write!(f, "claim {claim} is bound to volume {}, which is not there", shorten(volume))
            }
            Self::VolumeWithoutClaim { volume } => {
                write!(f, "EBS volume {} has no claim; Velero backs up volumes through claims only", shorten(volume))
            }
            Self::VolumeClaimedTwice { volume, counted, other } => {
                write!(f, "volume {} is claimed by {counted} and {other}; it is counted once", shorten(volume))
            }
            Self::ScaledDown { set, claims } => {
                write!(f, "StatefulSet {set} left claims behind when it was scaled down ({claims}); still backed up")
            }
            Self::AmbiguousClaim { claim, counted, other } => {
                write!(f, "claim {claim} may be of StatefulSet {counted} or {other}; it is counted for {counted}")
            }
            Self::SharedClaim { claim, counted, other } => write!(
                f,
                "claim {claim} is used by pods of {counted} and of {other}; it is counted for {counted}, and Velero hooks both"
            ),
            Self::KeptOut { claim } => {
                write!(f, "claim {claim} is not backed up: an empty label keeps its pods out of every group")
            }
            Self::Skipped { group } => write!(f, "{group} is left out, as its annotation says"),
            Self::Wish { at, error } => write!(f, "{at}: {error}; the default applies"),
            Self::WishesDiffer { group, annotation, at } => {
                write!(f, "{group}: annotation {annotation} of {at} differs from an earlier one, which counts")
            }
            Self::NotSelectable { group, claim, claims } => write!(
                f,
                "{group}: no label tells {claims} claims without a pod (such as {claim}) apart from others; \
                 label them velero.io/snapshot-group={} and they are backed up",
                group.group
            ),
            Self::ClaimLabelledOtherwise { claim, label, group } => write!(
                f,
                "claim {claim} is labelled velero.io/snapshot-group=`{}` by somebody, so it is left: in native mode its pod joins the block of {group} \
                 only once the label says that, or is taken off",
                shorten(label)
            ),
            Self::NoSuchContainer { group, container } => {
                write!(f, "{group}: no pod has a container {}; the first container is used", shorten(container))
            }
        }
    }
}
