//! Which group a workload's pods belong to when nobody labelled them by hand.

use std::fmt::Write as _;

use md5::{Digest, Md5};

use crate::identity::{GroupId, Namespace};

/// The name that stands for "the other pods of a namespace" in their group's id.
const NAMESPACE_VOLUMES: &str = "volumes";

impl GroupId {
    /// The group of a StatefulSet's pods: `group-` and the first 8 hex digits of MD5 over `<namespace>-<name>` and a newline.
    ///
    /// That is what the annotator of the original system computed (`echo $NAMESPACE-$NAME | md5sum`), so that pods which
    /// it labelled and pods that we label land in one group while a cluster is being moved over. MD5 names here, it guards nothing.
    pub fn for_stateful_set(namespace: &Namespace, name: &str) -> Self {
        // A StatefulSet that is really called `volumes` would share the id of the namespace's other pods.
        let text =
            if name == NAMESPACE_VOLUMES { format!("{namespace}/{name}\n") } else { format!("{namespace}-{name}\n") };
        Self::hashed(&text)
    }

    /// The group of a namespace's other pods with EBS-backed claims (the original's `<namespace>-volumes`).
    pub fn for_namespace_volumes(namespace: &Namespace) -> Self {
        Self::hashed(&format!("{namespace}-{NAMESPACE_VOLUMES}\n"))
    }

    fn hashed(text: &str) -> Self {
        let id = format!("group-{}", hash8(text));
        Self::new(id).unwrap_or_else(|e| unreachable!("`group-` and 8 hex digits are a label's value: {e}"))
    }
}

/// The first 8 lowercase hex digits of MD5.
pub(crate) fn hash8(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().take(4).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The first 12 lowercase hex digits of MD5: 48 bits, enough to keep 100,000 names apart with odds of 1 in 50,000; whoever
/// needs certainty looks whether a name is taken. It names here, it guards nothing.
pub fn hash12(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().take(6).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(name: &str) -> Namespace {
        Namespace::new(name).unwrap()
    }

    /// Values from `echo prod-db | md5sum | cut -c1-8` and `echo prod-volumes | md5sum | cut -c1-8`.
    #[test]
    fn ids_are_those_of_the_original_annotator() {
        assert_eq!(GroupId::for_stateful_set(&ns("prod"), "db").as_str(), "group-faef0436");
        assert_eq!(GroupId::for_namespace_volumes(&ns("prod")).as_str(), "group-3c339c85");
    }

    #[test]
    fn a_stateful_set_called_volumes_has_a_group_of_its_own() {
        assert_ne!(GroupId::for_stateful_set(&ns("prod"), "volumes"), GroupId::for_namespace_volumes(&ns("prod")));
    }
}
