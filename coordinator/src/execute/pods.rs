//! Puts a pod into a group, unless somebody else did.

use std::time::Instant;

use coordinator_core::event::{Event, Outcome};
use coordinator_core::objects::PodKey;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use shared::identity::GroupId;
use shared::names::{ANNOTATION_LABELLED_BY, FIELD_MANAGER_COORDINATOR, LABEL_SNAPSHOT_GROUP};

use super::Done;
use super::call::{bounded, conflict, failed, written};
use super::refusals::Refusals;
use crate::api::{Trouble, TroubleKind};
use crate::watch::pods::{SlimPod, reduce, resource};

const RESOURCE: &str = "pods";

/// Sets label and annotation by server-side apply without force: a label that somebody else owns with another value is a
/// conflict, also when it was set after we last looked. The uid keeps a later pod of the same name out of it.
pub async fn label(client: &Client, refusals: &Refusals, pod: PodKey, uid: &str, group: &GroupId) -> Done {
    if !refusals.may_try(&pod.namespace, Instant::now()) {
        let outcome = Outcome::Failed { refused: true, message: Refusals::not_tried(&pod.namespace) };
        return Done { events: Vec::new(), outcome };
    }
    let api: Api<SlimPod> = Api::namespaced_with(client.clone(), pod.namespace.as_str(), &resource());
    let patch = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "uid": uid,
            "labels": {LABEL_SNAPSHOT_GROUP: group},
            "annotations": {ANNOTATION_LABELLED_BY: FIELD_MANAGER_COORDINATOR},
        },
    });
    let params = PatchParams::apply(FIELD_MANAGER_COORDINATOR);
    match bounded(api.patch_metadata(pod.name.as_str(), &params, &Patch::Apply(&patch))).await {
        Ok(labelled) => {
            refusals.allowed(&pod.namespace);
            written(labelled.metadata)
        }
        Err(trouble) if trouble.kind == TroubleKind::Forbidden && Refusals::is_of_namespace(&trouble.said) => {
            refusals.refused(pod.namespace, Instant::now());
            failed(Vec::new(), &trouble, "patch", RESOURCE)
        }
        Err(trouble) => not_done(&api, pod, uid, &trouble).await,
    }
}

async fn not_done(api: &Api<SlimPod>, key: PodKey, uid: &str, trouble: &Trouble) -> Done {
    match bounded(api.get_opt(key.name.as_str())).await.map(|found| found.map(reduce)) {
        Ok(None) => conflict(vec![Event::PodGone(key)]),
        Ok(Some(Ok(pod))) if pod.uid.as_str() != uid || pod.labels.contains_key(LABEL_SNAPSHOT_GROUP) => {
            conflict(vec![Event::Pod(pod)])
        }
        Ok(Some(Ok(pod))) => failed(vec![Event::Pod(pod)], trouble, "patch", RESOURCE),
        Ok(Some(Err(_))) | Err(_) => failed(Vec::new(), trouble, "patch", RESOURCE),
    }
}
