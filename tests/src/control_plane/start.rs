//! How a control plane comes up: programs, keys, processes, readiness, custom kinds, in this order.

use super::access::{self, ClientError, put_json};
use super::binaries::{self, BinariesError};
use super::crds::{self, CrdError, Definitions};
use super::folder::{self, Folder};
use super::keys::{self, KeysError};
use super::processes::{self, ProcessError};
use super::wait::{self, WaitError};
use super::{ControlPlane, create_namespace};
use kube::Client;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// From the start of etcd to a 200 of /readyz. Seen: 3.3 s alone, 6.4 s beside a compiler; the rest is for worse machines.
const READY_TIMEOUT: Duration = Duration::from_secs(90);

/// How often another set of ports is tried when a stranger took one of them meanwhile.
const PORT_ATTEMPTS_MAX: u32 = 3;

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No programs to start.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// No place for its files.
    #[error("cannot make a folder for the control plane in {}", std::env::temp_dir().display())]
    Folder(#[source] std::io::Error),
    /// No keys for it.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A process is not there.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It runs and does not become ready.
    #[error("kube-apiserver does not answer /readyz; its log is in {}", logs.display())]
    Ready {
        /// Where the logs are.
        logs: PathBuf,
        /// How long was waited.
        #[source]
        source: WaitError,
    },
    /// The kinds that the tests need could not be installed.
    #[error(transparent)]
    Crds(#[from] CrdError),
    /// The namespaces that every cluster of ours has could not be created.
    #[error("cannot create namespace velero")]
    Namespace(#[source] Box<kube::Error>),
    /// A kubeconfig that cannot be used: its own, or the one of [`shared::VARIABLE`].
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl ControlPlane {
    /// Finds the programs, starts them, and returns when the custom kinds are served and namespace `velero` exists.
    pub async fn start() -> Result<Self, StartError> {
        Self::start_with(&Definitions::Own).await
    }

    /// The same with other custom kinds.
    pub async fn start_with(definitions: &Definitions) -> Result<Self, StartError> {
        let binaries = binaries::find().await?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&binaries, definitions).await {
                Err(StartError::Process(error)) if error.is_port_taken() && attempt < PORT_ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn start_once(binaries: &binaries::Binaries, definitions: &Definitions) -> Result<Self, StartError> {
        let Folder { run, logs } = folder::make().map_err(StartError::Folder)?;
        let keys = keys::write(&run)?;
        let ports = processes::free_ports()?;
        let processes = processes::start(binaries, ports, &keys, &run, &logs)?;
        let url = format!("https://127.0.0.1:{}", ports.api);
        let kubeconfig = run.join("kubeconfig");
        put_json(&kubeconfig, &access::kubeconfig(&url, &keys.authority, &keys.admin_token))?;
        let control_plane = Self {
            url,
            authority: keys.authority,
            admin_token: keys.admin_token,
            kubeconfig,
            logs,
            processes: Some(Mutex::new(processes)),
        };
        let client = control_plane.try_client().await?;
        control_plane.ready(&client).await?;
        crds::install(&client, definitions).await?;
        create_namespace(&client, "velero").await.map_err(StartError::Namespace)?;
        Ok(control_plane)
    }

    /// Uses one that another process started, by its kubeconfig.
    pub(super) async fn attach(kubeconfig: PathBuf) -> Result<Self, ClientError> {
        let text = std::fs::read(&kubeconfig);
        let text = text.map_err(|source| ClientError::File { path: kubeconfig.clone(), source })?;
        let content: Value =
            serde_json::from_slice(&text).map_err(|source| ClientError::Parse { path: kubeconfig.clone(), source })?;
        let part = |pointer: &str| content.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let control_plane = Self {
            url: part("/clusters/0/cluster/server"),
            authority: part("/clusters/0/cluster/certificate-authority").into(),
            admin_token: part("/users/0/user/token"),
            logs: kubeconfig.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_owned(),
            kubeconfig,
            processes: None,
        };
        control_plane.try_client().await.map(|_| control_plane)
    }

    async fn ready(&self, client: &Client) -> Result<(), StartError> {
        let mut ended = None;
        let outcome = wait::until(READY_TIMEOUT, async || {
            ended = self.check().err();
            let probe = axum::http::Request::get("/readyz").body(Vec::new());
            ended.is_some() || client.request_text(probe.expect("a fixed request")).await.is_ok()
        });
        outcome.await.map_err(|source| StartError::Ready { logs: self.logs.clone(), source })?;
        ended.map_or(Ok(()), |error| Err(error.into()))
    }
}
