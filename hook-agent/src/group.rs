//! Which snapshot group the pod belongs to: from flag or environment, else the labels file, else one GET of the own Pod.

pub mod labels_file;

use std::path::PathBuf;

use shared::identity::{GroupId, IdentityError, PodUid};
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::call::CallError;
use crate::clock::Clock;
use crate::identity::{IdentityFailure, Who};
use crate::leases::Leases;
use crate::quiesce::choose::{ANNOTATION, ANNOTATION_MAX, ANNOTATION_ON_FAILURE, Said};
use crate::retry::{self, GaveUp};
use crate::settings::Names;
use crate::small_file::{self, FileError};
use labels_file::LabelsFileError;

/// A Pod's labels are part of an object of at most 1.5 MiB; a labels file that is longer is another file, bytes.
const LABELS_BYTES_MAX: u64 = 1024 * 1024;

/// What can be told without asking anybody.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// The group.
    In(GroupId),
    /// The pod carries no group label: it is in no group.
    NoGroup,
    /// There is no labels file here: the API server has to be asked.
    Unknown,
}

/// Why the group cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum GroupFailure {
    /// The labels file cannot be read.
    #[error("the labels file is unusable")]
    File(#[source] FileError),
    /// The labels file is not what the downward API writes.
    #[error("{path} is not a labels file of the downward API")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: LabelsFileError,
    },
    /// The label's value is no group.
    #[error("the label {LABEL_SNAPSHOT_GROUP} is wrong (from {origin})")]
    Illegal {
        /// Where it was read.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: IdentityError,
    },
    /// The API server does not let us read the own Pod.
    #[error(
        "there is no labels file {labels_file}, and the own Pod cannot be read: mount labels through the downward API, or allow `get` on pods"
    )]
    PodRefused {
        /// The file that would have made the request needless.
        labels_file: PathBuf,
        /// What the API server said.
        #[source]
        source: CallError,
    },
}

/// Why asking for the own Pod gave no group.
#[derive(Debug, thiserror::Error)]
pub enum AskFailure {
    /// A mistake in the configuration.
    #[error(transparent)]
    Group(#[from] GroupFailure),
    /// The Pod is not the one that this process was told.
    #[error(transparent)]
    Identity(#[from] IdentityFailure),
    /// The API server does not answer, or not to us.
    #[error("the own Pod's labels could not be read")]
    Unanswered(#[source] GaveUp),
}

/// What flag, environment and labels file say.
pub fn from_here(names: &Names) -> Result<Known, GroupFailure> {
    if let Some(group) = &names.group {
        return Ok(Known::In(group.clone()));
    }
    let path = &names.labels_file;
    let Some(text) = small_file::read(path, LABELS_BYTES_MAX).map_err(GroupFailure::File)? else {
        return Ok(Known::Unknown);
    };
    let value = labels_file::value_of(&text, LABEL_SNAPSHOT_GROUP)
        .map_err(|source| GroupFailure::Malformed { path: path.clone(), source })?;
    let group = group_of(value.as_deref(), &path.display().to_string())?;
    Ok(group.map_or(Known::NoGroup, Known::In))
}

/// What the own Pod says.
pub struct OfPod {
    /// The group that its label names, if any.
    pub group: Option<GroupId>,
    /// Its annotations about holding still.
    pub said: Said,
}

/// What the own Pod says: one GET, tried again until `end_ms` when the API server does not answer.
pub async fn from_pod(
    leases: &Leases,
    who: &Who,
    uid: Option<&PodUid>,
    names: &Names,
    clock: &Clock,
    end_ms: u64,
) -> Result<OfPod, AskFailure> {
    let answer = retry::until(clock, end_ms, async |limit| leases.pod(&who.pod, limit).await, |_| ()).await;
    let meta = match answer {
        Ok(meta) => meta,
        Err(GaveUp::Refused(source))
            if matches!(source, CallError::NotFound { .. } | CallError::Refused { status: 403, .. }) =>
        {
            return Err(GroupFailure::PodRefused { labels_file: names.labels_file.clone(), source }.into());
        }
        Err(gave_up) => return Err(AskFailure::Unanswered(gave_up)),
    };
    if let (Some(known), Some(actual)) = (uid, meta.uid)
        && known.as_str() != actual
    {
        return Err(IdentityFailure::OtherPod { known: known.clone(), actual }.into());
    }
    let labels = meta.labels.unwrap_or_default();
    let group = group_of(labels.get(LABEL_SNAPSHOT_GROUP).map(String::as_str), "the Pod")?;
    let mut annotations = meta.annotations.unwrap_or_default();
    let said = Said {
        plan: annotations.remove(ANNOTATION),
        max: annotations.remove(ANNOTATION_MAX),
        on_failure: annotations.remove(ANNOTATION_ON_FAILURE),
    };
    Ok(OfPod { group, said })
}

/// An empty value is a label that somebody took back without removing it: no group.
fn group_of(value: Option<&str>, origin: &str) -> Result<Option<GroupId>, GroupFailure> {
    match value {
        None | Some("") => Ok(None),
        Some(value) => {
            GroupId::new(value).map(Some).map_err(|source| GroupFailure::Illegal { origin: origin.to_owned(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_decides_and_nonsense_in_it_is_named() {
        assert_eq!(group_of(None, "x").unwrap(), None);
        assert_eq!(group_of(Some(""), "x").unwrap(), None);
        assert_eq!(group_of(Some("db"), "x").unwrap(), Some(GroupId::new("db").unwrap()));
        for bad in ["a b", "-a", &"a".repeat(300)] {
            let text = crate::lines::chain(&group_of(Some(bad), "/etc/podinfo/labels").unwrap_err());
            assert!(text.contains("/etc/podinfo/labels") && text.contains("1 to 63"), "{text}");
        }
    }
}
