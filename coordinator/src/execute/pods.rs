//! Puts a pod into a group, unless somebody else did, or takes it into that of the namespace that it was restored into.

use std::time::Instant;

use coordinator_core::event::{Event, Outcome};
use coordinator_core::objects::{Pod, PodKey};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use shared::identity::GroupId;
use shared::names::{ANNOTATION_LABELLED_AS, ANNOTATION_LABELLED_BY, FIELD_MANAGER_COORDINATOR, LABEL_SNAPSHOT_GROUP};

use super::Done;
use super::call::{bounded, conflict, failed, written};
use super::refusals::Refusals;
use crate::api::{Trouble, TroubleKind};
use crate::watch::pods::{SlimPod, reduce, resource};

const RESOURCE: &str = "pods";

/// Which pod is to have which label.
pub struct Wanted {
    /// The pod.
    pub pod: PodKey,
    /// Only if it is still this one.
    pub uid: String,
    /// What the label is to say.
    pub group: GroupId,
    /// What it must still say; `None`: there must be none.
    pub instead_of: Option<GroupId>,
}

/// Sets label and annotations. The uid keeps a later pod of the same name out of it.
pub async fn label(client: &Client, refusals: &Refusals, wanted: Wanted) -> Done {
    let pod = &wanted.pod;
    if !refusals.may_try(&pod.namespace, Instant::now()) {
        let outcome = Outcome::Failed { refused: true, message: Refusals::not_tried(&pod.namespace) };
        return Done { events: Vec::new(), outcome };
    }
    let api: Api<SlimPod> = Api::namespaced_with(client.clone(), pod.namespace.as_str(), &resource());
    let (params, patch) = match &wanted.instead_of {
        None => (PatchParams::apply(FIELD_MANAGER_COORDINATOR), set_where_none_is(&wanted)),
        Some(old) => {
            let manager = Some(FIELD_MANAGER_COORDINATOR.to_owned());
            (PatchParams { field_manager: manager, ..PatchParams::default() }, replace(&wanted, old))
        }
    };
    match bounded(api.patch_metadata(pod.name.as_str(), &params, &patch)).await {
        Ok(labelled) => {
            refusals.allowed(&pod.namespace);
            written(labelled.metadata)
        }
        Err(trouble) if trouble.kind == TroubleKind::Forbidden && Refusals::is_of_namespace(&trouble.said) => {
            refusals.refused(wanted.pod.namespace, Instant::now());
            failed(Vec::new(), &trouble, "patch", RESOURCE)
        }
        Err(trouble) => not_done(&api, wanted, &trouble).await,
    }
}

/// Server-side apply without force: a label that somebody else owns with another value is a conflict, also when it was set after we last looked.
fn set_where_none_is(Wanted { pod, uid, group, instead_of: _ }: &Wanted) -> Patch<Value> {
    Patch::Apply(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "uid": uid,
            "labels": {LABEL_SNAPSHOT_GROUP: group},
            "annotations": {ANNOTATION_LABELLED_BY: FIELD_MANAGER_COORDINATOR, ANNOTATION_LABELLED_AS: group},
        },
    }))
}

/// A restored label belongs to whoever restored it, so applying would be a conflict for ever; this asks instead that nobody has changed it.
fn replace(Wanted { uid, group, .. }: &Wanted, old: &GroupId) -> Patch<Value> {
    let of = |kind: &str, key: &str| format!("/metadata/{kind}/{}", key.replace('/', "~1"));
    let (label, labelled_as) = (of("labels", LABEL_SNAPSHOT_GROUP), of("annotations", ANNOTATION_LABELLED_AS));
    let steps = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": label, "value": old},
        {"op": "test", "path": labelled_as, "value": old},
        {"op": "replace", "path": label, "value": group},
        {"op": "replace", "path": labelled_as, "value": group},
    ]);
    let steps = serde_json::from_value(steps).unwrap_or_else(|e| unreachable!("these are steps of a JSON patch: {e}"));
    Patch::Json(steps)
}

async fn not_done(api: &Api<SlimPod>, wanted: Wanted, trouble: &Trouble) -> Done {
    let Wanted { pod: key, uid, group: _, instead_of } = wanted;
    let stands = |pod: &Pod| pod.label(LABEL_SNAPSHOT_GROUP) != instead_of.as_ref().map(GroupId::as_str);
    match bounded(api.get_opt(key.name.as_str())).await.map(|found| found.map(reduce)) {
        Ok(None) => conflict(vec![Event::PodGone(key)]),
        Ok(Some(Ok(pod))) if pod.uid != *uid || stands(&pod) => conflict(vec![Event::Pod(pod)]),
        Ok(Some(Ok(pod))) => failed(vec![Event::Pod(pod)], trouble, "patch", RESOURCE),
        Ok(Some(Err(_))) | Err(_) => failed(Vec::new(), trouble, "patch", RESOURCE),
    }
}
