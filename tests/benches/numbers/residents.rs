//! A workload whose pods each have a resident, as a process of its own; how long it holds is stamped by its own freeze and thaw programs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::coordination::v1::Lease;
use shared::member_lease::MemberLease;
use testbed::coordinator_process::eventually;
use testbed::pair::{HookPlan, Pair};
use testbed::velero::cluster::{Made, MadePod, Workload};
use tokio::process::Child;

use crate::hook::{PATIENCE, Place};
use crate::stamp;

/// The set's name.
pub const SET: &str = "db";

/// A file system in memory.
const MEMORY: &str = "/dev/shm";

/// The pods, and their residents for as long as this lives.
pub struct Residents {
    /// What was put in.
    pub made: Made,
    folder: PathBuf,
    processes: Vec<Child>,
}

/// From when to when a pod was held, ns since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its freeze program ran.
    pub from: i128,
    /// Its thaw program ran.
    pub until: i128,
}

impl Residents {
    /// Puts a set in, and waits until all residents stand by.
    pub async fn start(pair: &Pair, agent: &Path, namespace: &str, replicas: u32) -> anyhow::Result<Self> {
        // In memory, as a pod's own /dev/shm is, where agents keep their notes by default.
        let folder = Path::new(MEMORY).join(format!("bench-residents-{}", std::process::id())).join(namespace);
        // One program for the process's life: a plan's text lives as long.
        let program: &'static str = Box::leak(agent.display().to_string().into_boxed_str());
        let workload = Workload::stateful_set(namespace, SET, replicas)
            .env_field("POD", "metadata.name")
            .env("STATE_DIR", &format!("{}/$(POD)", folder.display()));
        let made = pair.with(workload, &HookPlan::default().program(program)).await?;
        let mut residents = Self { made, folder, processes: vec![] };
        for pod in residents.made.pods.clone() {
            let child = residents.resident(pair, agent, &pod).await?;
            residents.processes.push(child);
        }
        for pod in &residents.made.pods {
            eventually("a resident to stand by", PATIENCE, || member(pair, pod)?.stands_by().then_some(())).await;
        }
        Ok(residents)
    }

    async fn resident(&self, pair: &Pair, agent: &Path, pod: &MadePod) -> anyhow::Result<Child> {
        let group = pair.labelled(&pod.name).await?;
        let folder = self.folder.join(&pod.name.name);
        let kubeconfig = pair.kubeconfig("residents")?;
        let place = Place { agent: agent.to_owned(), folder, server: vec![("KUBECONFIG", kubeconfig.into())] };
        let token = pair.server().token_for_pod(&pod.name.namespace, "default", &pod.name.name, &pod.uid);
        place.mount(&token, &group)?;
        let (frozen, thawed) = (self.frozen(pod), self.thawed(pod));
        let plan =
            serde_json::json!([{"exec": {"freeze": stamp::argv(&frozen), "thaw": stamp::argv(&thawed)}}]).to_string();
        let mut command = place.hook("sidecar");
        command.env("QUIESCE", plan).env("STATE_DIR", &place.folder);
        command.spawn().context("starting a resident")
    }

    fn frozen(&self, pod: &MadePod) -> PathBuf {
        self.folder.join(&pod.name.name).join("frozen")
    }

    fn thawed(&self, pod: &MadePod) -> PathBuf {
        self.folder.join(&pod.name.name).join("thawed")
    }

    /// How long each pod was held in the Backup that has ended. All stand by again afterwards.
    pub async fn held(&self, pair: &Pair) -> anyhow::Result<Vec<Held>> {
        let mut held = Vec::new();
        for pod in &self.made.pods {
            // Whoever had it let go: the word of the cut, or a post hook that was quicker.
            eventually("a resident to stand by again", PATIENCE, || {
                member(pair, pod).filter(|member| member.stands_by() && member.let_go.is_some()).map(drop)
            })
            .await;
            held.push(Held { from: stamp::take(&self.frozen(pod))?, until: stamp::take(&self.thawed(pod))? });
        }
        Ok(held)
    }

    /// The residents' processes.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().filter_map(Child::id)
    }

    /// The folder that a pod's containers share.
    pub fn state_dir(&self, pod: &MadePod) -> PathBuf {
        self.folder.join(&pod.name.name)
    }

    /// The folder in it in which the pod's keeper is.
    pub fn place(&self, pod: &MadePod) -> PathBuf {
        self.state_dir(pod).join(format!("hook-agent-{}", rustix::process::geteuid().as_raw()))
    }
}

impl Drop for Residents {
    fn drop(&mut self) {
        // Left behind it is a few small files in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn member(pair: &Pair, pod: &MadePod) -> Option<MemberLease> {
    let name = format!("snapshot-member-{}", pod.name.name);
    let stored = pair.server().get("coordination.k8s.io/v1", "Lease", &pod.name.namespace, &name)?;
    let lease: Lease = serde_json::from_value(stored.value.clone()).ok()?;
    MemberLease::decode(&lease).ok()
}
