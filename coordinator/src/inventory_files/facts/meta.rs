//! What is read of the metadata of Velero's objects.

use std::collections::BTreeMap;

use coordinator_core::objects::ObjectKey;
use serde::Deserialize;
use shared::identity::IdentityError;
use shared::time::WallTime;

use crate::watch::meta;

/// `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    name: String,
    namespace: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<String>,
}

impl Meta {
    /// A namespaced object's key.
    pub fn key(&self) -> Result<ObjectKey, IdentityError> {
        Ok(ObjectKey { namespace: self.namespace.parse()?, name: meta::name(Some(self.name.clone()))? })
    }

    /// `creationTimestamp`; one that is no time counts as not there.
    pub fn created(&self) -> Option<WallTime> {
        self.creation_timestamp.as_ref()?.parse().ok()
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}
