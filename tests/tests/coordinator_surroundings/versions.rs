//! Velero's definitions on a real API server: absent, of another version only, appearing, and deleted again.

use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::control_plane::ControlPlane;
use testbed::coordinator_process::CoordinatorProcess;

const SOON: Duration = Duration::from_secs(90);

const NAME: &str = "backups.velero.io";

fn definition(version: &str) -> CustomResourceDefinition {
    let definition = json!({
        "metadata": {"name": NAME},
        "spec": {
            "group": "velero.io", "scope": "Namespaced",
            "names": {"kind": "Backup", "listKind": "BackupList", "plural": "backups", "singular": "backup"},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    serde_json::from_value(definition).expect("a definition")
}

/// Deletes the definition and waits until it is gone, as its objects go first.
async fn remove(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let begin = Instant::now();
    definitions.delete(NAME, &DeleteParams::default()).await.expect("deleted");
    while definitions.get_opt(NAME).await.expect("an answer").is_some() {
        assert!(begin.elapsed() < SOON, "{NAME} does not go");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn said(coordinator: &CoordinatorProcess, event_type: &str, part: &str) -> Value {
    let fits = |line: &Value| line["resource"] == NAME && line["message"].as_str().is_some_and(|m| m.contains(part));
    coordinator.line(event_type, SOON, fits).await
}

#[tokio::test(flavor = "multi_thread")]
async fn veleros_definitions_of_another_version_appear_and_vanish() {
    // Definitions are cluster-wide.
    let Some(control_plane) = ControlPlane::own().await else { return };
    let client = control_plane.client().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    remove(&client).await;
    // The other kinds of the group are still there, in v1: only this one is of a later version.
    definitions.create(&PostParams::default(), &definition("v2")).await.expect("installed");
    let namespace = control_plane.namespace("versions").await;
    let flags = ["--namespace", &namespace, "--velero-namespace", &namespace];
    let coordinator = CoordinatorProcess::start(&control_plane.kubeconfig(), "c-0", flags);
    coordinator.line("leading", SOON, |_| true).await;
    said(&coordinator, "kind_absent", "served as v2").await;

    remove(&client).await;
    definitions.create(&PostParams::default(), &definition("v1")).await.expect("installed");
    said(&coordinator, "kind_present", "can be read").await;
    let of_kind =
        |event_type: &str| coordinator.lines_of(event_type).into_iter().filter(|l| l["resource"] == NAME).count();
    let absences = of_kind("kind_absent");

    remove(&client).await;
    let begin = Instant::now();
    while of_kind("kind_absent") == absences {
        assert!(begin.elapsed() < SOON, "its absence is said again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(coordinator.get("/readyz").await.status, 200);
}
