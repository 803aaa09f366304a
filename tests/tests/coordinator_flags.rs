//! What the coordinator answers to command lines that it cannot use.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use testbed::coordinator_process::coordinator_command;

/// Long enough for a loaded machine; what refuses a command line does so at once.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > ENDS_WITHIN {
            child.kill().unwrap();
            let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
            panic!("{command:?} does not end; it said:\n{said}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// Refused with code 2, in words that name the flag, the value and what would be right.
fn check_refused(flag: &str, value: &str, parts: &[&str]) {
    let (code, stdout, stderr) = run(coordinator_command().args(["run", flag, value]));
    assert_eq!(code, Some(2), "{flag} {value}: {stderr}");
    assert_eq!(stdout, "");
    for part in parts.iter().chain([&flag]) {
        assert!(stderr.contains(part), "{flag} {value}: `{part}` is not in: {stderr}");
    }
    // The same from the environment.
    let variable = flag.trim_start_matches('-').to_uppercase().replace('-', "_");
    let (code, _, stderr) = run(coordinator_command().arg("run").env(&variable, value));
    assert_eq!(code, Some(2), "{variable}={value}: {stderr}");
    assert!(stderr.contains(flag), "{variable}={value}: {stderr}");
}

#[test]
fn budgets_that_are_none() {
    for value in ["0", "-1", "1e9", "5 snapshots", "1001", "five"] {
        check_refused(
            "--max-concurrent-snapshots",
            value,
            &[value, "it must be a whole number of volumes from 1 to 1000"],
        );
    }
}

#[test]
fn other_values_that_are_none() {
    check_refused("--mode", "follow", &["auto, arrive-and-go, barrier or lead"]);
    check_refused("--barrier-stall", "5", &["`5` has no unit; write 5s, 5m or 5h"]);
    check_refused("--barrier-stall", "1ms", &["from 100ms to 1h"]);
    check_refused("--round-duration", "9999h", &["from 0s to 168h"]);
    check_refused("--round-duration", "25h", &["from 1s to 24h"]);
    check_refused("--clock-error", "-1s", &["out of range"]);
    check_refused("--item-block-workers", "0", &["workers from 1 to 1000"]);
    check_refused("--ensure-backup-consistency", "perhaps", &["true or false"]);
    check_refused("--http-address", "everywhere", &["everywhere"]);
    check_refused("--velero-namespace", "Velero!", &["namespace", "lowercase letters"]);
    check_refused("--log-level", "loud", &["error, warning, info, debug"]);
    check_refused("--log-format", "xml", &["json, text"]);
}

#[test]
fn unknown_flags_and_words() {
    let (code, _, stderr) = run(coordinator_command().args(["run", "--max-concurent-snapshots", "5"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--max-concurrent-snapshots"), "the right name is suggested: {stderr}");
    assert_eq!(run(coordinator_command().arg("ran")).0, Some(2));
    assert_eq!(run(&mut coordinator_command()).0, Some(2));
}

#[test]
fn help_and_version() {
    let (code, stdout, _) = run(coordinator_command().args(["run", "--help"]));
    assert_eq!(code, Some(0));
    for part in ["MAX_CONCURRENT_SNAPSHOTS", "[default: 5]", "[default: 4h]", "POD_NAMESPACE"] {
        assert!(stdout.contains(part), "`{part}` is not in {stdout}");
    }
    let (code, stdout, _) = run(coordinator_command().arg("--help"));
    assert_eq!(code, Some(0));
    assert!(stdout.contains("Exit codes:") && stdout.contains("no usable kubeconfig"), "{stdout}");
    let (code, stdout, _) = run(coordinator_command().arg("--version"));
    assert_eq!((code, stdout.trim()), (Some(0), concat!("coordinator ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn no_way_to_an_api_server() {
    let missing = "/nonexistent/kubeconfig";
    for subcommand in ["run", "status"] {
        let (code, stdout, stderr) = run(coordinator_command().args([subcommand, "--kubeconfig", missing]));
        assert_eq!(code, Some(3), "{stdout}{stderr}");
        let said = format!("{stdout}{stderr}");
        assert!(said.contains(missing) && said.contains("--kubeconfig or KUBECONFIG"), "{said}");
        let (code, stdout, stderr) = run(coordinator_command().arg(subcommand));
        assert_eq!(code, Some(3));
        let said = format!("{stdout}{stderr}");
        assert!(said.contains("no kubeconfig") && said.contains(".kube/config"), "{said}");
    }
}

#[test]
fn a_pod_without_its_service_account() {
    let mut command = coordinator_command();
    command.arg("run").env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
    let (code, stdout, _) = run(&mut command);
    assert_eq!(code, Some(3));
    assert!(stdout.contains("automountServiceAccountToken"), "{stdout}");
}

#[test]
fn a_kubeconfig_that_is_none() {
    let folder = std::env::temp_dir().join(format!("testbed-coordinator-flags-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("kubeconfig");
    for (content, part) in [
        ("{", "cannot be used"),
        ("apiVersion: v1\nkind: Config\n", "context"),
        (
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1', proxy-url: 'http://127.0.0.1:2'}}]\n\
             users: [{name: u, user: {}}]\n",
            "proxy",
        ),
        (
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: /nonexistent/ca.crt}}]\n\
             users: [{name: u, user: {}}]\n",
            "/nonexistent/ca.crt",
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        let (code, stdout, stderr) = run(coordinator_command().arg("run").env("KUBECONFIG", &path));
        assert_eq!(code, Some(3), "{content}: {stdout}{stderr}");
        assert!(stdout.contains(part), "{content}: {stdout}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_address_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = std::env::temp_dir().join(format!("testbed-coordinator-taken-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("kubeconfig");
    std::fs::write(
        &path,
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n\
         clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\n",
    )
    .unwrap();
    let mut command = coordinator_command();
    command.args(["run", "--http-address", &address, "--kubeconfig"]).arg(&path);
    let (code, stdout, _) = run(&mut command);
    assert_eq!(code, Some(5), "{stdout}");
    assert!(stdout.contains(&address) && stdout.contains("--http-address"), "{stdout}");
    std::fs::remove_dir_all(&folder).unwrap();
}
