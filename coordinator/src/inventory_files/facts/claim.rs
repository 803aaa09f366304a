//! What is kept of a PersistentVolumeClaim.

use coordinator_core::inventory::facts::{ClaimFact, Fact};
use serde::Deserialize;
use shared::identity::IdentityError;

use super::meta::Meta;

/// The fields that are read.
#[derive(Debug, Deserialize)]
pub struct Slim {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    volume_name: Option<String>,
}

/// Cuts it down.
pub fn reduce(claim: Slim) -> Result<Fact, IdentityError> {
    let Slim { metadata, spec } = claim;
    let annotations = metadata.wishes();
    let fact = ClaimFact {
        volume: spec.volume_name.filter(|name| !name.is_empty()).map(String::into_boxed_str),
        labels: metadata.labels(),
        owners: metadata.owners(),
        uid_of_annotated: Some(metadata.uid()).filter(|_| !annotations.is_empty()),
        annotations,
    };
    Ok(Fact::Claim(metadata.key()?, fact))
}
