//! What `coordinator status` shows of a cluster, with and without a coordinator that runs.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::api::{Effect, Fault, ServerOptions, Target};
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::{coordinator_command, eventually};
use testbed::velero::cluster::Workload;

const SOON: Duration = Duration::from_secs(20);

async fn status(kubeconfig: &Path, flags: &'static [&'static str]) -> (Option<i32>, String, String) {
    let mut command = coordinator_command();
    command.arg("status").args(flags).env("KUBECONFIG", kubeconfig);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_cluster() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let (code, stdout, stderr) = status(&bed.kubeconfig("s"), &[]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("No snapshot groups.") && stdout.contains("no coordinator ever led here"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_and_what_is_left_of_it_when_nobody_runs() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let made = bed.workload(&Workload::stateful_set("prod", "db", 2)).await;
    bed.workload(&Workload::stateful_set("test", "db", 1)).await;
    let mut coordinator = bed.coordinator("c-0", ["--log-level", "info"]);
    let group = eventually("a label", SOON, || bed.label(&made.pods[0])).await;
    eventually("a label", SOON, || bed.label(&made.pods[1])).await;
    let mut member = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    let admitted = shared::admission::AttemptVerdict::Admitted;
    eventually("admission", SOON, || member.verdict(&bed).filter(|v| *v == admitted)).await;
    member.quiesce(bed.group(&member.key()).unwrap().epoch).await.unwrap();
    coordinator.kill();

    let kubeconfig = bed.kubeconfig("s");
    let (code, stdout, _) = status(&kubeconfig, &["-n", "prod"]).await;
    assert_eq!(code, Some(0));
    let row = stdout.lines().find(|line| line.starts_with("prod ")).unwrap_or_else(|| panic!("{stdout}"));
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..9], ["prod", group.as_str(), "released", "1", "arrive-and-go", "2", "0", "1", "0"]);
    assert!(!stdout.contains("test "), "only the namespace that was asked for: {stdout}");
    assert!(stdout.contains(&format!("budget: 2 of 5 volumes granted: prod/{group} 2")), "{stdout}");
    assert!(stdout.contains("leader: c-0, renewed"), "{stdout}");

    let (code, stdout, _) = status(&kubeconfig, &["--output", "json"]).await;
    assert_eq!(code, Some(0));
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["groups"].as_array().map(Vec::len), Some(2));
    let of_prod = &document["groups"][0];
    assert_eq!((&of_prod["namespace"], &of_prod["quiesced"]), (&json!("prod"), &json!(1)));
    assert_eq!(of_prod["members"][0]["admission"], "released");
    assert_eq!(document["leader"]["holder"], "c-0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_refuses_or_is_down() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let kubeconfig = bed.kubeconfig("s");
    let fault =
        bed.server.faults().add(Fault::new(Target::any().user("s"), Effect::Refuse { code: 403, retry_after_s: None }));
    let (code, _, stderr) = status(&kubeconfig, &[]).await;
    assert_eq!(code, Some(4));
    assert!(stderr.contains("cannot list leases") && stderr.contains("(403)"), "{stderr}");
    bed.server.faults().remove(fault);
    bed.server.go_down().await;
    let (code, _, stderr) = status(&kubeconfig, &[]).await;
    assert_eq!(code, Some(4));
    assert!(stderr.contains("cannot be reached"), "{stderr}");
}
