//! What is printed beside the manifests, because they do not show it: pods without the agent, plans that nobody can read or follow.

use std::fmt;

use super::names::PODINFO_PATH;
use super::options::{How, Options};
use super::pieces::{Facts, Podinfo};
use super::workloads::Workload;
use crate::quiesce::choose::ANNOTATION;

/// Something that was done as it was asked for, and that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(String);

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Note {
    /// Some pods of a workload get no agent.
    pub fn left_out(workload: &Workload) -> Self {
        Self(format!(
            "{} has no containers here at `{}`, so these pods get no agent; where they belong to the group, name the container with the data: containers: [{{name: …}}]",
            workload.label(),
            workload.path.join(".")
        ))
    }
}

/// What there is to say of a pod template.
pub fn of_template(workload: &Workload, facts: &Facts, options: &Options) -> impl Iterator<Item = Note> {
    let Facts { container, podinfo, claims, freezes, .. } = facts;
    let labels_alone = (*podinfo == Podinfo::Labels).then(|| {
        Note(format!(
            "{}: what container `{container}` mounts at {PODINFO_PATH} has no file `annotations`, so that the agent cannot read the annotation {ANNOTATION}; add {{path: annotations, fieldRef: {{fieldPath: metadata.annotations}}}} to that volume",
            workload.label()
        ))
    });
    let freezes_nothing = *freezes && options.how == How::Sidecar && claims.is_empty();
    let no_claims = freezes_nothing.then(|| {
        Note(format!(
            "{}: its plan freezes file systems, and no claim of container `{container}` is in this manifest that the sidecar could mount (an operator may add them to its own containers alone): it will not freeze",
            workload.label()
        ))
    });
    labels_alone.into_iter().chain(no_claims)
}
