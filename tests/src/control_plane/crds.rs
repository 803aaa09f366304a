//! Which custom kinds exist in a real control plane, and when they are served.

use super::wait::{WaitError, until};
use axum::http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use std::path::PathBuf;
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
    /// The folder of the definitions cannot be read.
    #[error("cannot read the definitions in {}", folder.display())]
    Folder {
        /// Which one.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The API server refused a definition.
    #[error("cannot install definition {name}")]
    Install {
        /// The definition's name.
        name: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// It took one and never served it.
    #[error("{name} was installed and is not served")]
    Established {
        /// The definition's name.
        name: String,
        /// How long was waited.
        #[source]
        source: WaitError,
    },
}

/// Which definitions a control plane gets.
#[derive(Clone, Debug, Default)]
pub enum Definitions {
    /// Ours: [`DEFINITIONS`].
    #[default]
    Own,
    /// Every `*.yaml` of a folder, one definition each, the file named after it: those of a real Velero.
    Folder(PathBuf),
}

impl Definitions {
    /// Names and YAML, in order of their names.
    fn read(&self) -> Result<Vec<(String, String)>, CrdError> {
        let folder = match self {
            Self::Own => return Ok(DEFINITIONS.map(|(name, yaml)| (name.to_owned(), yaml.to_owned())).to_vec()),
            Self::Folder(folder) => folder,
        };
        let failed = |source| CrdError::Folder { folder: folder.clone(), source };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let yaml = std::fs::read_to_string(&path).map_err(failed)?;
                found.push((name_in(&yaml).unwrap_or_default(), yaml));
            }
        }
        found.sort();
        Ok(found)
    }
}

/// `metadata.name` of a definition: the only line of that key which two spaces indent.
fn name_in(yaml: &str) -> Option<String> {
    let line = yaml.lines().find_map(|line| line.strip_prefix("  name: "))?;
    Some(line.trim().to_owned())
}

/// Installs definitions and returns when each is Established.
pub async fn install(client: &Client, definitions: &Definitions) -> Result<(), CrdError> {
    let wanted = definitions.read()?;
    for (name, yaml) in &wanted {
        let refused = |source| CrdError::Install { name: name.clone(), source: Box::new(source) };
        install_one(client, name, yaml).await.map_err(refused)?;
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for (name, _) in wanted {
        until(ESTABLISHED_TIMEOUT, async || {
            definitions.get(&name).await.is_ok_and(|definition| established(&definition))
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
