//! Which custom kinds exist in a real control plane, and when they are served.

use super::wait::{WaitError, until};
use axum::http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use std::time::Duration;

/// From the first request to the last definition served. Seen: 0.3 s; the bound is for a machine that compiles beside it.
const ESTABLISHED_TIMEOUT: Duration = Duration::from_mins(1);

/// Every definition by its name, as YAML. Ours, and smaller than Velero's and the snapshotter's own: any field is allowed.
pub const DEFINITIONS: [(&str, &str); 7] = [
    ("backups.velero.io", include_str!("../../crds/backups.velero.io.yaml")),
    ("schedules.velero.io", include_str!("../../crds/schedules.velero.io.yaml")),
    ("backupstoragelocations.velero.io", include_str!("../../crds/backupstoragelocations.velero.io.yaml")),
    ("volumesnapshotlocations.velero.io", include_str!("../../crds/volumesnapshotlocations.velero.io.yaml")),
    (
        "volumesnapshots.snapshot.storage.k8s.io",
        include_str!("../../crds/volumesnapshots.snapshot.storage.k8s.io.yaml"),
    ),
    (
        "volumesnapshotcontents.snapshot.storage.k8s.io",
        include_str!("../../crds/volumesnapshotcontents.snapshot.storage.k8s.io.yaml"),
    ),
    (
        "volumesnapshotclasses.snapshot.storage.k8s.io",
        include_str!("../../crds/volumesnapshotclasses.snapshot.storage.k8s.io.yaml"),
    ),
];

/// Why the custom kinds are not there.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// The API server refused a definition.
    #[error("cannot install tests/crds/{name}.yaml")]
    Install {
        /// The definition's name.
        name: &'static str,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// It took one and never served it.
    #[error("{name} was installed and is not served")]
    Established {
        /// The definition's name.
        name: &'static str,
        /// How long was waited.
        #[source]
        source: WaitError,
    },
}

/// Installs all of [`DEFINITIONS`] and returns when each is Established.
pub async fn install(client: &Client) -> Result<(), CrdError> {
    for (name, yaml) in DEFINITIONS {
        install_one(client, name, yaml).await.map_err(|source| CrdError::Install { name, source: Box::new(source) })?;
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for (name, _) in DEFINITIONS {
        until(ESTABLISHED_TIMEOUT, async || {
            definitions.get(name).await.is_ok_and(|definition| established(&definition))
        })
        .await
        .map_err(|source| CrdError::Established { name, source })?;
    }
    Ok(())
}

/// Server-side apply takes YAML as it is, so nothing here has to parse it.
async fn install_one(client: &Client, name: &str, yaml: &str) -> Result<(), kube::Error> {
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}?fieldManager=testbed");
    let request = Request::patch(path)
        .header("Content-Type", "application/apply-patch+yaml")
        .body(yaml.as_bytes().to_vec())
        .map_err(kube::Error::HttpError)?;
    client.request_text(request).await.map(|_| ())
}

fn established(definition: &CustomResourceDefinition) -> bool {
    definition
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}
