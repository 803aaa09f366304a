//! What stands around a real Velero: a control plane, a bucket, a node whose pods' hooks really run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

use super::bucket::Bucket;
use super::follow::Mounts;
use super::process::Process;
use super::programs::RealPrograms;
use super::{cluster as objects, programs};
use crate::control_plane::{ControlPlane, Definitions};
use crate::velero::cluster;

/// The one node, on which all pods are.
pub const NODE: &str = "node";

/// Where every container has the hook-agent.
pub const IMAGE_HOOK_AGENT: &str = "/hooks/hook-agent";

/// An image whose containers hold one program, which they run: what `images/` makes.
#[derive(Clone, Debug)]
pub struct Image {
    /// What pods call it.
    pub name: String,
    /// The program; nothing: an image that holds nothing, and runs nothing.
    pub program: Option<PathBuf>,
}

/// From the kubelet's start to its Node's Ready. Seen: 0.3 s; the rest is for a busy machine.
const NODE_TIMEOUT: Duration = Duration::from_mins(1);

/// The exec endpoint. Fixed, because the machine is the test's own.
const KUBELET_ADDRESS: &str = "127.0.0.1:10250";

/// A cluster for one real Velero. Everything ends when this is dropped; files stay in the temporary folder of the test.
pub struct RealBed {
    /// The API server.
    pub control_plane: ControlPlane,
    /// Where Backups go.
    pub bucket: Bucket,
    /// Which pod mounts which claim: tell it of every pod that has hooks.
    pub mounts: Arc<Mounts>,
    pub(super) programs: RealPrograms,
    folder: PathBuf,
    kubelet: Mutex<Process>,
}

impl std::fmt::Debug for RealBed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealBed").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl RealBed {
    /// Starts all of it, inside of [`crate::isolated::run`]. About 8 s.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same, with images of their own.
    pub async fn start_with(images: &[Image]) -> anyhow::Result<Self> {
        let programs = programs::RealPrograms::from_environment()?;
        let definitions = Definitions::Folder(programs.definitions.clone());
        let control_plane = ControlPlane::start_with(&definitions).await.context("starting the control plane")?;
        let folder = std::env::temp_dir().join("bed");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let bucket = Bucket::start();
        let client = control_plane.client().await;
        cluster::prepare(&client).await.context("preparing the cluster")?;
        objects::put_location(&client, &bucket.s3.url()).await?;
        let kubelet = start_kubelet(&control_plane, &programs, &folder, images)?;
        let bed =
            Self { control_plane, bucket, mounts: Arc::default(), programs, folder, kubelet: Mutex::new(kubelet) };
        bed.node_ready(&client).await?;
        Ok(bed)
    }

    async fn node_ready(&self, client: &Client) -> anyhow::Result<()> {
        let nodes: Api<Node> = Api::all(client.clone());
        let is_ready = |node: Option<&Node>| {
            let conditions = node.and_then(|node| node.status.as_ref()?.conditions.as_ref());
            conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        let waited = tokio::time::timeout(NODE_TIMEOUT, await_condition(nodes, NODE, is_ready)).await;
        self.kubelet.lock().unwrap_or_else(PoisonError::into_inner).check()?;
        waited.with_context(|| format!("the node was not Ready within {NODE_TIMEOUT:?}"))??;
        Ok(())
    }

    /// Where logs and everything else of this bed are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The kubelet's log of execs: JSON lines with nanoseconds since 1970.
    pub fn exec_log(&self) -> PathBuf {
        exec_log(&self.folder)
    }

    /// What every container's root folder begins with; a file put here is in the pods that start later.
    pub fn image(&self) -> PathBuf {
        image(&self.folder)
    }

    /// The folder that is a container's root: `ROOT/NAMESPACE/POD-UID/CONTAINER`.
    pub fn container_root(&self, namespace: &str, pod_uid: &str, container: &str) -> PathBuf {
        self.folder.join("pods").join(namespace).join(pod_uid).join(container)
    }

    /// The folder that a claim is to its pods, made when the first of them starts; they mount what is there then.
    pub fn claim_folder(&self, namespace: &str, claim: &str) -> PathBuf {
        self.folder.join("pods").join(".volumes").join(cluster::volume_name(namespace, claim))
    }
}

fn exec_log(folder: &Path) -> PathBuf {
    folder.join("execs.log")
}

fn image(folder: &Path) -> PathBuf {
    folder.join("image")
}

/// Lays the images out; gives the kubelet's flags about them.
fn lay_out(images: &[Image], folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut flags = Vec::new();
    for (index, Image { name, program }) in images.iter().enumerate() {
        let root = folder.join("images").join(index.to_string());
        std::fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
        flags.extend(["--image".to_owned(), format!("{name}={}", root.display())]);
        let Some(program) = program else { continue };
        let file = program.file_name().and_then(OsStr::to_str).context("a program has a name")?;
        std::fs::copy(program, root.join(file)).with_context(|| format!("copying {}", program.display()))?;
        flags.extend(["--entrypoint".to_owned(), format!("{name}=/{file}")]);
    }
    Ok(flags)
}

fn start_kubelet(
    control_plane: &ControlPlane,
    programs: &RealPrograms,
    folder: &Path,
    images: &[Image],
) -> anyhow::Result<Process> {
    let agent = image(folder).join(IMAGE_HOOK_AGENT.trim_start_matches('/'));
    let hooks = agent.parent().context("the agent lies in a folder")?;
    std::fs::create_dir_all(hooks).with_context(|| format!("making {}", hooks.display()))?;
    std::fs::copy(&programs.hook_agent, &agent).with_context(|| format!("copying the agent to {}", agent.display()))?;
    let (certificate, key) = control_plane.server_keys().context("the control plane is this test's own")?;
    let api = control_plane.url().trim_start_matches("https://");
    let (host, port) = api.rsplit_once(':').context("the API server's address has a port")?;
    let (kubeconfig, log, image, root) =
        (control_plane.kubeconfig(), exec_log(folder), image(folder), folder.join("pods"));
    let arguments: [(&str, &OsStr); 10] = [
        ("--kubeconfig", kubeconfig.as_os_str()),
        ("--listen", KUBELET_ADDRESS.as_ref()),
        ("--tls-cert-file", certificate.as_os_str()),
        ("--tls-private-key-file", key.as_os_str()),
        ("--node", NODE.as_ref()),
        ("--root", root.as_os_str()),
        ("--image-root", image.as_os_str()),
        ("--log", log.as_os_str()),
        ("--api-server-host", host.as_ref()),
        ("--api-server-port", port.as_ref()),
    ];
    let of_images = lay_out(images, folder)?;
    let flags = arguments.iter().flat_map(|(flag, value)| [OsStr::new(*flag), *value]);
    // Hooks of tests may be shell scripts; what Velero restores has no node yet; a resident is its container's own command.
    let flags = flags.chain(["--host-tools", "--schedule", "--run-containers"].map(OsStr::new));
    let flags = flags.chain(of_images.iter().map(OsStr::new));
    Process::start("kubelet", &programs.kubelet, flags, &[], &folder.join("kubelet.log"))
}
