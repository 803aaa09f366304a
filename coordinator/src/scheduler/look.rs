//! What the scheduler reads: everything for a plan, Schedules and Backups alone to watch over them.

use coordinator_core::inventory::facts::{FactKind, Facts};
use kube::Client;
use shared::identity::Namespace;

use crate::plan::cluster::{self, ClusterError};

/// Every kind, once.
pub async fn everything(client: &Client, velero_namespace: &Namespace) -> Result<Facts, ClusterError> {
    cluster::kinds(client, velero_namespace, &FactKind::ALL, &|_| ()).await
}

/// Schedules and Backups of Velero's namespace.
pub async fn schedules(client: &Client, velero_namespace: &Namespace) -> Result<Facts, ClusterError> {
    cluster::kinds(client, velero_namespace, &[FactKind::Schedule, FactKind::Backup], &|_| ()).await
}
