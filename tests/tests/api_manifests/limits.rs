//! What may nobody do with the tokens that the product uses?

use axum::http::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::cluster::{Installed, SHOP, SHOP_ACCOUNT, SYSTEM};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces";
const MERGE: &str = "application/merge-patch+json";

/// Asks as `client`; the API server must refuse.
async fn refused(client: &Client, who: &str, method: &str, path: &str, body: &Value) {
    let content_type = if method == "PATCH" { MERGE } else { "application/json" };
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header("Content-Type", content_type).body(bytes);
    match client.request_text(request.expect("a request")).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403, "{who} {method} {path}: {status:?}"),
        other => panic!("{who} {method} {path} was not refused: {other:?}"),
    }
}

fn lease(name: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": {}})
}

fn event() -> Value {
    json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "any"}})
}

/// Neither hooks nor the coordinator may do what the manifests do not say.
pub async fn check(installed: &Installed, overlay: &str) {
    let hook = installed.control_plane.client_as_service_account(SHOP, SHOP_ACCOUNT).await.expect("a client");
    let held = json!({"spec": {"holderIdentity": "somebody"}});
    for (method, path, body) in [
        // In its own namespace it writes Leases, and neither lists nor deletes them.
        ("DELETE", format!("{LEASES}/{SHOP}/leases/snapshot-member-db-0"), Value::Null),
        ("PUT", format!("{LEASES}/{SHOP}/leases/snapshot-member-db-0"), lease("snapshot-member-db-0")),
        ("GET", format!("{LEASES}/{SHOP}/leases"), Value::Null),
        ("DELETE", format!("{LEASES}/{SHOP}/leases"), Value::Null),
        // In others it writes none.
        ("POST", format!("{LEASES}/{SYSTEM}/leases"), lease("snapshot-member-x")),
        ("PATCH", format!("{LEASES}/{SYSTEM}/leases/snapshot-budget"), held.clone()),
        ("GET", format!("{LEASES}/{SYSTEM}/leases/snapshot-budget"), Value::Null),
        ("POST", format!("{LEASES}/default/leases"), lease("snapshot-member-x")),
        // Its pods it may read one by one, and nothing else.
        ("GET", format!("/api/v1/namespaces/{SHOP}/pods"), Value::Null),
        ("PATCH", format!("/api/v1/namespaces/{SHOP}/pods/db-0"), json!({"metadata": {"labels": {"a": "b"}}})),
        ("POST", format!("/api/v1/namespaces/{SHOP}/pods/db-0/exec?command=true"), Value::Null),
        ("GET", format!("/api/v1/namespaces/{SHOP}/secrets/any"), Value::Null),
        ("PATCH", format!("/apis/velero.io/v1/namespaces/{SYSTEM}/backups/nightly"), held.clone()),
    ] {
        refused(&hook, "a hook", method, &path, &body).await;
    }

    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let coordinator =
        installed.control_plane.client_as_service_account(SYSTEM, "snapshot-coordinator").await.expect("a client");
    let mut paths = vec![
        ("GET", "/api/v1/secrets".to_owned(), Value::Null),
        ("GET", format!("/apis/events.k8s.io/v1/namespaces/{SHOP}/events"), Value::Null),
        ("DELETE", format!("/apis/events.k8s.io/v1/namespaces/{SHOP}/events/any"), Value::Null),
        ("POST", format!("/api/v1/namespaces/{SHOP}/pods/db-0/exec?command=true"), Value::Null),
        ("DELETE", format!("/api/v1/namespaces/{SHOP}/pods/db-0"), Value::Null),
        // Only components/native-snapshots lets it.
        ("PATCH", format!("/api/v1/namespaces/{SHOP}/persistentvolumeclaims/data-db-0"), label.clone()),
        ("DELETE", format!("/apis/velero.io/v1/namespaces/{SYSTEM}/backups/nightly"), Value::Null),
        // RBAC lets it patch Backups, for receipts; components/admission-policy only their annotations.
        (
            "PATCH",
            format!("/apis/velero.io/v1/namespaces/{SYSTEM}/backups/nightly"),
            json!({"spec": {"ttl": "1h0m0s"}}),
        ),
        ("PATCH", format!("/apis/velero.io/v1/namespaces/{SYSTEM}/backups/nightly"), label),
        ("GET", format!("/apis/apps/v1/namespaces/{SYSTEM}/deployments"), Value::Null),
    ];
    if overlay == "enrolled-namespaces" {
        paths.extend([
            ("PATCH", "/api/v1/namespaces/kube-system/pods/any".to_owned(), held.clone()),
            ("POST", format!("{LEASES}/kube-system/leases"), lease("any")),
            ("DELETE", format!("{LEASES}/kube-node-lease/leases/any"), Value::Null),
            ("POST", "/apis/events.k8s.io/v1/namespaces/kube-system/events".to_owned(), event()),
            ("PATCH", format!("{LEASES}/{SYSTEM}/leases/any"), held),
            ("DELETE", format!("{LEASES}/{SYSTEM}/leases/snapshot-budget"), Value::Null),
        ]);
    }
    for (method, path, body) in paths {
        refused(&coordinator, "the coordinator", method, &path, &body).await;
    }
}
