//! Which plan counts: the flag's, the pod's annotation's; two that differ are an error that names both.

use std::path::{Path, PathBuf};

use crate::group::labels_file::{LabelsFileError, value_of};
use crate::quiesce::plan::{Plan, PlanError};
use crate::small_file::{self, FileError};

/// On pods: how the pod is held still, as the flag `--quiesce` would say it.
pub const ANNOTATION: &str = "snapshot-group.velero.io/quiesce";

/// On pods: how long the pod is held still at most, as the flag `--quiesce-max` would say it.
pub const ANNOTATION_MAX: &str = "snapshot-group.velero.io/quiesce-max";

/// On pods: what happens when it cannot be held still, as the flag `--on-quiesce-failure` would say it.
pub const ANNOTATION_ON_FAILURE: &str = "snapshot-group.velero.io/on-quiesce-failure";

/// What a pod's annotations say about holding it still, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// [`ANNOTATION`].
    pub plan: Option<String>,
    /// [`ANNOTATION_MAX`].
    pub max: Option<String>,
    /// [`ANNOTATION_ON_FAILURE`].
    pub on_failure: Option<String>,
}

/// Annotations of an object may have 256 KiB; escaped they are longer. A file that is longer still is another file.
const ANNOTATIONS_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no plan to follow.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// The flag's text is wrong.
    #[error("--quiesce (QUIESCE)")]
    Flag(#[source] PlanError),
    /// The annotation's text is wrong.
    #[error("the pod's annotation {ANNOTATION} (from {origin})")]
    Annotation {
        /// Where it was read.
        origin: String,
        /// What is wrong.
        #[source]
        source: PlanError,
    },
    /// Both are there and do not say the same.
    #[error("--quiesce (QUIESCE) says `{flag}` and the pod's annotation {ANNOTATION} says `{annotation}`: remove one")]
    Contradiction {
        /// The flag's plan in short.
        flag: String,
        /// The annotation's plan in short.
        annotation: String,
    },
    /// The annotations file cannot be read.
    #[error("the annotations file is unusable")]
    File(#[source] FileError),
    /// The annotations file is not what the downward API writes.
    #[error("{path} is not an annotations file of the downward API")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: LabelsFileError,
    },
}

/// What the downward API's file says, if there is such a file.
pub fn annotations_in(path: &Path) -> Result<Said, ChooseError> {
    let Some(text) = small_file::read(path, ANNOTATIONS_BYTES_MAX).map_err(ChooseError::File)? else {
        return Ok(Said::default());
    };
    let value = |key| value_of(&text, key).map_err(|source| ChooseError::Malformed { path: path.to_owned(), source });
    Ok(Said { plan: value(ANNOTATION)?, max: value(ANNOTATION_MAX)?, on_failure: value(ANNOTATION_ON_FAILURE)? })
}

/// The plan of flag and annotation. `origin` says where the annotation was read.
pub fn choose(flag: Option<&str>, annotation: Option<&str>, origin: &str) -> Result<Plan, ChooseError> {
    let flag = flag.map(|text| Plan::parse(text).map_err(ChooseError::Flag)).transpose()?;
    let wrong = |source| ChooseError::Annotation { origin: origin.to_owned(), source };
    let annotation = annotation.map(|text| Plan::parse(text).map_err(wrong)).transpose()?.filter(|plan| plan.is_said);
    match (flag, annotation) {
        (Some(flag), Some(annotation)) if flag != annotation => {
            Err(ChooseError::Contradiction { flag: in_short(&flag), annotation: in_short(&annotation) })
        }
        (Some(plan), _) | (None, Some(plan)) => Ok(plan),
        (None, None) => Ok(Plan::default()),
    }
}

/// A plan in one line, without arguments.
pub fn in_short(plan: &Plan) -> String {
    if plan.is_empty() {
        return "none".to_owned();
    }
    plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::chain;

    #[test]
    fn one_source_is_enough_and_two_must_agree() {
        let frozen = "- fsfreeze: [/data]";
        for silence in [None, Some(""), Some(" \n")] {
            assert!(!choose(None, silence, "x").unwrap().is_said);
            assert!(choose(Some("none"), silence, "x").unwrap().is_said);
        }
        assert_eq!(choose(Some(frozen), None, "x").unwrap(), choose(None, Some(frozen), "x").unwrap());
        assert_eq!(in_short(&choose(Some(frozen), Some("[{fsfreeze: [/data]}]"), "x").unwrap()), "fsfreeze /data");
        let said = chain(&choose(Some("none"), Some(frozen), "x").unwrap_err());
        for part in ["--quiesce (QUIESCE) says `none`", ANNOTATION, "`fsfreeze /data`", "remove one"] {
            assert!(said.contains(part), "{part} is missing in: {said}");
        }
    }

    #[test]
    fn a_wrong_text_says_where_it_stands() {
        let said = chain(&choose(None, Some("- sync: []"), "/etc/podinfo/annotations").unwrap_err());
        assert!(said.contains("/etc/podinfo/annotations") && said.contains("no path"), "{said}");
        let said = chain(&choose(Some("- sync: []"), None, "x").unwrap_err());
        assert!(said.starts_with("--quiesce (QUIESCE): step 1"), "{said}");
    }
}
