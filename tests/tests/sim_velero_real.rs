//! Do clusters and simulator work on a real kube-apiserver as on the embedded one?

use anyhow::Result;
use serde_json::json;
use testbed::control_plane::ControlPlane;
use testbed::velero::backup::Phase;
use testbed::velero::bed::back_up;
use testbed::velero::cluster::{self, Workload};
use testbed::velero::truth::{Consistency, truth_verdict};
use testbed::velero::{Velero, VeleroSettings};

#[tokio::test]
async fn a_group_of_three_is_cut_as_one_block() -> Result<()> {
    let Some(control_plane) = ControlPlane::shared().await else { return Ok(()) };
    let client = control_plane.client().await;
    cluster::prepare(&client).await?;
    let namespace = control_plane.namespace("sim-group").await;
    let velero_namespace = control_plane.namespace("sim-velero").await;
    let workload = Workload::stateful_set(&namespace, "db", 3)
        .shell_hooks("cut -c1-3 $TOKEN", "true")
        .env("TOKEN", "/var/run/secrets/kubernetes.io/serviceaccount/token")
        .token();
    let made = cluster::create(&client, &workload).await?;
    let velero =
        Velero::start(client.clone(), VeleroSettings { namespace: velero_namespace, ..VeleroSettings::quick() })
            .await?;
    let spec = json!({"includedNamespaces": [namespace], "orderedResources": {"pods": made.ordered()}});
    let (phase, seen) = back_up(&velero, "sim-group", spec).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    assert!(seen.is_one_block() && seen.cuts().len() == 3, "{seen}");
    assert_eq!(truth_verdict(&seen, &made.names(), None).consistency, Consistency::GroupConsistent, "{seen}");
    let token = seen.hooks()[0].output.clone().map(|(out, _)| out);
    assert_eq!(token.as_deref(), Some("eyJ\n"), "a token that the API server issued: {seen}");

    // A pod is deleted as a user deletes it: the stand-in kubelet says when it is gone.
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(client, &namespace);
    pods.delete("db-2", &kube::api::DeleteParams::default()).await?;
    let gone = kube::runtime::wait::await_condition(
        pods,
        "db-2",
        kube::runtime::wait::conditions::is_deleted(&made.pods[2].uid),
    );
    tokio::time::timeout(std::time::Duration::from_mins(1), gone).await??;
    Ok(())
}

#[tokio::test]
async fn every_kind_of_workload_can_be_put_in() -> Result<()> {
    let Some(control_plane) = ControlPlane::shared().await else { return Ok(()) };
    let client = control_plane.client().await;
    cluster::prepare(&client).await?;
    let namespace = control_plane.namespace("sim-kinds").await;
    for workload in [
        Workload::stateful_set(&namespace, "late", 2).ordinals_start(3).claims(&["data", "wal"]),
        Workload::deployment(&namespace, "web"),
        Workload::bare_pod(&namespace, "lone"),
    ] {
        cluster::create(&client, &workload).await?;
    }
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(client.clone(), &namespace);
    let running = kube::api::ListParams::default().fields("status.phase=Running");
    let names: Vec<String> = pods.list(&running).await?.into_iter().filter_map(|pod| pod.metadata.name).collect();
    assert_eq!(names, ["late-3", "late-4", "lone", "web-5d4f8c7b9-xbbbb"]);
    let claims: kube::Api<k8s_openapi::api::core::v1::PersistentVolumeClaim> =
        kube::Api::namespaced(client, &namespace);
    let claims = claims.list(&kube::api::ListParams::default()).await?.items;
    let bound = |c: &k8s_openapi::api::core::v1::PersistentVolumeClaim| c.status.as_ref().and_then(|s| s.phase.clone());
    assert!(claims.len() == 5 && claims.iter().all(|claim| bound(claim).as_deref() == Some("Bound")), "{claims:?}");
    Ok(())
}
