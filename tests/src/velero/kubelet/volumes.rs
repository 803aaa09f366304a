//! Which folders and files stand for a pod's volumes?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Pod, ServiceAccountTokenProjection, Volume,
};
use kube::{Api, Client};

use super::field_ref::field;
use super::token::{PodIdentity, TokenError, TokenSource, token};

/// Why a volume cannot be made; a real kubelet would not have started the pod.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The volume's source is not simulated.
    #[error("volume {0}: its source is not simulated: use a claim, emptyDir, downwardAPI, configMap or projected")]
    UnknownSource(String),
    /// A mount of a volume that the pod does not have, or with a sub-path.
    #[error("mount {0}: no such volume in the pod, or it has a subPath, which is not simulated")]
    BadMount(String),
    /// A field path that the downward API does not know.
    #[error("volume {volume}: field path {path:?} is not supported: use one of the downward API's")]
    UnknownField {
        /// The volume.
        volume: String,
        /// The path.
        path: String,
    },
    /// A `ConfigMap` could not be read.
    #[error("volume {0}: cannot read its ConfigMap")]
    ConfigMap(String, #[source] kube::Error),
    /// No token.
    #[error("volume {0}: no service account token")]
    Token(String, #[source] TokenError),
    /// The machine's file system refused.
    #[error("{0}: cannot be written", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The places of one pod on this machine.
#[derive(Clone, Debug)]
pub(super) struct PodFolders {
    root: PathBuf,
    namespace: String,
    pod: PathBuf,
}

/// Enough of a uid to tell two pods of one name apart on disk.
const UID_CHARS: usize = 8;

impl PodFolders {
    /// Says where things are; makes nothing.
    pub(super) fn new(root: &Path, pod: &PodIdentity) -> Self {
        let uid: String = pod.uid.chars().take(UID_CHARS).collect();
        Self {
            root: root.to_owned(),
            namespace: pod.namespace.clone(),
            pod: root.join("pods").join(&pod.namespace).join(format!("{}-{uid}", pod.name)),
        }
    }

    /// The working folder of a container's processes.
    pub(super) fn working(&self, container: &str) -> PathBuf {
        self.pod.join(container)
    }

    /// The folder of a volume.
    fn of_volume(&self, volume: &Volume) -> PathBuf {
        match &volume.persistent_volume_claim {
            Some(source) => self.root.join("claims").join(&self.namespace).join(&source.claim_name),
            None => self.pod.join("volumes").join(&volume.name),
        }
    }

    /// Mount paths of a container and the folders that stand for them.
    pub(super) fn mounts(&self, pod: &Pod, container: &Container) -> Result<BTreeMap<String, PathBuf>, VolumeError> {
        let volumes = volumes_of(pod);
        let folder_of = |mount: &k8s_openapi::api::core::v1::VolumeMount| {
            let plain = mount.sub_path.as_deref().unwrap_or("").is_empty() && mount.sub_path_expr.is_none();
            let volume = volumes.iter().find(|v| v.name == mount.name).filter(|_| plain);
            volume
                .map(|v| (mount.mount_path.clone(), self.of_volume(v)))
                .ok_or_else(|| VolumeError::BadMount(mount.mount_path.clone()))
        };
        container.volume_mounts.iter().flatten().map(folder_of).collect()
    }
}

fn volumes_of(pod: &Pod) -> &[Volume] {
    pod.spec.as_ref().and_then(|s| s.volumes.as_deref()).unwrap_or_default()
}

/// Whether this is the pod's first exec or a later one: downward files follow the pod's labels, all else stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// Everything.
    First,
    /// Only what follows the live Pod object.
    Refresh,
}

/// What the volumes of a pod are made from.
pub(super) struct VolumeMaker<'a> {
    pub(super) client: &'a Client,
    pub(super) tokens: &'a TokenSource,
    pub(super) folders: &'a PodFolders,
    /// The live object.
    pub(super) pod: &'a Pod,
    pub(super) identity: &'a PodIdentity,
}

impl VolumeMaker<'_> {
    /// Makes every volume of the pod and the container's working folder.
    pub(super) async fn fill(&self, container: &str, filling: Filling) -> Result<(), VolumeError> {
        make_folder(&self.folders.working(container))?;
        for volume in volumes_of(self.pod) {
            let folder = self.folders.of_volume(volume);
            make_folder(&folder)?;
            self.fill_one(volume, &folder, filling).await?;
        }
        Ok(())
    }

    async fn fill_one(&self, volume: &Volume, folder: &Path, filling: Filling) -> Result<(), VolumeError> {
        if volume.persistent_volume_claim.is_some() || volume.empty_dir.is_some() {
            return Ok(());
        }
        if let Some(source) = &volume.downward_api {
            return self.downward(&volume.name, folder, source.items.as_deref().unwrap_or_default());
        }
        if let Some(source) = &volume.config_map {
            let items = source.items.as_deref();
            return self.config_map(&volume.name, folder, &source.name, items, source.optional, filling).await;
        }
        let Some(projected) = &volume.projected else { return Err(VolumeError::UnknownSource(volume.name.clone())) };
        for source in projected.sources.iter().flatten() {
            if let Some(downward) = &source.downward_api {
                self.downward(&volume.name, folder, downward.items.as_deref().unwrap_or_default())?;
            } else if let Some(projection) = &source.service_account_token {
                self.token(&volume.name, folder, projection, filling).await?;
            } else if let Some(map) = &source.config_map {
                let items = map.items.as_deref();
                self.config_map(&volume.name, folder, &map.name, items, map.optional, filling).await?;
            } else {
                return Err(VolumeError::UnknownSource(volume.name.clone()));
            }
        }
        Ok(())
    }

    fn downward(&self, volume: &str, folder: &Path, items: &[DownwardAPIVolumeFile]) -> Result<(), VolumeError> {
        for item in items {
            let reference = item.field_ref.as_ref().ok_or_else(|| VolumeError::UnknownSource(volume.to_owned()))?;
            let value = field(self.pod, &reference.field_path).ok_or_else(|| VolumeError::UnknownField {
                volume: volume.to_owned(),
                path: reference.field_path.clone(),
            })?;
            write_file(&folder.join(&item.path), &value)?;
        }
        Ok(())
    }

    async fn token(
        &self,
        volume: &str,
        folder: &Path,
        projection: &ServiceAccountTokenProjection,
        filling: Filling,
    ) -> Result<(), VolumeError> {
        if filling == Filling::Refresh {
            return Ok(());
        }
        let text = token(self.tokens, self.client, self.identity, projection.audience.as_deref())
            .await
            .map_err(|e| VolumeError::Token(volume.to_owned(), e))?;
        write_file(&folder.join(&projection.path), &text)
    }

    async fn config_map(
        &self,
        volume: &str,
        folder: &Path,
        name: &str,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
        filling: Filling,
    ) -> Result<(), VolumeError> {
        if filling == Filling::Refresh {
            return Ok(());
        }
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.identity.namespace);
        let found = maps.get_opt(name).await.map_err(|e| VolumeError::ConfigMap(volume.to_owned(), e))?;
        if found.is_none() && optional != Some(true) {
            return Err(VolumeError::UnknownSource(format!("{volume} (ConfigMap {name} does not exist)")));
        }
        for (key, value) in found.and_then(|map| map.data).into_iter().flatten() {
            let path = match items {
                None => Some(key.as_str()),
                Some(items) => items.iter().find(|item| item.key == key).map(|item| item.path.as_str()),
            };
            path.map_or(Ok(()), |path| write_file(&folder.join(path), &value))?;
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<(), VolumeError> {
    std::fs::create_dir_all(path).map_err(|source| VolumeError::Io { path: path.to_owned(), source })
}

/// Writes beside and renames, so that a process that reads meanwhile sees the old or the new text, never half of one.
fn write_file(path: &Path, text: &str) -> Result<(), VolumeError> {
    let failed = |source| VolumeError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let beside = path.with_extension(format!("{}-new", next_number()));
    std::fs::write(&beside, text).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
