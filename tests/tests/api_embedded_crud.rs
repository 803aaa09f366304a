//! Does kube's typed client get on with the embedded server: create, read, update, patch, apply, delete, watch?

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use testbed::api::{ApiServer, ServerOptions};

async fn server() -> ApiServer {
    ApiServer::start(ServerOptions::default()).await.expect("a server on loopback")
}

fn lease(name: &str, spec: &Value) -> Lease {
    let lease =
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec});
    serde_json::from_value(lease).expect("a lease")
}

fn code(result: Result<impl std::fmt::Debug, kube::Error>) -> (u16, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
        other => panic!("expected a refusal by the server, got {other:?}"),
    }
}

#[tokio::test]
async fn a_lease_lives_its_life() {
    let server = server().await;
    let leases: Api<Lease> = Api::namespaced(server.client(), "default");
    let made =
        leases.create(&PostParams::default(), &lease("a", &json!({"holderIdentity": "x"}))).await.expect("created");
    assert!(made.metadata.uid.is_some() && made.metadata.creation_timestamp.is_some());
    assert_eq!(
        code(leases.create(&PostParams::default(), &lease("a", &json!({}))).await),
        (409, "AlreadyExists".into())
    );

    let mut newer = made.clone();
    newer.spec.as_mut().expect("spec").lease_transitions = Some(3);
    let newer = leases.replace("a", &PostParams::default(), &newer).await.expect("replaced");
    assert_ne!(newer.metadata.resource_version, made.metadata.resource_version);
    assert_eq!(code(leases.replace("a", &PostParams::default(), &made).await), (409, "Conflict".into()));

    let merge = Patch::Merge(json!({"spec": {"holderIdentity": null, "leaseDurationSeconds": 5}}));
    let patched = leases.patch("a", &PatchParams::default(), &merge).await.expect("patched").spec.expect("spec");
    assert_eq!((patched.holder_identity, patched.lease_duration_seconds), (None, Some(5)));

    assert_eq!(leases.list(&ListParams::default()).await.expect("listed").items.len(), 1);
    leases.delete("a", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(code(leases.get("a").await), (404, "NotFound".into()));
}

#[tokio::test]
async fn apply_creates_updates_resets_and_keeps_what_others_own() {
    let server = server().await;
    let leases: Api<Lease> = Api::namespaced(server.client(), "default");
    let apply = |manager: &str, object: Value| {
        let mut object = object;
        object["apiVersion"] = "coordination.k8s.io/v1".into();
        object["kind"] = "Lease".into();
        let (leases, params) = (leases.clone(), PatchParams::apply(manager));
        async move { leases.patch("a", &params, &Patch::Apply(&object)).await }
    };
    let first =
        json!({"metadata": {"name": "a", "annotations": {"x": "1", "y": "1"}}, "spec": {"holderIdentity": "me"}});
    apply("one", first).await.expect("created by apply");
    let label = Patch::Merge(json!({"metadata": {"labels": {"theirs": "1"}}}));
    leases
        .patch("a", &PatchParams { field_manager: Some("two".into()), ..PatchParams::default() }, &label)
        .await
        .expect("labelled");

    let second = json!({"metadata": {"annotations": {"x": "2"}}, "spec": {"holderIdentity": "me"}});
    let after = apply("one", second).await.expect("applied again");
    assert_eq!(serde_json::to_value(&after.metadata.annotations).expect("json"), json!({"x": "2"}));
    assert_eq!(serde_json::to_value(&after.metadata.labels).expect("json"), json!({"theirs": "1"}));

    let theirs = json!({"metadata": {"labels": {"theirs": "2"}}});
    assert_eq!(code(apply("one", theirs.clone()).await), (409, "Conflict".into()));
    let stale = json!({"metadata": {"resourceVersion": "1"}});
    assert_eq!(code(apply("one", stale).await), (409, "Conflict".into()));
    let mut forced = theirs;
    forced["apiVersion"] = "coordination.k8s.io/v1".into();
    forced["kind"] = "Lease".into();
    let forced = leases.patch("a", &PatchParams::apply("one").force(), &Patch::Apply(&forced)).await.expect("forced");
    assert_eq!(forced.spec.and_then(|s| s.holder_identity), None, "no longer applied, so gone");
}

#[tokio::test]
async fn a_watch_sees_what_happens_after_its_resource_version() {
    let server = server().await;
    let leases: Api<Lease> = Api::namespaced(server.client(), "default");
    let made = leases.create(&PostParams::default(), &lease("a", &json!({}))).await.expect("created");
    let version = made.metadata.resource_version.expect("a version");
    let params = WatchParams::default().fields("metadata.name=a");
    let mut watch = leases.watch(&params, &version).await.expect("a watch").boxed();
    leases.create(&PostParams::default(), &lease("b", &json!({}))).await.expect("created");
    leases.delete("a", &DeleteParams::default()).await.expect("deleted");
    match watch.next().await {
        Some(Ok(WatchEvent::Deleted(gone))) => assert_eq!(gone.metadata.name.as_deref(), Some("a")),
        other => panic!("expected the deletion of a, got {other:?}"),
    }
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    let server = server().await;
    let pods: Api<Pod> = Api::namespaced(server.client(), "default");
    let leases: Api<Lease> = Api::namespaced(server.client(), "default");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let pod: Pod = serde_json::from_value(pod).expect("a pod");
    let uid = pods.create(&PostParams::default(), &pod).await.expect("created").metadata.uid.expect("uid");
    let mut owned = serde_json::to_value(lease("a", &json!({}))).expect("json");
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid}]);
    let owned: Lease = serde_json::from_value(owned).expect("a lease");
    let made = leases.create(&PostParams::default(), &owned).await.expect("created");
    let version = made.metadata.resource_version.expect("a version");
    let mut watch = leases.watch(&WatchParams::default(), &version).await.expect("a watch").boxed();
    pods.delete("p", &DeleteParams::default()).await.expect("deleted");
    assert!(matches!(watch.next().await, Some(Ok(WatchEvent::Deleted(_)))));
    assert_eq!(code(leases.get("a").await), (404, "NotFound".into()));
}
