//! The calls of the original's hook scripts, by the same tool: what the hook-agent's cost is compared with.
//!
//! Only the calls: neither bash nor `grep`, `cut`, `date`, nor the sleep of 10 s in its loop, which runs once here.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::cost::{Cost, run};

/// Names a kubectl to take instead of the one on `PATH`. (That one may be a front that looks for the server's version first.)
pub const VARIABLE: &str = "KUBECTL";

/// How it appears in the request log: over plain HTTP it sends no token.
pub const USER: &str = "system:anonymous";

/// The namespace of the original's `ConfigMaps`.
pub const NAMESPACE: &str = "velero";

/// The `ConfigMaps` of one pod and its group.
const WAIT: &str = "snapshot-wait-group-1-bench-db-0";
const PROCEED: &str = "snapshot-proceed-group-1";
/// What post leaves behind; the original's cleaner takes it away an hour later.
pub const COMPLETE: &str = "snapshot-complete-group-1-bench-db-0";

/// A kubectl, and a kubeconfig for it.
#[derive(Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    /// What it says of its version.
    pub version: String,
}

/// One call's arguments.
type Call = Vec<String>;

impl Kubectl {
    /// One that uses `kubeconfig`, with a home of its own; `None` when there is none.
    pub async fn find(kubeconfig: PathBuf, home: PathBuf) -> anyhow::Result<Option<Self>> {
        let given = std::env::var_os(VARIABLE).filter(|given| !given.is_empty());
        let program = given.map_or_else(|| PathBuf::from("kubectl"), PathBuf::from);
        let answer = Command::new(&program).args(["version", "--client", "--output=json"]).output().await;
        let Ok(answer) = answer else { return Ok(None) };
        ensure!(answer.status.success(), "{} cannot say its version", program.display());
        let said: serde_json::Value = serde_json::from_slice(&answer.stdout).context("kubectl's version")?;
        let version = said["clientVersion"]["gitVersion"].as_str().unwrap_or("unknown").to_owned();
        Ok(Some(Self { program, kubeconfig, home, version }))
    }

    /// The coordinator's side of the original: the word that lets everybody go on.
    pub fn proceed() -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROCEED, "namespace": NAMESPACE},
            "data": {"status": "ready"}})
    }

    /// The size of the program, bytes, where it was given by its path.
    pub fn size_bytes(&self) -> Option<u64> {
        let on_path = |folder: PathBuf| Some(folder.join(&self.program)).filter(|program| program.is_file());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = if self.program.is_file() {
            self.program.clone()
        } else {
            std::env::split_paths(&path).find_map(on_path)?
        };
        Some(std::fs::metadata(program).ok()?.len())
    }

    /// Forgets what it cached: a nightly hook finds nothing either, it caches for hours at most and often has no home to cache in.
    pub fn forget(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(&self.home) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("removing the cache"),
            _ => std::fs::create_dir_all(&self.home).context("making a home"),
        }
    }

    /// The pre script: register, then ask whether to go on, once.
    pub async fn pre(&self) -> anyhow::Result<Cost> {
        let calls = self.pre_calls()?;
        self.all(&calls).await
    }

    /// The post script: report, then take the registration away.
    pub async fn post(&self) -> anyhow::Result<Cost> {
        let calls = self.post_calls()?;
        self.all(&calls).await
    }

    fn pre_calls(&self) -> anyhow::Result<[Call; 2]> {
        let asks = ["get", "configmap", PROCEED, "--output=jsonpath={.data.status}", "--ignore-not-found"];
        Ok([self.create(WAIT, "waiting")?, asks.map(str::to_owned).into()])
    }

    fn post_calls(&self) -> anyhow::Result<[Call; 2]> {
        let removes = ["delete", "configmap", WAIT, "--ignore-not-found"];
        Ok([self.create(COMPLETE, "completed")?, removes.map(str::to_owned).into()])
    }

    /// `create configmap`'s one request, with a body in JSON: kubectl 1.32 and later would send protobuf, which the
    /// embedded server does not read.
    fn create(&self, name: &str, status: &str) -> anyhow::Result<Call> {
        let file = self.home.join(format!("{status}.json"));
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE},
            "data": {"status": status, "podName": "db-0", "namespace": "bench", "timestamp": "2026-01-01T00:00:00Z"}});
        std::fs::write(&file, object.to_string()).context("writing a ConfigMap")?;
        let path = format!("--raw=/api/v1/namespaces/{NAMESPACE}/configmaps");
        Ok(vec!["create".to_owned(), path, format!("--filename={}", file.display())])
    }

    /// How many HTTP requests pre and post make, discovery included, by what kubectl itself tells at verbosity 6.
    pub async fn requests(&self) -> anyhow::Result<u64> {
        let mut count = 0;
        for call in self.pre_calls()?.into_iter().chain(self.post_calls()?) {
            let output = self.command(&call).arg("--v=6").output().await?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(output.status.success(), "kubectl {call:?} ended with {}: {said}", output.status);
            let is_request = |line: &&str| line.contains("round_trippers.go") && line.contains("millisec");
            count += said.lines().filter(is_request).count();
        }
        Ok(u64::try_from(count)?)
    }

    async fn all(&self, calls: &[Call]) -> anyhow::Result<Cost> {
        let begin = Instant::now();
        let mut peak_kib = 0;
        for call in calls {
            peak_kib = peak_kib.max(run(self.command(call)).await?.peak_kib);
        }
        Ok(Cost { wall: begin.elapsed(), peak_kib })
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", &self.home).env("KUBECONFIG", &self.kubeconfig);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["--namespace", NAMESPACE]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}
