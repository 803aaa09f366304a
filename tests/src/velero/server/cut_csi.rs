//! How is a volume cut through a `VolumeSnapshot`, and how long does Velero wait for it?
//!
//! Rules: Velero `pkg/backup/actions/csi/pvc_action.go`, `pkg/util/csi/volume_snapshot.go`.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use super::run::Run;
use crate::velero::backup::LABEL_BACKUP_NAME;
use crate::velero::go_duration::GoDuration;
use crate::velero::inventory::ClaimItem;
use crate::velero::item_blocks::volume_group;
use crate::velero::object_name::ObjectName;
use crate::velero::snapshots::{classes, contents, snapshots, text_at};
use crate::velero::truth::Fact;

/// A class with this label is taken for its driver.
const LABEL_CLASS: &str = "velero.io/csi-volumesnapshot-class";

/// Why a claim could not be backed up, near to Velero's words.
#[derive(Debug, thiserror::Error)]
pub(super) enum CutError {
    #[error("PVC {0} has no volume backing this claim")]
    Unbound(ObjectName),
    #[error("Cannot snapshot PVC {0}, PVC has no storage class.")]
    NoStorageClass(ObjectName),
    #[error("failed to get VolumeSnapshotClass for driver {0}: label one with {LABEL_CLASS}=true")]
    NoSnapshotClass(String),
    #[error("PVC {0} belongs to volume group {1}, and its driver has no group controller")]
    VolumeGroup(ObjectName, String),
    #[error("VolumeSnapshot of PVC {0}: {1}")]
    Api(ObjectName, #[source] kube::Error),
    #[error("CSI got timed out after {limit:?} with error: {error}")]
    TimedOutWithError { limit: Duration, error: String },
    #[error("timed out after {0:?} awaiting reconciliation of VolumeSnapshot")]
    TimedOut(Duration),
}

/// Cuts the claim's volume: returns when Velero has seen the handle, at one of its polls.
pub(super) async fn cut(run: &Run, claim: &ClaimItem) -> Result<(), CutError> {
    let name = &claim.name;
    let volume = claim.volume.as_ref().ok_or_else(|| CutError::Unbound(name.clone()))?;
    if claim.storage_class.is_none() {
        return Err(CutError::NoStorageClass(name.clone()));
    }
    let Some(csi) = &volume.csi else {
        run.journal.info(format!("Skipping PVC {name}, associated PV {} is not a CSI volume", volume.name));
        return Ok(());
    };
    if let Some((_, group)) = volume_group(run.server.settings.version, &run.job.spec, claim) {
        return Err(CutError::VolumeGroup(name.clone(), group.to_owned()));
    }
    let class = snapshot_class(run, &csi.driver).await.map_err(|e| CutError::Api(name.clone(), e))?;
    let class = class.ok_or_else(|| CutError::NoSnapshotClass(csi.driver.clone()))?;
    let snapshot = create(run, claim, &class).await.map_err(|e| CutError::Api(name.clone(), e))?;
    let waited = wait_for_handle(run, name, &snapshot).await;
    if waited.is_err() {
        clean_up(run, name, &snapshot).await;
    }
    let content = waited?;
    let label = Patch::Merge(json!({"metadata": {"labels": {LABEL_BACKUP_NAME: run.job.name}}}));
    let labelled = contents(&run.server.client).patch(&content, &PatchParams::default(), &label).await;
    labelled.map(|_| ()).map_err(|e| CutError::Api(name.clone(), e))
}

/// The labelled class of the driver, else its only one.
async fn snapshot_class(run: &Run, driver: &str) -> kube::Result<Option<String>> {
    let all = classes(&run.server.client).list(&ListParams::default()).await?.items;
    let of_driver: Vec<&DynamicObject> = all.iter().filter(|class| text_at(class, "/driver") == Some(driver)).collect();
    let is_labelled = |class: &&&DynamicObject| {
        class.metadata.labels.as_ref().and_then(|l| l.get(LABEL_CLASS)).is_some_and(|value| value == "true")
    };
    let only = if let [only] = of_driver[..] { Some(only) } else { None };
    let chosen = of_driver.iter().find(is_labelled).copied().or(only);
    Ok(chosen.and_then(|class| class.metadata.name.clone()))
}

/// Creates the `VolumeSnapshot`; answers with its generated name.
async fn create(run: &Run, claim: &ClaimItem, class: &str) -> kube::Result<String> {
    let mut labels: BTreeMap<String, String> = claim.labels.clone();
    labels.insert(LABEL_BACKUP_NAME.into(), run.job.name.clone());
    let object = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"generateName": format!("velero-{}-", claim.name.name), "namespace": claim.name.namespace,
            "labels": labels},
        "spec": {"source": {"persistentVolumeClaimName": claim.name.name}, "volumeSnapshotClassName": class},
    });
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    run.server.truth.record(Fact::CutRequested { backup: run.job.name.clone(), claim: claim.name.clone() });
    let created = snapshots(&run.server.client, &claim.name.namespace).create(&PostParams::default(), &object).await?;
    Ok(created.metadata.name.unwrap_or_default())
}

/// Polls at once and then at each tick; an error of the driver is logged and waited out to the end of the time-out.
async fn wait_for_handle(run: &Run, claim: &ObjectName, snapshot: &str) -> Result<String, CutError> {
    let settings = &run.server.settings;
    let given = run.job.spec.csi_snapshot_timeout.and_then(GoDuration::positive).filter(|limit| !limit.is_zero());
    let limit = given.unwrap_or(settings.csi_snapshot_timeout);
    let deadline = Instant::now() + limit;
    let mut ticks = tokio::time::interval(settings.csi_poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last_error = None;
    loop {
        if tokio::time::timeout_at(deadline, ticks.tick()).await.is_err() {
            return Err(match last_error {
                Some(error) => CutError::TimedOutWithError { limit, error },
                None => CutError::TimedOut(limit),
            });
        }
        match look(run, claim, snapshot).await.map_err(|e| CutError::Api(claim.clone(), e))? {
            Seen::Handle(content) => return Ok(content),
            Seen::Error { content, error } => {
                run.journal.warning(format!("VolumeSnapshotContent {content} has error: {error}"));
                last_error = Some(error);
            }
            Seen::Nothing => {}
        }
    }
}

/// What one poll finds.
enum Seen {
    /// The content has a handle: this is its name.
    Handle(String),
    /// The content has an error.
    Error { content: String, error: String },
    /// Not bound, or nothing in its status.
    Nothing,
}

async fn look(run: &Run, claim: &ObjectName, snapshot: &str) -> kube::Result<Seen> {
    let found = snapshots(&run.server.client, &claim.namespace).get(snapshot).await?;
    let Some(bound) = text_at(&found, "/status/boundVolumeSnapshotContentName") else { return Ok(Seen::Nothing) };
    let content = contents(&run.server.client).get(bound).await?;
    if text_at(&content, "/status/snapshotHandle").is_some() {
        return Ok(Seen::Handle(bound.to_owned()));
    }
    let error = text_at(&content, "/status/error/message");
    Ok(error.map_or(Seen::Nothing, |error| Seen::Error { content: bound.to_owned(), error: error.to_owned() }))
}

/// Gives up on a snapshot: the content is to go with it. What the driver has begun it will finish all the same.
async fn clean_up(run: &Run, claim: &ObjectName, snapshot: &str) {
    let api = snapshots(&run.server.client, &claim.namespace);
    if let Ok(found) = api.get(snapshot).await
        && let Some(bound) = text_at(&found, "/status/boundVolumeSnapshotContentName")
    {
        let policy = Patch::Merge(json!({"spec": {"deletionPolicy": "Delete"}}));
        let _ = contents(&run.server.client).patch(bound, &PatchParams::default(), &policy).await;
    }
    let _ = api.delete(snapshot, &DeleteParams::default()).await;
}
