//! How is a simulated Velero started, watched and killed?

mod block;
mod controller;
mod cut_csi;
mod cut_native;
mod finish;
mod hooks;
mod journal;
mod listing;
mod run;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::PostParams;
use kube::core::DynamicObject;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::backup::{Phase, backup_resource};
use super::kubelet::{Kubelet, KubeletError, KubeletSettings, Node};
use super::settings::{VeleroSettings, VolumeMode};
use super::snapshotter::Snapshotter;
use super::truth::{Fact, Timeline, TruthLog, TruthTimeout};

/// A simulated Velero server, with the stand-ins for kubelet and snapshotter that a cluster has anyway.
///
/// [`Velero::kill`] ends the server alone: hooks that run go on, snapshots under way are cut. Dropping the value ends the
/// stand-ins too, and every process they started.
#[derive(Debug)]
pub struct Velero {
    server: Arc<Server>,
    // Before the kubelet, because fields are dropped in this order: nothing asks for an exec any more when it ends.
    parts: Mutex<Parts>,
    _kubelet: Kubelet,
}

/// The tasks of one server, and of the stand-in snapshotter that goes with its times.
#[derive(Debug)]
struct Parts {
    stop: watch::Sender<bool>,
    controller: Option<JoinHandle<()>>,
    snapshotter: Option<JoinHandle<()>>,
}

impl Parts {
    async fn start(server: &Arc<Server>) -> Result<Self, VeleroError> {
        server.truth.record(Fact::ServerStarted);
        let found = controller::mark_interrupted(server)
            .await
            .map_err(|e| VeleroError::Backups(server.settings.namespace.clone(), e))?;
        let (stop, stopped) = watch::channel(false);
        let controller = Some(tokio::spawn(controller::control(server.clone(), found, stopped)));
        let snapshotter = (server.settings.volume_mode == VolumeMode::Csi)
            .then(|| tokio::spawn(Snapshotter::new(server.client.clone(), &server.settings).serve()));
        Ok(Self { stop, controller, snapshotter })
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(snapshotter) = &self.snapshotter {
            snapshotter.abort();
        }
    }
}

/// What all parts of the server share.
pub(super) struct Server {
    pub(super) client: Client,
    pub(super) settings: VeleroSettings,
    pub(super) node: Arc<Node>,
    pub(super) truth: TruthLog,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum VeleroError {
    /// The stand-in kubelet did not start.
    #[error("the stand-in kubelet cannot start")]
    Kubelet(#[source] KubeletError),
    /// The Backups could not be listed, or one left InProgress not be marked.
    #[error("Backups in namespace {0} cannot be read or marked: is the kind served, does the namespace exist?")]
    Backups(String, #[source] kube::Error),
    /// A Backup could not be created.
    #[error("Backup {0} cannot be created")]
    Create(String, #[source] kube::Error),
    /// The given spec is no JSON object.
    #[error("Backup {0}: the spec is not the spec of a Backup")]
    Spec(String, #[source] serde_json::Error),
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn backups(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.settings.namespace, &backup_resource())
    }
}

impl Velero {
    /// Starts a server. Backups that an earlier one left `InProgress` are `Failed` when this returns, as the real one does
    /// it (`markInProgressBackupsFailed`); their post hooks never run.
    pub async fn start(client: Client, settings: VeleroSettings) -> Result<Self, VeleroError> {
        let truth = settings.truth.clone();
        let kubelet = Kubelet::start(
            client.clone(),
            KubeletSettings {
                root: settings.pods_root.clone(),
                pass_env: settings.pass_env.clone(),
                tokens: settings.tokens.clone(),
                truth: truth.clone(),
            },
        )
        .map_err(VeleroError::Kubelet)?;
        let server = Arc::new(Server { client, node: kubelet.node(), truth, settings });
        let parts = Parts::start(&server).await?;
        Ok(Self { server, parts: Mutex::new(parts), _kubelet: kubelet })
    }

    /// Kills the server and starts one with changed settings. The kubelet stays the same, so hooks that run are not touched
    /// by it; its own settings (root, environment, tokens) and the truth log do not change.
    pub async fn restart(&mut self, change: impl FnOnce(&mut VeleroSettings)) -> Result<(), VeleroError> {
        self.kill().await;
        let Server { client, settings, node, truth } = &*self.server;
        let mut settings = settings.clone();
        change(&mut settings);
        let server = Arc::new(Server { client: client.clone(), settings, node: node.clone(), truth: truth.clone() });
        self.parts = Mutex::new(Parts::start(&server).await?);
        self.server = server;
        Ok(())
    }

    /// Ends the server in the middle of whatever it does, as `kill -9` would. Returns when nothing of it runs any more.
    /// A second call does nothing.
    pub async fn kill(&self) {
        let controller = {
            let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.stop.send_replace(true);
            parts.controller.take()
        };
        let Some(controller) = controller else { return };
        if let Err(error) = controller.await {
            tracing::error!(%error, "the simulated server had died before it was killed");
        }
        self.server.truth.record(Fact::ServerKilled);
    }

    /// All that has happened so far, of all Backups.
    pub fn timeline(&self) -> Timeline {
        self.server.truth.timeline()
    }

    /// The log behind the timeline, to wait on or to hand to the next server.
    pub fn truth(&self) -> TruthLog {
        self.server.truth.clone()
    }

    /// The stand-in kubelet: to lose exec streams, to end containers, to find the folder of a claim.
    pub fn node(&self) -> Arc<Node> {
        self.server.node.clone()
    }

    /// Creates a Backup with this `spec`.
    pub async fn submit(&self, name: &str, spec: serde_json::Value) -> Result<(), VeleroError> {
        let object = serde_json::json!({
            "apiVersion": "velero.io/v1", "kind": "Backup", "spec": spec,
            "metadata": {"name": name, "namespace": self.server.settings.namespace},
        });
        let object = serde_json::from_value(object).map_err(|e| VeleroError::Spec(name.to_owned(), e))?;
        let created = self.server.backups().create(&PostParams::default(), &object).await;
        created.map(|_| ()).map_err(|e| VeleroError::Create(name.to_owned(), e))
    }

    /// Waits until the server has written a phase of a Backup that it will not leave again, and returns it with what
    /// happened in that Backup.
    pub async fn finished(&self, name: &str, limit: Duration) -> Result<(Phase, Timeline), TruthTimeout> {
        let last = |timeline: &Timeline| timeline.last_phase(name).filter(|phase| phase.is_final());
        let what = format!("Backup {name} is finished");
        let timeline = self.server.truth.wait_until(&what, limit, |timeline| last(timeline).is_some()).await?;
        // The condition held, so there is one.
        let phase = last(&timeline).unwrap_or(Phase::Failed);
        Ok((phase, timeline.of_backup(name)))
    }
}
