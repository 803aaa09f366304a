//! What does a test of the simulator, or a demo on it, begin with? An embedded API server and a prepared cluster.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::Client;

use super::backup::Phase;
use super::cluster::{self, Made, Workload};
use super::kubelet::TokenSource;
use super::settings::VeleroSettings;
use super::truth::Timeline;
use super::{Velero, VeleroError};
use crate::api::{ApiServer, ServerOptions};

/// How long a Backup with the times of [`VeleroSettings::quick`] may take before a test calls it stuck: each is over in a
/// fraction of it, but two cores may be busy with other tests.
pub const BACKUP_LIMIT: Duration = Duration::from_mins(1);

/// An embedded API server with what every cluster has.
#[derive(Clone)]
pub struct Bed {
    /// The server; it ends with the last clone.
    pub server: Arc<ApiServer>,
    /// Its administrator.
    pub client: Client,
}

impl std::fmt::Debug for Bed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bed").field("server", &self.server.url()).finish_non_exhaustive()
    }
}

impl Bed {
    /// Starts the API server and prepares the cluster.
    pub async fn start() -> anyhow::Result<Self> {
        let server = Arc::new(ApiServer::start(ServerOptions::default()).await?);
        let client = server.client();
        cluster::prepare(&client).await.context("preparing the embedded cluster")?;
        Ok(Self { server, client })
    }

    /// Tokens that this API server knows: it issues none by `TokenRequest`.
    pub fn tokens(&self) -> TokenSource {
        let server = self.server.clone();
        TokenSource::mint(move |pod| server.token_for_pod(&pod.namespace, &pod.service_account, &pod.name, &pod.uid))
    }

    /// Starts a Velero. Where the settings leave tokens to the API server, [`Bed::tokens`] takes its place.
    pub async fn velero(&self, mut settings: VeleroSettings) -> Result<Velero, VeleroError> {
        if matches!(settings.tokens, TokenSource::TokenRequest) {
            settings.tokens = self.tokens();
        }
        Velero::start(self.client.clone(), settings).await
    }

    /// Puts a workload in.
    pub async fn with(&self, workload: &Workload) -> anyhow::Result<Made> {
        cluster::create(&self.client, workload).await.context("putting a workload into the embedded cluster")
    }
}

/// Submits a Backup and waits for its end.
pub async fn back_up(velero: &Velero, name: &str, spec: serde_json::Value) -> anyhow::Result<(Phase, Timeline)> {
    velero.submit(name, spec).await?;
    Ok(velero.finished(name, BACKUP_LIMIT).await?)
}
