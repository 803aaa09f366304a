//! What do snapshot controller, sidecar and EBS driver do with a `VolumeSnapshot`? This stands in for all three.
//!
//! It serves the snapshots of the Backups in one Velero's namespace, or of all. It binds a `VolumeSnapshotContent`, cuts after the cut delay (handle and
//! creation time appear, as the sidecar writes them
//! when the driver's call returns), and says that it is ready after the ready delay. A claim's annotations
//! [`ANNOTATION_CUT_DELAY`] and [`ANNOTATION_CUT_ERROR`] change that. A cut that was begun happens even when Velero has given
//! up meanwhile and deleted the snapshot: the driver's call is under way.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::json;

use super::backup::{LABEL_BACKUP_NAME, backup_resource};
use super::go_duration::GoDuration;
use super::object_name::ObjectName;
use super::settings::{CreationTimes, CutVolume, VeleroSettings};
use super::snapshots::{all_snapshots, classes, contents, snapshots, text_at};
use super::truth::{CutWay, Fact, TruthLog};

/// On a claim: a Go duration from request to cut, instead of the set one.
pub const ANNOTATION_CUT_DELAY: &str = "testbed/cut-delay";

/// On a claim: the driver answers with this error and never cuts.
pub const ANNOTATION_CUT_ERROR: &str = "testbed/cut-error";

/// Any size will do: nothing is stored.
const RESTORE_BYTES: i64 = 1 << 30;

/// Times and the log.
#[derive(Clone)]
pub struct Snapshotter {
    client: Client,
    /// Serves the snapshots of the Backups in this namespace alone; `None`: all.
    namespace: Option<String>,
    cut_delay: Duration,
    ready_delay: Duration,
    creation_times: CreationTimes,
    cut_volume: Option<CutVolume>,
    truth: TruthLog,
}

impl std::fmt::Debug for Snapshotter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshotter").field("cut_delay", &self.cut_delay).finish_non_exhaustive()
    }
}

/// What a snapshot asks for.
struct Request {
    backup: String,
    name: ObjectName,
    uid: String,
    claim: ObjectName,
    class: String,
}

impl Snapshotter {
    /// Takes its times from Velero's settings, where a test sets all times at once.
    pub fn new(client: Client, settings: &VeleroSettings) -> Self {
        Self {
            client,
            namespace: Some(settings.namespace.clone()),
            cut_delay: settings.cut_delay,
            ready_delay: settings.ready_delay,
            creation_times: settings.creation_times,
            cut_volume: settings.cut_volume.clone(),
            truth: settings.truth.clone(),
        }
    }

    /// Serves every Velero's snapshots, as a cluster's own does: also those of a Backup that is deleted meanwhile.
    #[must_use]
    pub fn of_all(self) -> Self {
        Self { namespace: None, ..self }
    }

    /// Serves every snapshot that appears, for ever.
    pub async fn serve(self) {
        let mut seen = BTreeSet::new();
        let mut events = pin!(watcher(all_snapshots(&self.client), watcher::Config::default()).default_backoff());
        loop {
            match events.try_next().await {
                Ok(Some(watcher::Event::Apply(snapshot) | watcher::Event::InitApply(snapshot))) => {
                    if let Some(request) = read(&snapshot).filter(|request| seen.insert(request.uid.clone())) {
                        tokio::spawn(self.clone().serve_one(request));
                    }
                }
                Ok(Some(watcher::Event::Delete(snapshot))) => self.deleted(&snapshot).await,
                Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
                Ok(None) => return,
                Err(error) => tracing::debug!(%error, "snapshots cannot be watched just now"),
            }
        }
    }

    async fn serve_one(self, request: Request) {
        if let Err(error) = self.cut(&request).await {
            tracing::debug!(%error, snapshot = %request.name, "was not served to its end");
        }
    }

    /// A snapshot's content goes with it, unless its policy says to keep it.
    async fn deleted(&self, snapshot: &DynamicObject) {
        let Some(content) = text_at(snapshot, "/status/boundVolumeSnapshotContentName") else { return };
        let policy = contents(&self.client).get_opt(content).await.ok().flatten();
        if policy.is_some_and(|found| text_at(&found, "/spec/deletionPolicy") == Some("Delete")) {
            let _ = contents(&self.client).delete(content, &DeleteParams::default()).await;
        }
    }

    async fn cut(&self, request: &Request) -> kube::Result<()> {
        let Request { backup, name, uid, claim, class } = request;
        // Another Velero's snapshot is another snapshotter's.
        if let Some(namespace) = &self.namespace {
            let backups: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &backup_resource());
            if backups.get_opt(backup).await?.is_none() {
                return Ok(());
            }
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &claim.namespace);
        let claim_object = claims.get(&claim.name).await?;
        let volume = self.volume_handle(&claim_object).await?;
        let class = classes(&self.client).get(class).await?;
        let content = format!("snapcontent-{uid}");
        // One that exists is another snapshotter's: it serves the snapshot.
        self.bind(request, &content, &class, &volume).await?;

        let annotations = claim_object.metadata.annotations.unwrap_or_default();
        if let Some(message) = annotations.get(ANNOTATION_CUT_ERROR) {
            return self.refuse(&content, message).await;
        }
        let delay = annotations.get(ANNOTATION_CUT_DELAY).and_then(|text| GoDuration::parse(text).ok()?.positive());
        tokio::time::sleep(delay.unwrap_or(self.cut_delay)).await;

        let cut = Fact::Cut { backup: backup.clone(), claim: claim.clone(), way: CutWay::Csi };
        let at = match &self.cut_volume {
            None => self.truth.record(cut),
            // What is in the copy is from after this time and before the handle's.
            Some(volume) => match self.truth.record_doing(|| volume.0(backup, claim).map(|()| (cut, ()))) {
                Ok((at, ())) => at,
                Err(error) => return self.refuse(&content, &error.to_string()).await,
            },
        };
        let created = match self.creation_times {
            CreationTimes::Exact => at.wall,
            CreationTimes::WholeSeconds => Timestamp::from_second(at.wall.as_second()).unwrap_or(at.wall),
        };
        let nanoseconds = i64::try_from(created.as_nanosecond()).unwrap_or(i64::MAX);
        let handle = format!("snap-{}", uid.replace('-', "").get(..17).unwrap_or(uid));
        let status = json!({"snapshotHandle": handle, "creationTime": nanoseconds, "readyToUse": false,
            "restoreSize": RESTORE_BYTES});
        self.content_status(&content, status).await?;
        let whole = Timestamp::from_second(created.as_second()).unwrap_or(created).to_string();
        let status = json!({"boundVolumeSnapshotContentName": content, "creationTime": whole, "readyToUse": false,
            "restoreSize": RESTORE_BYTES.to_string()});
        self.snapshot_status(name, status).await?;

        tokio::time::sleep(self.ready_delay).await;
        self.content_status(&content, json!({"readyToUse": true})).await?;
        self.truth.record(Fact::SnapshotReady { backup: backup.clone(), claim: claim.clone() });
        self.snapshot_status(name, json!({"readyToUse": true})).await
    }

    async fn refuse(&self, content: &str, message: &str) -> kube::Result<()> {
        let error = json!({"message": message, "time": Timestamp::now().to_string()});
        self.content_status(content, json!({"readyToUse": false, "error": error})).await
    }

    async fn volume_handle(&self, claim: &PersistentVolumeClaim) -> kube::Result<String> {
        let name = claim.spec.as_ref().and_then(|s| s.volume_name.clone()).unwrap_or_default();
        let volume = Api::<PersistentVolume>::all(self.client.clone()).get(&name).await?;
        Ok(volume.spec.and_then(|s| s.csi).map(|csi| csi.volume_handle).unwrap_or_default())
    }

    async fn bind(&self, request: &Request, content: &str, class: &DynamicObject, volume: &str) -> kube::Result<()> {
        let object = json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": content},
            "spec": {
                "deletionPolicy": text_at(class, "/deletionPolicy").unwrap_or("Delete"),
                "driver": text_at(class, "/driver").unwrap_or_default(),
                "volumeSnapshotClassName": request.class,
                "source": {"volumeHandle": volume},
                "volumeSnapshotRef": {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
                    "namespace": request.name.namespace, "name": request.name.name, "uid": request.uid},
            }
        });
        let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
        contents(&self.client).create(&PostParams::default(), &object).await?;
        let status = json!({"boundVolumeSnapshotContentName": content, "readyToUse": false});
        self.snapshot_status(&request.name, status).await
    }

    async fn content_status(&self, name: &str, status: serde_json::Value) -> kube::Result<()> {
        let patch = Patch::Merge(json!({"status": status}));
        contents(&self.client).patch_status(name, &PatchParams::default(), &patch).await.map(|_| ())
    }

    async fn snapshot_status(&self, name: &ObjectName, status: serde_json::Value) -> kube::Result<()> {
        let patch = Patch::Merge(json!({"status": status}));
        let api = snapshots(&self.client, &name.namespace);
        api.patch_status(&name.name, &PatchParams::default(), &patch).await.map(|_| ())
    }
}

/// A Velero's snapshot that names a claim and that nobody has bound yet.
fn read(snapshot: &DynamicObject) -> Option<Request> {
    let meta = &snapshot.metadata;
    if text_at(snapshot, "/status/boundVolumeSnapshotContentName").is_some() {
        return None;
    }
    let namespace = meta.namespace.clone()?;
    let backup = meta.labels.as_ref().and_then(|labels| labels.get(LABEL_BACKUP_NAME)).cloned();
    Some(Request {
        backup: backup?,
        uid: meta.uid.clone()?,
        claim: ObjectName::new(&namespace, text_at(snapshot, "/spec/source/persistentVolumeClaimName")?),
        class: text_at(snapshot, "/spec/volumeSnapshotClassName")?.to_owned(),
        name: ObjectName::new(namespace, meta.name.clone()?),
    })
}
