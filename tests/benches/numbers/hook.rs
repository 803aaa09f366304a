//! A pod whose hooks are run as processes: its object, its mounted files, its own user in the request log.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use shared::admission::RoundPhase;
use shared::identity::{GroupKey, Namespace};
use shared::member_lease::MemberLease;
use shared::names::LABEL_SNAPSHOT_GROUP;
use testbed::api::Record;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::eventually;
use testbed::velero::cluster::{MadePod, Workload};
use tokio::process::Command;

/// The longest that anything here is waited for: far more than it takes, so that a busy machine ends no benchmark.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Where the pods live.
pub const NAMESPACE: &str = "bench";

/// Velero's timeout of the hooks here: longer than [`PATIENCE`], so that no hook goes on by itself.
const HOOK_TIMEOUT: &str = "10m";

/// A pod in a group that the coordinator knows.
#[derive(Debug)]
pub struct Pod {
    name: String,
    /// Its user in the request log.
    pub user: String,
    place: Place,
}

/// What a hook finds around it.
#[derive(Debug)]
pub struct Place {
    /// The program.
    pub agent: PathBuf,
    /// The folder with the pod's `token` and `labels`.
    pub folder: PathBuf,
    /// Variables that say where the API server is.
    pub server: Vec<(&'static str, OsString)>,
}

impl Place {
    /// Runs `hook-agent <what>` as Velero would in this pod; not started yet, nobody reads what it says.
    pub fn hook(&self, what: &str) -> Command {
        let mut command = Command::new(&self.agent);
        command.arg(what).env_clear().envs(self.server.iter().map(|(name, value)| (name, value)));
        command.env("TOKEN_FILE", self.folder.join("token")).env("PODINFO_DIR", &self.folder);
        if what == "pre" {
            command.env("HOOK_TIMEOUT", HOOK_TIMEOUT);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Writes the pod's files.
    pub fn mount(&self, token: &str, group: &str) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.folder.join("token"), token)?;
        std::fs::write(self.folder.join("labels"), format!("{LABEL_SNAPSHOT_GROUP}=\"{group}\"\n"))
    }
}

impl Pod {
    /// See [`Place::hook`].
    pub fn hook(&self, what: &str) -> Command {
        self.place.hook(what)
    }

    /// What it says of itself in the API.
    pub fn member(&self, bed: &CoordinatorBed) -> Option<MemberLease> {
        MemberLease::decode(&bed.lease(NAMESPACE, &format!("snapshot-member-{}", self.name))?).ok()
    }

    /// When its first request of this kind in the log was answered.
    pub fn first(&self, records: &[Record], verb: &str) -> Option<Instant> {
        records.iter().find(|record| record.user == self.user && record.verb == verb).map(|record| record.at)
    }
}

/// A StatefulSet of `replicas` pods; returns when the coordinator has put them all into a group, and so knows them.
pub async fn group(
    bed: &CoordinatorBed,
    agent: &Path,
    name: &str,
    replicas: u32,
) -> anyhow::Result<(GroupKey, Vec<Pod>)> {
    let made = bed.workload(&Workload::stateful_set(NAMESPACE, name, replicas)).await;
    let mut pods = Vec::new();
    let mut group = None;
    for pod in &made.pods {
        let label = eventually("a pod's group label", PATIENCE, || bed.label(pod)).await;
        pods.push(mount(bed, agent, pod, &label).context("writing a pod's files")?);
        group = Some(label);
    }
    let group = group.context("a group needs a pod")?;
    Ok((GroupKey { namespace: Namespace::new(NAMESPACE)?, group: group.parse()? }, pods))
}

fn mount(bed: &CoordinatorBed, agent: &Path, pod: &MadePod, group: &str) -> std::io::Result<Pod> {
    let name = pod.name.name.clone();
    // A service account for each pod, so that the request log tells them apart.
    let token = bed.server.token_for_pod(NAMESPACE, &name, &name, &pod.uid);
    let place = Place {
        agent: agent.to_owned(),
        folder: bed.folder().join("pods").join(&name),
        server: vec![("KUBECONFIG", bed.kubeconfig("pods").into())],
    };
    place.mount(&token, group)?;
    Ok(Pod { user: format!("system:serviceaccount:{NAMESPACE}:{name}"), name, place })
}

/// Runs all post hooks, and waits until the next round can begin as this one did.
pub async fn end_round(bed: &CoordinatorBed, key: &GroupKey, pods: &[Pod]) -> anyhow::Result<()> {
    let mut posts = Vec::new();
    for pod in pods {
        posts.push(pod.hook("post").spawn().context("starting a post hook")?);
    }
    for mut post in posts {
        let status = post.wait().await?;
        ensure!(status.success(), "a post hook ended with {status}");
    }
    closed(bed, key).await;
    Ok(())
}

/// Waits until the round is closed and its share is back.
pub async fn closed(bed: &CoordinatorBed, key: &GroupKey) {
    eventually("the end of the round", PATIENCE, || {
        (bed.group(key)?.phase == RoundPhase::Closed && bed.budget()?.grants.is_empty()).then_some(())
    })
    .await;
}

/// A Lease that says nothing yet.
pub fn blank_lease(name: &str) -> serde_json::Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"holderIdentity": "nobody"}})
}
