//! The user's tool against the server, as a user types it.

use super::cluster::{BACKUPS, CONFIG_MAPS, Cluster, LEASES, MERGE, PODS};
use super::compare::{ABSENT, same};
use super::samples::{backup, config_map, lease, pod};
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// For one command; discovery of all groups is the slow part.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// A cache of the case's own: kubectl keeps discovery by host and port, and ports come again.
fn cache(c: &Cluster) -> std::path::PathBuf {
    let server: String = c.url.chars().filter(char::is_ascii_digit).collect();
    std::env::temp_dir().join(format!("testbed-kubectl-{server}-{}", c.namespace))
}

/// A command in the case's namespace.
fn command(c: &Cluster, arguments: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command
        .arg("--kubeconfig")
        .arg(&c.kubeconfig)
        .arg("--namespace")
        .arg(&c.namespace)
        .arg("--cache-dir")
        .arg(cache(c))
        .args(arguments)
        .kill_on_drop(true);
    command
}

async fn run(c: &Cluster, arguments: &[&str], input: &str) -> Result<Output> {
    let mut command = command(c, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("kubectl")?;
    let mut stdin = child.stdin.take().context("stdin")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    tokio::time::timeout(COMMAND_TIMEOUT, child.wait_with_output())
        .await
        .with_context(|| format!("{arguments:?}"))?
        .map_err(Into::into)
}

/// Its standard output; an error with all it said when it fails.
async fn kubectl(c: &Cluster, arguments: &[&str]) -> Result<String> {
    with_input(c, arguments, "").await
}

async fn with_input(c: &Cluster, arguments: &[&str], input: &str) -> Result<String> {
    let output = run(c, arguments, input).await?;
    if !output.status.success() {
        bail!("kubectl {arguments:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Forgets the discovery cache of a case.
async fn done(c: &Cluster) -> Result<()> {
    tokio::fs::remove_dir_all(cache(c)).await.context("kubectl left no cache")
}

pub async fn gets_by_name_short_name_and_label(c: Cluster) -> Result<()> {
    let mut object = pod("db-0");
    object["metadata"]["labels"] = json!({"app": "db"});
    c.create(PODS, &object).await?;
    c.create(BACKUPS, &backup("nightly")).await?;
    same("a name", kubectl(&c, &["get", "po", "-l", "app=db", "-o", "name"]).await?.trim(), "pod/db-0")?;
    let table = kubectl(&c, &["get", "backups.velero.io"]).await?;
    ensure!(table.starts_with("NAME") && table.contains("nightly"), "{table}");
    let path = kubectl(&c, &["get", "backup", "nightly", "-o", "jsonpath={.spec.includedNamespaces[0]}"]).await?;
    same("jsonpath", path.as_str(), "prod")?;
    let absent = run(&c, &["get", "lease", "absent"], "").await?;
    let said = String::from_utf8_lossy(&absent.stderr).into_owned();
    ensure!(
        !absent.status.success()
            && said.contains("Error from server (NotFound): leases.coordination.k8s.io \"absent\" not found"),
        "{said}"
    );
    done(&c).await
}

pub async fn labels_and_annotates(c: Cluster) -> Result<()> {
    for (kind, object, name) in [(PODS, pod("a"), "pod/a"), (BACKUPS, backup("a"), "backup/a")] {
        c.create(kind, &object).await?;
        kubectl(&c, &["label", name, "velero.io/snapshot-group=g1"]).await?;
        kubectl(&c, &["annotate", name, "note=some words", "other=1"]).await?;
        kubectl(&c, &["annotate", name, "other-"]).await?;
        let wanted = json!({"metadata": {
            "labels": {"velero.io/snapshot-group": "g1"}, "annotations": {"note": "some words", "other": ABSENT},
        }});
        c.get(&c.one(kind, "a")).await?.is(200, wanted)?;
        let again = run(&c, &["label", name, "velero.io/snapshot-group=g2"], "").await?;
        ensure!(!again.status.success(), "kubectl label overwrote without being told to");
        kubectl(&c, &["label", name, "velero.io/snapshot-group-"]).await?;
        c.get(&c.one(kind, "a")).await?.is(200, json!({"metadata": {"labels": ABSENT}}))?;
    }
    done(&c).await
}

pub async fn patches(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    c.create(BACKUPS, &backup("a")).await?;
    kubectl(&c, &["patch", "lease", "a", "--type", "merge", "-p", r#"{"spec":{"leaseTransitions":4}}"#]).await?;
    kubectl(&c, &["patch", "lease", "a", "-p", r#"{"spec":{"holderIdentity":"kubectl"}}"#]).await?;
    c.get(&c.one(LEASES, "a")).await?.is(200, json!({"spec": {"leaseTransitions": 4, "holderIdentity": "kubectl"}}))?;
    let patch = r#"[{"op":"add","path":"/status","value":{"phase":"Completed"}}]"#;
    kubectl(&c, &["patch", "backup", "a", "--type", "json", "-p", patch]).await?;
    c.get(&c.one(BACKUPS, "a")).await?.is(200, json!({"status": {"phase": "Completed"}}))?;
    done(&c).await
}

pub async fn creates_applies_and_deletes(c: Cluster) -> Result<()> {
    let create = ["create", "--validate=false", "-f", "-"];
    with_input(&c, &create, &config_map("a").to_string()).await?;
    let twice = run(&c, &create, &config_map("a").to_string()).await?;
    let said = String::from_utf8_lossy(&twice.stderr).into_owned();
    ensure!(said.contains("AlreadyExists"), "{said}");

    let apply = ["apply", "--validate=false", "-f", "-"];
    for (kind, mut object) in [(CONFIG_MAPS, config_map("b")), (BACKUPS, backup("b"))] {
        let said = with_input(&c, &apply, &object.to_string()).await?;
        ensure!(said.contains("created"), "{said}");
        object["metadata"]["labels"] = json!({"turn": "2"});
        let said = with_input(&c, &apply, &object.to_string()).await?;
        ensure!(said.contains("configured"), "{said}");
        let said = with_input(&c, &apply, &object.to_string()).await?;
        ensure!(said.contains("unchanged"), "{said}");
        object["metadata"]["labels"] = json!({});
        with_input(&c, &apply, &object.to_string()).await?;
        c.get(&c.one(kind, "b")).await?.is(200, json!({"metadata": {"labels": ABSENT}}))?;
    }
    let delete = ["delete", "configmap/a", "configmap/b", "backup/b", "--wait=true"];
    kubectl(&c, &delete).await?;
    c.get(&c.one(BACKUPS, "b")).await?.refused(404, "NotFound", json!({}))?;
    done(&c).await
}

pub async fn applies_on_the_server(c: Cluster) -> Result<()> {
    let arguments = ["apply", "--server-side", "--validate=false", "--field-manager=user", "-f", "-"];
    with_input(&c, &arguments, &lease("a").to_string()).await?;
    let mut other = lease("a");
    other["spec"]["holderIdentity"] = json!("other");
    c.force_apply(&c.one(LEASES, "a"), "coordinator", &other).await?.ok()?;
    let refused = run(&c, &arguments, &lease("a").to_string()).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("conflict with \"coordinator\""), "{said}");
    done(&c).await
}

pub async fn watches(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    // All of them: for a single one kubectl drops the first event of its watch unread, and with it a change just made.
    let mut child = command(&c, &["get", "leases", "-w", "-o", "jsonpath={.metadata.labels.turn}{\"\\n\"}"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("stdout")?).lines();
    let mut next = async || -> Result<Option<String>> {
        Ok(tokio::time::timeout(COMMAND_TIMEOUT, lines.next_line()).await.context("no line")??)
    };
    same("the first line", next().await?.as_deref(), Some(""))?;
    let patch = json!({"metadata": {"labels": {"turn": "2"}}});
    c.patch(&c.one(LEASES, "a"), MERGE, &patch).await?.ok()?;
    same("the second line", next().await?.as_deref(), Some("2"))?;
    child.kill().await?;
    done(&c).await
}
