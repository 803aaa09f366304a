//! When does a container start, and when does it end?

use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};

use super::node::Node;
use super::token::PodIdentity;

/// Watches all pods for ever: a pod that is first seen Running has started its containers; one that is deleted ends them.
pub(super) async fn watch(node: Arc<Node>) {
    let pods: Api<Pod> = Api::all(node.client.clone());
    let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => applied(&node, pod).await,
            Ok(Some(watcher::Event::Delete(pod))) => node.forget(&PodIdentity::of(&pod)),
            Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
            Ok(None) => return,
            // The watcher starts anew by itself, with back-off.
            Err(error) => tracing::debug!(%error, "pods cannot be watched just now"),
        }
    }
}

async fn applied(node: &Node, pod: Pod) {
    let identity = PodIdentity::of(&pod);
    if pod.metadata.deletion_timestamp.is_some() {
        node.forget(&identity);
        remove(node, &identity).await;
    } else if pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running") {
        node.container_started(pod);
    }
}

/// A real API server keeps a deleted pod until its kubelet says that it has ended.
async fn remove(node: &Node, pod: &PodIdentity) {
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: Some(pod.uid.clone()), resource_version: None }),
        ..DeleteParams::default()
    };
    let pods: Api<Pod> = Api::namespaced(node.client.clone(), &pod.namespace);
    if let Err(error) = pods.delete(&pod.name, &params).await {
        tracing::debug!(%error, pod = pod.name, "was deleted already, or is gone and came again");
    }
}
