//! What is kept of a Pod.

use coordinator_core::inventory::facts::{Fact, PodFact};
use coordinator_core::objects::PodPhase;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::identity::IdentityError;

use super::meta::Meta;
use super::set::Container;

/// Velero's hook annotations end so (`pre.hook.backup.velero.io/command`, the older `hook.backup.velero.io/command`).
const HOOK_COMMAND: &str = "hook.backup.velero.io/command";

/// The fields that are read.
#[derive(Debug, Deserialize)]
pub struct Slim {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    volumes: Option<Vec<PodVolume>>,
    containers: Option<Vec<Container>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodVolume {
    #[serde(default)]
    name: String,
    persistent_volume_claim: Option<ClaimSource>,
    ephemeral: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimSource {
    claim_name: String,
}

#[derive(Debug, Default, Deserialize)]
struct Status {
    phase: Option<String>,
}

/// Cuts it down.
pub fn reduce(pod: Slim) -> Result<Fact, IdentityError> {
    let Slim { metadata, spec, status } = pod;
    let key = metadata.key()?;
    let volumes = spec.volumes.unwrap_or_default().into_iter();
    let mut claims: Vec<String> = volumes
        .filter_map(|volume| match (volume.persistent_volume_claim, volume.ephemeral) {
            (Some(claim), _) => Some(claim.claim_name),
            // A generic ephemeral volume's claim is called `<pod>-<volume>` (Kubernetes, "Ephemeral Volumes").
            (None, Some(_)) => Some(format!("{}-{}", key.name, volume.name)),
            (None, None) => None,
        })
        .collect();
    claims.sort();
    claims.dedup();
    claims.shrink_to_fit();
    let fact = PodFact {
        uid: metadata.uid(),
        phase: match status.phase.as_deref() {
            None | Some("Pending") => PodPhase::Pending,
            Some("Succeeded" | "Failed") => PodPhase::Ended,
            // "Unknown" is a node that does not answer: the pod may well run.
            Some(_) => PodPhase::Running,
        },
        deleting: metadata.deleting(),
        labels: metadata.labels(),
        owners: metadata.owners(),
        claims,
        containers: spec.containers.unwrap_or_default().into_iter().map(|container| container.name).collect(),
        own_hooks: metadata.annotation_keys().any(|key| key.ends_with(HOOK_COMMAND)),
        annotations: metadata.wishes(),
    };
    Ok(Fact::Pod(key, fact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_core::inventory::facts::OwnerKind;
    use serde_json::json;

    #[test]
    fn claims_by_name_ephemeral_ones_included() {
        let object = json!({
            "metadata": {"namespace": "prod", "name": "db-0", "uid": "u", "labels": {"app": "db"},
                "annotations": {"pre.hook.backup.velero.io/command": "/x", "snapshot-group.velero.io/skip": "true"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "s", "controller": true}]},
            "spec": {"containers": [{"name": "db"}], "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "again", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "config", "configMap": {"name": "c"}},
            ]},
            "status": {"phase": "Running"},
        });
        let Fact::Pod(key, pod) = reduce(serde_json::from_value(object).unwrap()).unwrap() else { panic!() };
        assert_eq!((key.to_string().as_str(), pod.phase, pod.own_hooks), ("prod/db-0", PodPhase::Running, true));
        assert_eq!(pod.claims, ["data-db-0", "db-0-scratch"]);
        assert_eq!((pod.owners[0].kind, pod.owners[0].controller), (OwnerKind::StatefulSet, true));
        assert_eq!(pod.annotations, [("skip".to_owned(), "true".to_owned())].into());
    }

    #[test]
    fn a_bare_one() {
        let object = json!({"metadata": {"namespace": "a", "name": "b", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        let Fact::Pod(_, pod) = reduce(serde_json::from_value(object).unwrap()).unwrap() else { panic!() };
        assert_eq!((pod.phase, pod.deleting, pod.own_hooks, pod.claims.len()), (PodPhase::Pending, true, false, 0));
    }
}
