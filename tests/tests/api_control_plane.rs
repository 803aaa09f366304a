//! The real control plane: it starts, knows our kinds, signs tokens, and leaves nothing behind.

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{DynamicObject, PostParams};
use kube::{Api, ResourceExt, discovery};
use serde_json::json;
use testbed::control_plane::{BoundPod, ControlPlane};

async fn shared_namespace(test: &str) -> Option<(&'static ControlPlane, String)> {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace(test).await;
    Some((control_plane, namespace))
}

#[tokio::test]
async fn knows_the_kinds_of_velero_and_of_the_snapshotter() {
    let Some((control_plane, namespace)) = shared_namespace("kinds").await else { return };
    let client = control_plane.client().await;
    for (group, kind, has_status) in [
        ("velero.io", "Backup", false),
        ("velero.io", "Schedule", false),
        ("velero.io", "BackupStorageLocation", false),
        ("velero.io", "VolumeSnapshotLocation", false),
        ("snapshot.storage.k8s.io", "VolumeSnapshot", true),
        ("snapshot.storage.k8s.io", "VolumeSnapshotContent", true),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass", false),
    ] {
        let gvk = kube::core::GroupVersionKind::gvk(group, "v1", kind);
        let (resource, capabilities) = discovery::pinned_kind(&client, &gvk).await.expect(kind);
        assert_eq!(capabilities.subresources.iter().any(|(sub, _)| sub.plural == "status"), has_status, "{kind}");
        let api: Api<DynamicObject> = match capabilities.scope {
            discovery::Scope::Namespaced => Api::namespaced_with(client.clone(), &namespace, &resource),
            discovery::Scope::Cluster => Api::all_with(client.clone(), &resource),
        };
        let mut object = DynamicObject::new(&namespace, &resource);
        object.data = json!({"spec": {"anything": ["goes"]}});
        let created = api.create(&PostParams::default(), &object).await.expect(kind);
        assert_eq!(created.data["spec"]["anything"][0], "goes", "{kind}");
    }
}

#[tokio::test]
async fn a_service_account_may_nothing_until_it_is_bound() {
    let Some((control_plane, namespace)) = shared_namespace("rbac").await else { return };
    let accounts: Api<ServiceAccount> = Api::namespaced(control_plane.client().await, &namespace);
    let account = serde_json::from_value(json!({"metadata": {"name": "agent"}})).expect("account");
    accounts.create(&PostParams::default(), &account).await.expect("created");
    let client = control_plane.client_as_service_account(&namespace, "agent").await.expect("client");
    let error = Api::<Pod>::namespaced(client, &namespace).get("absent").await.expect_err("no role, no read");
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert_eq!(status.code, 403, "{status:?}");
    assert!(status.message.contains(&format!("system:serviceaccount:{namespace}:agent")), "{status:?}");
}

#[tokio::test]
async fn a_token_is_bound_to_a_pod_that_is_there() {
    let Some((control_plane, namespace)) = shared_namespace("token").await else { return };
    let client = control_plane.client().await;
    let account = serde_json::from_value(json!({"metadata": {"name": "agent"}})).expect("account");
    Api::<ServiceAccount>::namespaced(client.clone(), &namespace)
        .create(&PostParams::default(), &account)
        .await
        .expect("account");
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "db-0"},
        "spec": {"serviceAccountName": "agent", "containers": [{"name": "db", "image": "none"}]},
    }));
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let pod = pods.create(&PostParams::default(), &pod.expect("pod")).await.expect("pod");
    let uid = pod.uid().expect("uid");
    let bound = BoundPod { name: "db-0", uid: &uid };
    // What it says is the conformance suite's (`a_pods_token_says_who_it_is`).
    control_plane.token(&namespace, "agent", Some(bound)).await.expect("token");
    let elsewhere = BoundPod { name: "db-1", uid: &uid };
    let error = control_plane.token(&namespace, "agent", Some(elsewhere)).await.expect_err("no such pod");
    assert!(testbed::control_plane::shared::chain(&error).contains("db-1"), "{error}");
}

#[tokio::test]
async fn an_own_one_ends_when_it_is_dropped() {
    // Only where one can be had at all: the shared one says so.
    if ControlPlane::shared().await.is_none() {
        return;
    }
    let control_plane = ControlPlane::start().await.expect("a second one beside the shared one");
    let (pids, kubeconfig) = (control_plane.pids(), control_plane.kubeconfig());
    assert_eq!(pids.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["etcd", "kube-apiserver"]);
    let logs = control_plane.logs().to_owned();
    drop(control_plane);
    for (name, pid) in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{name} still runs as {pid}");
    }
    assert!(!kubeconfig.exists(), "keys stay behind");
    assert!(logs.join("kube-apiserver.log").exists(), "logs are kept");
}
