//! In which order are a workload's objects sent?

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::time::Duration;

use super::objects::{self, PodPlan};
use super::workload::{Made, MadePod, Owner, Workload};
use super::{DRIVER, STORAGE_CLASS};
use crate::velero::backup::VELERO_NAMESPACE;
use crate::velero::object_name::ObjectName;

/// Pods made at once: enough to hide the round trips, few enough for two cores.
const PODS_AT_ONCE: usize = 8;

/// A pod with a kubelet of its own is Ready within this, or never: it takes a fraction of a second, and twenty may start at once on
/// two busy cores.
const READY_TIMEOUT: Duration = Duration::from_mins(1);

/// Why the cluster is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// An object could not be read, made, changed or deleted.
    #[error("{kind} {name} cannot be read, created, deleted or given its status")]
    Object {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// A pod cannot be watched.
    #[error("pod {pod} cannot be watched")]
    Watch {
        /// The pod.
        pod: ObjectName,
        /// What kube says.
        #[source]
        source: kube::runtime::wait::Error,
    },
    /// The node's kubelet does not start it.
    #[error("pod {pod} was not Ready within {limit:?}; its kubelet says: {said}")]
    NotReady {
        /// The pod.
        pod: ObjectName,
        /// How long was waited.
        limit: Duration,
        /// Phase and message.
        said: String,
    },
    /// The workload has fewer pods.
    #[error("workload {workload} has no pod of index {index}: indexes begin with 0")]
    NoSuchPod {
        /// The workload.
        workload: String,
        /// The index asked for.
        index: usize,
    },
}

/// Makes what every cluster has: Velero's namespace, the storage class, the snapshot class. What is there already stays.
/// A server without the snapshot kinds is left without the class.
pub async fn prepare(client: &Client) -> Result<(), ClusterError> {
    ensure_namespace(client, VELERO_NAMESPACE).await?;
    ensure(
        client,
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": STORAGE_CLASS},
        "provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer"}),
    )
    .await?;
    let class = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
        "metadata": {"name": STORAGE_CLASS, "labels": {"velero.io/csi-volumesnapshot-class": "true"}},
        "driver": DRIVER, "deletionPolicy": "Retain"});
    match ensure(client, class).await {
        Err(ClusterError::Object { source: kube::Error::Api(status), .. }) if status.code == 404 => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Puts a workload into the cluster; returns when all its pods are Running.
pub async fn create(client: &Client, workload: &Workload) -> Result<Made, ClusterError> {
    ensure_namespace(client, &workload.namespace).await?;
    ensure(
        client,
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": workload.service_account, "namespace": workload.namespace}}),
    )
    .await?;
    let owner = ensure_owner(client, workload).await?;
    let pods: Vec<MadePod> = stream::iter(objects::pod_plans(workload))
        .map(|plan| create_pod(client, workload, plan, owner.as_ref()))
        .buffered(PODS_AT_ONCE)
        .try_collect()
        .await?;
    if let Some(owner) = &owner {
        set_status(client, owner, objects::rolled_out_status(workload)).await?;
    }
    Ok(Made { pods })
}

/// Deletes the workload's pod of this index (from 0) and makes it anew with the same claims, as after an eviction: same name
/// (a `StatefulSet`'s always, others' here too), another uid.
pub async fn replace_pod(client: &Client, workload: &Workload, index: usize) -> Result<MadePod, ClusterError> {
    let plan = objects::pod_plans(workload).into_iter().nth(index);
    let plan = plan.ok_or_else(|| ClusterError::NoSuchPod { workload: workload.name.clone(), index })?;
    delete_pod(client, &ObjectName::new(&workload.namespace, &plan.name)).await?;
    let owner = ensure_owner(client, workload).await?;
    create_pod(client, workload, plan, owner.as_ref()).await
}

/// The object whose controller makes the pods; a `Deployment`'s pods are its `ReplicaSet`'s.
async fn ensure_owner(client: &Client, workload: &Workload) -> Result<Option<Value>, ClusterError> {
    match workload.owner {
        Owner::StatefulSet => ensure(client, objects::stateful_set(workload)).await.map(Some),
        Owner::Deployment => {
            let deployment = ensure(client, objects::deployment(workload)).await?;
            let owner = objects::owner_reference(&deployment);
            set_status(client, &deployment, objects::rolled_out_status(workload)).await?;
            ensure(client, objects::replica_set(workload, &owner)).await.map(Some)
        }
        Owner::None => Ok(None),
    }
}

/// Deletes a pod at once, without a grace period, as an eviction that was waited out.
pub async fn delete_pod(client: &Client, pod: &ObjectName) -> Result<(), ClusterError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let deleted = pods.delete(&pod.name, &DeleteParams::default().grace_period(0)).await;
    deleted.map(|_| ()).map_err(|source| ClusterError::Object { kind: "Pod".into(), name: pod.to_string(), source })
}

async fn create_pod(
    client: &Client,
    workload: &Workload,
    plan: PodPlan,
    owner: Option<&Value>,
) -> Result<MadePod, ClusterError> {
    for (_, claim) in &plan.claims {
        bind(client, &workload.namespace, objects::claim(workload, claim)).await?;
    }
    let owner = owner.map(objects::owner_reference);
    let pod = ensure(client, objects::pod(workload, &plan, owner.as_ref())).await?;
    if workload.node.is_some() {
        wait_until_ready(client, &ObjectName::new(&workload.namespace, &plan.name)).await?;
    } else {
        let now = Timestamp::now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        set_status(client, &pod, objects::running_pod_status(plan.index, &now)).await?;
    }
    let named = |name: &str| ObjectName::new(&workload.namespace, name);
    Ok(MadePod {
        name: named(&plan.name),
        uid: pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        claims: plan.claims.iter().map(|(_, claim)| named(claim)).collect(),
    })
}

/// Makes a claim that names its volume, and that volume, of EBS.
pub(super) async fn bind(client: &Client, namespace: &str, claim: Value) -> Result<(), ClusterError> {
    let claim = ensure(client, claim).await?;
    let volume = ensure(client, objects::volume(namespace, &claim)).await?;
    set_status(client, &claim, objects::bound_claim_status()).await?;
    set_status(client, &volume, json!({"phase": "Bound"})).await
}

/// Waits for a node's kubelet.
pub(super) async fn wait_until_ready(client: &Client, pod: &ObjectName) -> Result<(), ClusterError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let waited = tokio::time::timeout(READY_TIMEOUT, await_condition(pods.clone(), &pod.name, is_ready)).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) => Err(ClusterError::Watch { pod: pod.clone(), source }),
        Err(_) => {
            let status = pods.get(&pod.name).await.ok().and_then(|pod| pod.status).unwrap_or_default();
            let said = format!("{} {}", status.phase.unwrap_or_default(), status.message.unwrap_or_default());
            Err(ClusterError::NotReady { pod: pod.clone(), limit: READY_TIMEOUT, said })
        }
    }
}

fn is_ready(pod: Option<&Pod>) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn ensure_namespace(client: &Client, name: &str) -> Result<(), ClusterError> {
    ensure(client, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await.map(|_| ())
}

/// Creates an object, or takes the one of that name that is there.
pub(super) async fn ensure(client: &Client, object: Value) -> Result<Value, ClusterError> {
    let failed = |source| error_for(&object, source);
    let parsed: DynamicObject =
        serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError).map_err(failed)?;
    let api = api_of(client, &object);
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let made = match api.create(&PostParams::default(), &parsed).await {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => api.get(name).await,
        made => made,
    };
    made.and_then(|made| serde_json::to_value(made).map_err(kube::Error::SerdeError)).map_err(failed)
}

async fn set_status(client: &Client, object: &Value, status: Value) -> Result<(), ClusterError> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let patch = Patch::Merge(json!({"status": status}));
    let written = api_of(client, object).patch_status(name, &PatchParams::default(), &patch).await;
    written.map(|_| ()).map_err(|source| error_for(object, source))
}

fn error_for(object: &Value, source: kube::Error) -> ClusterError {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ClusterError::Object { kind: text(&object["kind"]), name: text(&object["metadata"]["name"]), source }
}

/// The API of an object's own kind and namespace; kinds here all form their plural with `s` or `es`.
fn api_of(client: &Client, object: &Value) -> Api<DynamicObject> {
    let (group, version) = object["apiVersion"].as_str().unwrap_or_default().rsplit_once('/').unwrap_or(("", "v1"));
    let kind = object["kind"].as_str().unwrap_or_default();
    let suffix = if kind.ends_with('s') { "es" } else { "s" };
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &format!("{}{suffix}", kind.to_lowercase()));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}
