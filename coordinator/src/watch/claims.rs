//! What decisions see of a `PersistentVolumeClaim`.

use coordinator_core::objects::{Claim, ObjectKey};
use kube::api::{ApiResource, NotUsed, Object};
use serde::Deserialize;
use shared::identity::IdentityError;

/// The fields of a claim that are read at all.
pub type SlimClaim = Object<ClaimSpec, NotUsed>;

/// `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimSpec {
    volume_name: Option<String>,
}

/// Where claims are.
pub fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(&())
}

/// Cuts a claim down.
///
/// # Errors
/// When its namespace is not valid, which no API server lets through.
pub fn reduce(claim: SlimClaim) -> Result<Claim, IdentityError> {
    let Object { types: _, metadata, spec, status: _ } = claim;
    Ok(Claim {
        key: ObjectKey {
            namespace: metadata.namespace.unwrap_or_default().parse()?,
            name: metadata.name.unwrap_or_default(),
        },
        volume: spec.volume_name.filter(|name| !name.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bound_and_unbound_claims() {
        for (spec, volume) in [
            (json!({"volumeName": "pv-1", "accessModes": ["ReadWriteOnce"]}), Some("pv-1")),
            (json!({"volumeName": ""}), None),
            (json!({}), None),
        ] {
            let claim =
                json!({"metadata": {"namespace": "a", "name": "b"}, "spec": spec, "status": {"phase": "Bound"}});
            let claim = reduce(serde_json::from_value(claim).unwrap()).unwrap();
            assert_eq!((claim.key.to_string().as_str(), claim.volume.as_deref()), ("a/b", volume));
        }
    }
}
