//! What does the stand-in kubelet know, and what can be asked of it?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::environment::{EnvironmentError, environment};
use super::exec::{self, ExecCall, RunningExec};
use super::token::{PodIdentity, TokenSource};
use super::volumes::{Filling, PodFolders, VolumeError, VolumeMaker};
use super::{containers, processes};
use crate::velero::object_name::ObjectName;
use crate::velero::truth::TruthLog;

/// What a stand-in kubelet is given.
#[derive(Clone, Debug, Default)]
pub struct KubeletSettings {
    /// Where pods and claims have their folders; `None` takes a fresh one in the system's temporary folder and removes it
    /// at the end.
    pub root: Option<PathBuf>,
    /// Variables that every process gets beside those of its container, for example `KUBECONFIG`.
    pub pass_env: Vec<(String, String)>,
    /// Where tokens come from.
    pub tokens: TokenSource,
    /// Where execs are recorded.
    pub truth: TruthLog,
}

/// Why there is no kubelet.
#[derive(Debug, thiserror::Error)]
#[error("{0}: no folder for the pods could be made there: give another root", path.display())]
pub struct KubeletError {
    /// The path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// Why an exec starts nothing. Velero sees the text as the hook's error.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The pod could not be read; absent is one reason.
    #[error("{0}")]
    Pod(String),
    /// It is there, but not running.
    #[error("container {container:?} of pod {pod} is not running: the pod is {phase}")]
    NotRunning {
        /// The pod.
        pod: ObjectName,
        /// The container.
        container: String,
        /// Its phase.
        phase: String,
    },
    /// The pod has no such container now, whatever it had when the Backup began.
    #[error("container not found ({0:?})")]
    NoContainer(String),
    /// The environment cannot be made.
    #[error("cannot start in {0}: {1}")]
    Environment(ObjectName, #[source] EnvironmentError),
    /// A volume cannot be made.
    #[error("cannot start in {0}: {1}")]
    Volume(ObjectName, #[source] VolumeError),
    /// The kubelet is ending.
    #[error("the stand-in kubelet has ended")]
    Ended,
    /// The program is not there, not executable, or the machine refuses.
    #[error("failed to exec {program:?} in container: {source}")]
    Start {
        /// `argv[0]`.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// One kubelet for all pods of a cluster. While it lives it watches the pods; when it is dropped, every process it started
/// is ended.
#[derive(Debug)]
pub struct Kubelet {
    node: Arc<Node>,
    watching: JoinHandle<()>,
    own_root: Option<PathBuf>,
}

/// What the kubelet and those who exec share.
pub struct Node {
    pub(super) client: Client,
    root: PathBuf,
    /// First part of every marker: tells this bed's processes from all others.
    bed: String,
    pass_env: Vec<(String, String)>,
    tokens: TokenSource,
    truth: TruthLog,
    /// Counts how often the exec streams were lost.
    streams: watch::Sender<u64>,
    /// Held while a process is started, so that none is started after the end.
    is_open: Mutex<bool>,
    pods: Mutex<Pods>,
}

#[derive(Default)]
struct Pods {
    /// By uid: the pod as it was when its containers started.
    started: BTreeMap<String, Arc<Pod>>,
    /// Uids of the pods whose volumes have been made.
    filled: BTreeSet<String>,
}

impl Kubelet {
    /// Starts to watch pods. Must be called inside a tokio runtime.
    pub fn start(client: Client, settings: KubeletSettings) -> Result<Self, KubeletError> {
        let KubeletSettings { root, pass_env, tokens, truth } = settings;
        let bed = unique_name();
        let own_root = root.is_none().then(|| std::env::temp_dir().join(&bed));
        let root = root.or_else(|| own_root.clone()).unwrap_or_default();
        let made = std::fs::create_dir_all(&root).and_then(|()| std::fs::canonicalize(&root));
        let root = made.map_err(|source| KubeletError { path: root, source })?;
        let streams = watch::Sender::new(0);
        let node = Arc::new(Node {
            client,
            root,
            bed,
            pass_env,
            tokens,
            truth,
            streams,
            is_open: Mutex::new(true),
            pods: Mutex::default(),
        });
        let watching = tokio::spawn(containers::watch(node.clone()));
        Ok(Self { node, watching, own_root })
    }

    /// What execs are asked of.
    pub fn node(&self) -> Arc<Node> {
        self.node.clone()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.watching.abort();
        *unpoisoned(&self.node.is_open) = false;
        processes::end_all(&self.node.bed);
        if let Some(root) = &self.own_root
            && let Err(error) = std::fs::remove_dir_all(root)
        {
            tracing::warn!(%error, path = %root.display(), "folder of the bed's pods was not removed");
        }
    }
}

/// Not taken by any other bed of this machine: a process id is, and a process numbers its own.
fn unique_name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("velero-bed-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Node {
    /// Starts a process in a pod's container, as an exec by name does.
    pub async fn exec(&self, call: &ExecCall) -> Result<RunningExec, ExecError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &call.pod.namespace);
        let pod = pods.get(&call.pod.name).await.map_err(|error| ExecError::Pod(in_api_words(&error)))?;
        let phase = pod.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
        if phase != "Running" {
            let (pod, container) = (call.pod.clone(), call.container.clone());
            return Err(ExecError::NotRunning { pod, container, phase });
        }
        let ordinary = pod.spec.as_ref().map(|s| s.containers.as_slice()).unwrap_or_default();
        let container = ordinary
            .iter()
            .find(|c| c.name == call.container)
            .ok_or_else(|| ExecError::NoContainer(call.container.clone()))?;

        let identity = PodIdentity::of(&pod);
        let at_start = self.container_started(pod.clone());
        let folders = PodFolders::new(&self.root, &identity);
        let volume_error = |error| ExecError::Volume(call.pod.clone(), error);
        let filling = if self.is_filled(&identity) { Filling::Refresh } else { Filling::First };
        let (client, tokens) = (&self.client, &self.tokens);
        let volumes = VolumeMaker { client, tokens, folders: &folders, pod: &pod, identity: &identity };
        volumes.fill(&container.name, filling).await.map_err(volume_error)?;
        self.lock().filled.insert(identity.uid.clone());

        let mounts = folders.mounts(&pod, container).map_err(volume_error)?;
        let marker = format!("{}/{}", self.pod_marker(&identity), container.name);
        let env = environment(&at_start, container, &mounts, &self.pass_env, &marker)
            .map_err(|error| ExecError::Environment(call.pod.clone(), error))?;
        let is_open = unpoisoned(&self.is_open);
        if !*is_open {
            return Err(ExecError::Ended);
        }
        exec::start(call, &env, &folders.working(&container.name), &self.truth, self.streams.subscribe())
            .map_err(|source| ExecError::Start { program: call.command.first().cloned().unwrap_or_default(), source })
    }

    /// Loses every exec stream that is open now, as a kubelet or containerd that is restarted does: Velero is told exit 0 at
    /// once, and the processes go on.
    pub fn lose_exec_streams(&self) {
        self.streams.send_modify(|times| *times += 1);
    }

    /// Ends a container of a pod: every process in it dies, in whatever session it is. What it wrote to claims stays.
    pub fn end_container(&self, pod_uid: &str, namespace: &str, container: &str) {
        processes::end_all(&format!("{}/{namespace}/{pod_uid}/{container}", self.bed));
    }

    /// The folder that stands for a claim's volume.
    pub fn claim_folder(&self, claim: &ObjectName) -> PathBuf {
        self.root.join("claims").join(&claim.namespace).join(&claim.name)
    }

    /// Where all folders are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Remembers a pod as it is now, unless its start was seen before; answers what is remembered.
    pub(super) fn container_started(&self, pod: Pod) -> Arc<Pod> {
        let uid = PodIdentity::of(&pod).uid;
        self.lock().started.entry(uid).or_insert_with(|| Arc::new(pod)).clone()
    }

    /// The pod is going: its containers end.
    pub(super) fn forget(&self, pod: &PodIdentity) {
        processes::end_all(&self.pod_marker(pod));
        let mut pods = self.lock();
        pods.started.remove(&pod.uid);
        pods.filled.remove(&pod.uid);
    }

    fn is_filled(&self, pod: &PodIdentity) -> bool {
        self.lock().filled.contains(&pod.uid)
    }

    fn pod_marker(&self, pod: &PodIdentity) -> String {
        format!("{}/{}/{}", self.bed, pod.namespace, pod.uid)
    }

    fn lock(&self) -> MutexGuard<'_, Pods> {
        unpoisoned(&self.pods)
    }
}

/// A panicking test must not keep the bed from cleaning up.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("bed", &self.bed).field("root", &self.root).finish_non_exhaustive()
    }
}

/// `pods "db-0" not found` rather than kube's own wording, as Velero's log has it.
fn in_api_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
