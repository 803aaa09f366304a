//! What the scheduler reads of the API server itself: Schedules and Backups. The rest is what the watches see.

use coordinator_core::inventory::facts::{FactKind, Facts};
use kube::Client;
use shared::identity::Namespace;

use crate::plan::cluster::{self, ClusterError};

/// What the watches see, with Schedules and Backups beside it.
pub async fn everything(watched: Facts, client: &Client, velero_namespace: &Namespace) -> Result<Facts, ClusterError> {
    let Facts { schedules, backups, findings, .. } = self::schedules(client, velero_namespace).await?;
    Ok(Facts { schedules, backups, findings, ..watched })
}

/// Schedules and Backups of Velero's namespace.
pub async fn schedules(client: &Client, velero_namespace: &Namespace) -> Result<Facts, ClusterError> {
    cluster::kinds(client, velero_namespace, &[FactKind::Schedule, FactKind::Backup], &|_| ()).await
}
