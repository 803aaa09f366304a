//! Which part of a collection does a request want?

mod fields;
mod labels;

use serde_json::Value;

use super::kinds::{self, KindId};
use super::request::{Query, ResourceRequest};
use super::status::ApiError;
use super::store::Scope;

pub use fields::FieldSelector;
pub use labels::LabelSelector;

/// Namespace, labels and fields together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What the store can decide by key.
    pub scope: Scope,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// The selection of a list, watch or deletecollection.
    pub fn of(request: &ResourceRequest) -> Result<Self, ApiError> {
        Self::parse(request.kind, &request.namespace, &request.query)
    }

    fn parse(kind: KindId, namespace: &str, query: &Query) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or_default())?;
        let fields = FieldSelector::parse(query.get("fieldSelector").unwrap_or_default(), kinds::kind(kind))?;
        let namespace = Some(namespace).filter(|n| !n.is_empty()).or(fields.namespace()).map(str::to_owned);
        let scope = Scope { namespace, name: fields.name().map(str::to_owned) };
        Ok(Self { scope, labels, fields })
    }

    /// Whether there is a label or field selector at all.
    pub fn selects(&self) -> bool {
        self.labels != LabelSelector::default() || self.fields != FieldSelector::default()
    }

    /// Whether an object that is in the scope is selected.
    pub fn chooses(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}
