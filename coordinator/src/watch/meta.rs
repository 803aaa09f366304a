//! What decisions and plans see of any workload object's metadata.

use std::collections::BTreeMap;

use coordinator_core::annotations::Annotations;
use coordinator_core::inventory::wishes;
use coordinator_core::objects::{ObjectKey, OwnerKind, OwnerRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use shared::identity::{IdentityError, shorten};
use shared::names::{
    ANNOTATION_FROZEN_MAX, ANNOTATION_FROZEN_TIME_MAX, ANNOTATION_MODE, ANNOTATION_THAW_ON_CUT, OWN_PREFIX,
};

/// Kubernetes' longest object name (RFC 1123 subdomain).
const NAME_CHARS_MAX: usize = 253;

/// Annotations that say how a group is released and held, beside those that the scheduler reads ([`wishes::ALL`]).
const OF_RELEASE: [&str; 4] =
    [ANNOTATION_MODE, ANNOTATION_THAW_ON_CUT, ANNOTATION_FROZEN_MAX, ANNOTATION_FROZEN_TIME_MAX];

/// An object's name.
///
/// # Errors
/// When no object can be called so.
pub fn name(name: Option<String>) -> Result<String, IdentityError> {
    let name = name.unwrap_or_default();
    let odd = |b: u8| b.is_ascii_whitespace() || b.is_ascii_control() || b == b'/';
    if (1..=NAME_CHARS_MAX).contains(&name.len()) && !name.bytes().any(odd) {
        return Ok(name);
    }
    Err(IdentityError {
        field: "name",
        value: shorten(&name),
        rule: "an object's name has 1 to 253 characters, without spaces and slashes",
    })
}

/// A namespaced object's key; takes it out of the metadata.
///
/// # Errors
/// When it is none that an API server lets through.
pub fn key(metadata: &mut ObjectMeta) -> Result<ObjectKey, IdentityError> {
    let namespace = metadata.namespace.take().unwrap_or_default();
    Ok(ObjectKey { namespace: namespace.parse()?, name: name(metadata.name.take())? })
}

/// What a person wrote for this product, as far as somebody here reads it.
pub fn annotations(all: Option<&BTreeMap<String, String>>) -> Annotations {
    let read = |key: &String| OF_RELEASE.contains(&key.as_str());
    let own = |(key, value): (&String, &String)| {
        let name = key.strip_prefix(OWN_PREFIX).filter(|name| wishes::ALL.contains(name) || read(key))?;
        Some((name.to_owned(), value.clone()))
    };
    all.into_iter().flatten().filter_map(own).collect()
}

/// Its owners.
pub fn owners(references: Option<Vec<OwnerReference>>) -> Vec<OwnerRef> {
    let references = references.unwrap_or_default().into_iter();
    references
        .map(|reference| OwnerRef {
            kind: match (reference.api_version.split('/').next(), reference.kind.as_str()) {
                (Some("apps"), "StatefulSet") => OwnerKind::StatefulSet,
                (Some("v1"), "Pod") => OwnerKind::Pod,
                _ => OwnerKind::Other,
            },
            name: reference.name.into(),
            uid: reference.uid.as_str().into(),
            controller: reference.controller == Some(true),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_that_nobody_reads_are_not_kept() {
        let all = [
            ("snapshot-group.velero.io/mode", "barrier"),
            ("snapshot-group.velero.io/ttl", "48h"),
            ("snapshot-group.velero.io/frozen-max", "2"),
            ("snapshot-group.velero.io/quiesce", "- sync: {}"),
            ("ttl", "1h"),
            ("other", "x"),
        ];
        let kept = annotations(Some(&all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()));
        let expected = [("frozen-max", "2"), ("mode", "barrier"), ("ttl", "48h")];
        assert_eq!(kept, expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect());
        assert!(annotations(None).is_empty());
    }

    #[test]
    fn owners_by_group_and_kind() {
        let owner = |api_version: &str, kind: &str| OwnerReference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            controller: Some(true),
            ..OwnerReference::default()
        };
        let all = vec![
            owner("apps/v1", "StatefulSet"),
            owner("v1", "Pod"),
            owner("example.com/v1", "StatefulSet"),
            owner("batch/v1", "Job"),
        ];
        let kinds: Vec<OwnerKind> = owners(Some(all)).into_iter().map(|owner| owner.kind).collect();
        assert_eq!(kinds, [OwnerKind::StatefulSet, OwnerKind::Pod, OwnerKind::Other, OwnerKind::Other]);
    }
}
