//! Which Velero does a pair have? The simulated and the real one, behind one interface.

use std::sync::Arc;
use std::time::Duration;

use crate::real_velero::RealVelero;
use crate::velero::backup::Phase;
use crate::velero::kubelet::Node;
use crate::velero::truth::{Timeline, TruthLog, TruthTimeout};
use crate::velero::{Velero, VeleroSettings};

/// A running Velero, whose every deed is in its truth log.
#[derive(Debug)]
pub enum AnyVelero {
    /// In this process.
    Simulated(Velero),
    /// The real server.
    Real(Box<RealVelero>),
}

impl AnyVelero {
    /// Creates a Backup with this `spec`.
    pub async fn submit(&self, name: &str, spec: serde_json::Value) -> anyhow::Result<()> {
        match self {
            Self::Simulated(velero) => Ok(velero.submit(name, spec).await?),
            Self::Real(velero) => velero.submit(name, spec).await,
        }
    }

    /// Waits for the last phase of a Backup; returns it with what happened in that Backup.
    pub async fn finished(&self, name: &str, limit: Duration) -> Result<(Phase, Timeline), TruthTimeout> {
        match self {
            Self::Simulated(velero) => velero.finished(name, limit).await,
            Self::Real(velero) => velero.finished(name, limit).await,
        }
    }

    /// All that has happened so far, of all Backups.
    pub fn timeline(&self) -> Timeline {
        match self {
            Self::Simulated(velero) => velero.timeline(),
            Self::Real(velero) => velero.timeline(),
        }
    }

    /// The log behind the timeline, to wait on.
    pub fn truth(&self) -> TruthLog {
        match self {
            Self::Simulated(velero) => velero.truth(),
            Self::Real(velero) => velero.truth(),
        }
    }

    /// Ends the server in the middle of whatever it does; hooks that run go on.
    pub async fn kill(&self) {
        match self {
            Self::Simulated(velero) => velero.kill().await,
            Self::Real(velero) => velero.kill().await,
        }
    }

    /// Kills the server and starts one with these workers and times.
    pub async fn restart(&mut self, wanted: &VeleroSettings) -> anyhow::Result<()> {
        let change = |settings: &mut VeleroSettings| {
            settings.item_block_workers = wanted.item_block_workers;
            settings.concurrent_backups = wanted.concurrent_backups;
            settings.csi_poll = wanted.csi_poll;
            settings.cut_delay = wanted.cut_delay;
        };
        match self {
            Self::Simulated(velero) => Ok(velero.restart(change).await?),
            Self::Real(velero) => velero.restart(|settings, _| change(settings)).await,
        }
    }

    /// The simulator's kubelet: to lose exec streams, to end containers.
    ///
    /// # Panics
    /// With the real one, whose kubelet is another program.
    pub fn node(&self) -> Arc<Node> {
        match self {
            Self::Simulated(velero) => velero.node(),
            Self::Real(_) => panic!("only the simulator's kubelet is in this process"),
        }
    }

    /// The real one.
    ///
    /// # Panics
    /// With the simulator.
    pub fn real(&self) -> &RealVelero {
        match self {
            Self::Real(velero) => velero,
            Self::Simulated(_) => panic!("this is the simulator"),
        }
    }
}
