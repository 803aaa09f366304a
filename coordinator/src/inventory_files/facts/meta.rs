//! What is read of every object's metadata.

use std::collections::BTreeMap;

use coordinator_core::inventory::facts::{Annotations, OwnerFact, OwnerKind};
use coordinator_core::inventory::labels::Labels;
use coordinator_core::inventory::wishes;
use coordinator_core::objects::ObjectKey;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::identity::{IdentityError, shorten};
use shared::names::OWN_PREFIX;
use shared::time::WallTime;

/// Kubernetes' longest object name (RFC 1123 subdomain).
const NAME_CHARS_MAX: usize = 253;

/// `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    name: String,
    namespace: String,
    uid: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<IgnoredAny>,
    creation_timestamp: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnerReference {
    #[serde(default)]
    api_version: String,
    kind: String,
    name: String,
    #[serde(default)]
    uid: String,
    controller: Option<bool>,
}

impl Meta {
    /// A cluster-wide object's name.
    pub fn name(&self) -> Result<String, IdentityError> {
        let characters = self.name.len();
        let odd = |b: u8| b.is_ascii_whitespace() || b.is_ascii_control() || b == b'/';
        if (1..=NAME_CHARS_MAX).contains(&characters) && !self.name.bytes().any(odd) {
            return Ok(self.name.clone());
        }
        Err(IdentityError {
            field: "name",
            value: shorten(&self.name),
            rule: "an object's name has 1 to 253 characters, without spaces and slashes",
        })
    }

    /// A namespaced object's key.
    pub fn key(&self) -> Result<ObjectKey, IdentityError> {
        Ok(ObjectKey { namespace: self.namespace.parse()?, name: self.name()? })
    }

    /// `creationTimestamp`; one that is no time counts as not there.
    pub fn created(&self) -> Option<WallTime> {
        self.creation_timestamp.as_ref()?.parse().ok()
    }

    /// `uid`.
    pub fn uid(&self) -> Box<str> {
        self.uid.as_str().into()
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// All labels.
    pub fn labels(&self) -> Labels {
        labels(self.labels.as_ref())
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Every annotation's key.
    pub fn annotation_keys(&self) -> impl Iterator<Item = &str> {
        self.annotations.iter().flat_map(|annotations| annotations.keys().map(String::as_str))
    }

    /// What a person wishes, of the annotations that the scheduler reads.
    pub fn wishes(&self) -> Annotations {
        let own = |key: &str| key.strip_prefix(OWN_PREFIX).filter(|key| wishes::ALL.contains(key)).map(str::to_owned);
        let all = self.annotations.iter().flatten();
        all.filter_map(|(key, value)| Some((own(key)?, value.clone()))).collect()
    }

    /// Its owners.
    pub fn owners(&self) -> Vec<OwnerFact> {
        let references = self.owner_references.iter().flatten();
        references
            .map(|reference| OwnerFact {
                kind: match (reference.api_version.split('/').next(), reference.kind.as_str()) {
                    (Some("apps"), "StatefulSet") => OwnerKind::StatefulSet,
                    (Some("v1"), "Pod") => OwnerKind::Pod,
                    _ => OwnerKind::Other,
                },
                name: reference.name.clone(),
                uid: reference.uid.as_str().into(),
                controller: reference.controller == Some(true),
            })
            .collect()
    }

    /// Whether it is being deleted.
    pub fn deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// Labels, kept compactly.
pub fn labels(map: Option<&BTreeMap<String, String>>) -> Labels {
    map.map(Labels::new).unwrap_or_default()
}
