//! Generated Schedules against Velero's own definition of the kind, on a real kube-apiserver.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Request;
use kube::Client;
use serde_json::Value;
use testbed::clusters::{ClusterRules, Form, write};
use testbed::control_plane::{ControlPlane, StartError, shared};
use testbed::coordinator_process::coordinator_command;

/// A schema is in force some seconds after it was accepted; on a machine that compiles beside it, later.
const IN_FORCE_TIMEOUT: Duration = Duration::from_mins(1);

/// Velero's definition of Schedules, from the Go module that the test bed builds Velero of.
fn definition() -> Result<String, String> {
    let module = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/velero");
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", "github.com/vmware-tanzu/velero"]).current_dir(module);
    let output = go.output().map_err(|error| format!("there is no Go: {error}"))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let folder = answer["Dir"].as_str().ok_or_else(|| format!("Velero's module cannot be had: {answer}"))?;
    let path = PathBuf::from(folder).join("config/crd/v1/bases/velero.io_schedules.yaml");
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

async fn apply(client: &Client, path: &str, yaml: &str) -> Result<String, kube::Error> {
    let request = Request::patch(format!("{path}?fieldManager=testbed&force=true&fieldValidation=Strict"))
        .header("Content-Type", "application/apply-patch+yaml")
        .body(yaml.as_bytes().to_vec())
        .map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

/// Flags, and whether the cluster has its odd things.
const NIGHTS: [&[&str]; 3] = [
    &["--snapshot-way", "csi"],
    &["--snapshot-way", "native", "--hook-on-error", "continue", "--retention", "30d"],
    &["--ensure-backup-consistency", "false"],
];

fn planned(flags: &[&str], namespace: &str) -> Vec<String> {
    let mut cluster = Vec::new();
    write(ClusterRules { seed: 21, workloads: 60, odd: true }, Form::List, &mut cluster).unwrap();
    let mut command = coordinator_command();
    command.args(["plan", "-f", "-", "-o", "yaml", "--velero-namespace", namespace]).args(flags);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &cluster).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // Before the first Schedule, comments may say what claims need.
    let is_object = |document: &&str| document.lines().any(|line| !line.is_empty() && !line.starts_with('#'));
    text.split("---\n").filter(is_object).map(str::to_owned).collect()
}

/// Where a document goes.
fn path(namespace: &str, document: &str) -> String {
    let name = document.lines().find_map(|line| line.trim().strip_prefix("name: auto-")).unwrap();
    format!("/apis/velero.io/v1/namespaces/{namespace}/schedules/auto-{name}")
}

/// Alone, with a control plane of its own: the shared one has a looser definition of the same name.
#[tokio::test(flavor = "multi_thread")]
async fn velero_s_own_schema_takes_every_generated_schedule() {
    let definition = match definition() {
        Ok(definition) => definition,
        Err(why) if !shared::is_ci() => return shared::say_skipped(&why),
        Err(why) => panic!("{why}"),
    };
    let control_plane = match ControlPlane::start().await {
        Ok(control_plane) => control_plane,
        Err(StartError::Binaries(error)) if error.is_absence() && !shared::is_ci() => {
            return shared::say_skipped(&shared::chain(&error));
        }
        Err(error) => panic!("{}", shared::chain(&error)),
    };
    let client = control_plane.client().await;
    let namespace = control_plane.namespace("schedules").await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/schedules.velero.io";
    apply(&client, definitions, &definition).await.unwrap();

    let first = planned(NIGHTS[0], &namespace).remove(0);
    let wrong = first.replace("snapshotVolumes:", "snapshotVolume:");
    assert_ne!(wrong, first);
    let begin = Instant::now();
    while apply(&client, &path(&namespace, &wrong), &wrong).await.is_ok() {
        assert!(begin.elapsed() < IN_FORCE_TIMEOUT, "an unknown field is still taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut taken = 0;
    for flags in NIGHTS {
        for document in planned(flags, &namespace) {
            let answer = apply(&client, &path(&namespace, &document), &document).await;
            let answer = answer.unwrap_or_else(|error| panic!("{flags:?}: {error}\n{document}"));
            // What was sent is what stands there: nothing was dropped, no number became a text.
            let stored: Value = serde_json::from_str(&answer).unwrap();
            assert!(
                stored["spec"]["template"]["labelSelector"].is_object()
                    || stored["spec"]["template"]["orLabelSelectors"].is_array()
                    || flags.contains(&"false")
            );
            taken += 1;
        }
    }
    assert!(taken > 100, "{taken}");
}
