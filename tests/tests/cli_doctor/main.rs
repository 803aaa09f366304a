//! `coordinator doctor` as users run it: on files and on an API server, as text and JSON, and what bad input gets.

mod canned;
mod gathering;
mod reached;

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{coordinator_command, eventually};
use testbed::velero::cluster::Workload;

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// What was found, as `-o json` writes it.
    fn findings(&self) -> Vec<Value> {
        let document: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout));
        document["findings"].as_array().expect("findings").clone()
    }

    /// Names of the checks that found something.
    fn checks(&self) -> Vec<String> {
        self.findings().iter().map(|it| it["check"].as_str().expect("a check").to_owned()).collect()
    }
}

fn doctor(arguments: &[&str], input: &str) -> Ended {
    use std::io::Write as _;
    let mut command = coordinator_command();
    command.arg("doctor").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A program that refuses its arguments does not read what it is given.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
}

const GOOD: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: velero, namespace: velero}
spec: {template: {spec: {containers: [{name: velero, image: "velero/velero:v1.18.3", args: [server, --features=EnableCSI]}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: snapshot-coordinator, namespace: velero}
spec: {template: {spec: {containers: [{name: coordinator, image: "x/coordinator:0.1.0"}]}}}
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {name: ebs-velero, labels: {velero.io/csi-volumesnapshot-class: "true"}}
driver: ebs.csi.aws.com
deletionPolicy: Retain
"#;

#[test]
fn the_exit_code_says_how_grave_it_is() {
    let healthy = doctor(&["-f", "-"], GOOD);
    assert!(healthy.code == Some(0) && healthy.stdout == "0 errors, 0 warnings, 0 notes\n", "{}", healthy.stdout);
    let warned = doctor(&["-f", "-"], &GOOD.replace("v1.18.3", "v1.14.0"));
    assert_eq!(warned.code, Some(10), "{}", warned.stdout);
    assert!(warned.stdout.starts_with("warning  velero-too-old  Deployment velero/velero\n"), "{}", warned.stdout);
    let erring = doctor(&["-f", "-", "-o", "json"], &GOOD.replace("driver: ebs", "driver: efs"));
    assert_eq!((erring.code, erring.checks()), (Some(11), vec!["no-snapshot-class".to_owned()]));
}

/// Programs read it: fields only ever grow within one `apiVersion`.
#[test]
fn the_json_document_keeps_its_form() {
    let without_class = GOOD.replace("driver: ebs", "driver: efs");
    let erring = doctor(&["-f", "-", "-o", "json"], &without_class);
    let document: Value = serde_json::from_str(&erring.stdout).unwrap();
    let fix = document["findings"][0]["fix"].clone();
    let class: Value = serde_saphyr::from_str(fix.as_str().unwrap()).expect("YAML to be applied");
    assert_eq!((&class["kind"], &class["driver"]), (&json!("VolumeSnapshotClass"), &json!("ebs.csi.aws.com")));
    assert_eq!(
        document,
        json!({"apiVersion": "snapshot-group.velero.io/v1", "kind": "Diagnosis", "errors": 1, "warnings": 0, "notes": 0,
            "findings": [{"severity": "error", "check": "no-snapshot-class", "subject": "VolumeSnapshotClass", "fix": fix,
                "evidence": "there is none for ebs.csi.aws.com: Velero cuts no EBS volume in CSI mode"}]})
    );
    let mended = doctor(&["-f", "-"], &format!("{without_class}\n---\n{}", fix.as_str().unwrap()));
    assert_eq!(mended.code, Some(0), "it mends what it was found for: {}", mended.stdout);
}

/// Every check stands in the table of `docs/doctor.md`, and nothing else does.
#[test]
fn the_page_names_every_check() {
    let page = include_str!("../../../docs/doctor.md");
    let table = page.split("| check | severity | when |").nth(1).expect("the table of checks");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut named: Vec<&str> =
        rows.flat_map(|cell| cell.split('`').step_by(2)).filter(|it| !it.contains(',')).collect();
    named.retain(|name| !name.trim().is_empty());
    named.sort_unstable();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../coordinator/core/src/doctor");
    let mut made = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        for severity in ["error(", "warning(", "note("] {
            for call in text.split(&format!("Finding::{severity}")).skip(1) {
                if let Some(name) = call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                    made.insert(name.to_owned());
                }
            }
        }
    }
    assert!(made.len() > 40, "{made:?}");
    assert_eq!(named, made.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn lists_of_kubectl_are_read_and_what_is_none_is_refused() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "velero", "namespace": "backup"},
        "spec": {"template": {"spec": {"containers": [{"name": "velero", "image": "v:v1.18.3", "env": [
            {"name": "CSI_SNAPSHOT_EARLY_FREQUENT_POLLING", "value": "true"}]}]}}}}]});
    let found = doctor(&["-f", "-", "-o", "json", "--velero-namespace", "backup"], &list.to_string());
    assert!(
        found.code == Some(11) && found.checks().contains(&"early-frequent-polling".to_owned()),
        "{}",
        found.stdout
    );
    for (arguments, input, code, named) in [
        (&["-f", "-"][..], "hello", 2, "standard input is not what"),
        (&["-f", "-"], "{\"kind\":\"List\",\"items\":[", 2, "ends too early"),
        (&["-f", "-"], "", 2, "is empty"),
        (&["-f", "/no/such/file"], "", 2, "/no/such/file"),
        (&["--max-concurrent-snapshots", "0"], "", 2, "--max-concurrent-snapshots"),
        (&["--kubeconfig", "/no/such/config"], "", 3, "/no/such/config"),
    ] {
        let ended = doctor(arguments, input);
        assert!(
            ended.code == Some(code) && ended.stderr.contains(named) && ended.stdout.is_empty(),
            "{arguments:?}: {:?} {}",
            ended.code,
            ended.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_in_which_kinds_are_missing_is_looked_at_all_the_same() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let made = bed.workload(&Workload::stateful_set("prod", "db", 3)).await;
    let mut coordinator = bed.coordinator("c-0", ["--log-level", "info"]);
    eventually("a label", Duration::from_mins(1), || bed.label(&made.pods[0])).await;
    coordinator.kill();
    let kubeconfig = bed.kubeconfig("doctor");
    let looked = tokio::task::spawn_blocking(move || {
        doctor(&["--kubeconfig", kubeconfig.to_str().unwrap(), "-o", "json", "--max-concurrent-snapshots", "2"], "")
    });
    let ended = looked.await.unwrap();
    let checks = ended.checks();
    assert!(checks.contains(&"group-over-budget".to_owned()), "{checks:?} {}", ended.stderr);
    assert_eq!(ended.code, Some(11), "{checks:?}");
}
