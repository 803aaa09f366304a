//! What stands in the API under one of the coordinator's own Leases' names, and whether news of it are new.

use shared::LeaseError;
use shared::identity::GroupKey;

use crate::event::{Observed, Version};
use crate::notice::Notice;

/// A Lease of the coordinator's own as it stands in the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stored<T> {
    /// It does not exist.
    #[default]
    Absent,
    /// It exists under this version; `None` where it says nothing that makes sense and may be overwritten.
    Present(Version, Option<T>),
    /// Somebody else's Lease stands under our name: it is left alone.
    Foreign,
}

impl<T> Stored<T> {
    pub(crate) fn content(&self) -> Option<&T> {
        if let Self::Present(_, Some(content)) = self { Some(content) } else { None }
    }
}

/// `group` is the one whose Lease it is, if it is one's.
pub(crate) fn stored<T>(observed: Observed<T>, group: Option<&GroupKey>, notices: &mut Vec<Notice>) -> Stored<T> {
    match observed.content {
        Ok(content) => Stored::Present(observed.version, Some(content)),
        Err(error) => {
            notices.push(Notice::LeaseInvalid { group: group.cloned(), message: error.to_string() });
            // What another version wrote is left alone as well: overwriting it would undo that version's rounds.
            match error {
                LeaseError::Foreign { .. } | LeaseError::Protocol { .. } => Stored::Foreign,
                LeaseError::Missing { .. } | LeaseError::Invalid { .. } => Stored::Present(observed.version, None),
            }
        }
    }
}

/// Whether an event says less than is known already: a watch may lag behind our own writes. Versions are compared as numbers,
/// which Kubernetes promises since 1.35 and does since ever; what is no number is taken as new.
pub(crate) fn is_older<T>(version: &Version, known: &Stored<T>) -> bool {
    let Stored::Present(known, _) = known else { return false };
    match (version.resource.parse::<u64>(), known.resource.parse::<u64>()) {
        (Ok(new), Ok(old)) if version.uid == known.uid => new < old,
        _ => false,
    }
}
