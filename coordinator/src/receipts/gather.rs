//! Where receipts are read from: the Backups of a cluster, or files that kubectl wrote.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use kube::api::{Api, ListParams};
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime;

use super::carried::{Carried, Wanted, sort, take};
use crate::api::{self, PAGE_OBJECTS, Trouble, TroubleKind, Uncounted, within};
use crate::cli::ReceiptsSource;
use crate::exit::Exit;
use crate::inventory_files::{ReadError, read_objects};
use crate::watch::backups::{SlimBackup, resource};

/// One page takes no longer than this, ms: a person waits. Each Backup may carry 256 KiB of annotations.
const PAGE_TIMEOUT_MS: u64 = 30_000;

/// What keeps receipts from being read.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] ReadError),
    /// The Backup that was named is not there.
    #[error("there is no Backup {name} {place}")]
    NoBackup {
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// No way to the API server is configured.
    #[error(transparent)]
    Config(#[from] api::ConfigError),
    /// What is configured cannot be used.
    #[error(transparent)]
    Client(#[from] api::ClientError),
    /// There is no runtime to ask the cluster with.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// The API server refuses or does not answer.
    #[error("cannot list backups.velero.io: {0}: {advice}", advice = .0.advice("list", "backups.velero.io"))]
    Api(Trouble),
}

impl GatherError {
    /// How the program ends for it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Files(_) | Self::NoBackup { .. } => Exit::Usage,
            Self::Config(_) | Self::Client(_) => Exit::Kubeconfig,
            Self::Api(_) => Exit::Api,
            Self::Runtime(_) => Exit::Internal,
        }
    }
}

/// The receipts that are asked for, in the order in which they are shown.
///
/// # Errors
/// When a file or the API server cannot be read, or the Backup that is named is not there.
pub fn gather(source: &ReceiptsSource) -> Result<Vec<Carried>, GatherError> {
    let mut found = Found { source, receipts: Vec::new(), named: false };
    let place = if source.file.is_empty() {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(GatherError::Runtime)?;
        runtime.block_on(from_cluster(&mut found))?;
        format!("in namespace {} (--velero-namespace)", source.velero_namespace)
    } else {
        read_objects(&source.file, &mut |object| found.put_object(object))?;
        "in these files".to_owned()
    };
    if let Some(name) = source.backup.as_ref().filter(|_| !found.named) {
        return Err(GatherError::NoBackup { name: name.clone(), place });
    }
    sort(&mut found.receipts);
    Ok(found.receipts)
}

struct Found<'a> {
    source: &'a ReceiptsSource,
    receipts: Vec<Carried>,
    /// The Backup that was named has been seen.
    named: bool,
}

/// A Backup as a file has it; its receipts are all that is read.
#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    name: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Found<'_> {
    fn put_object(&mut self, object: Value) {
        let text = |field: &str| object.get(field).and_then(Value::as_str);
        let ours = text("kind") == Some("Backup")
            && text("apiVersion").is_some_and(|version| version.starts_with("velero.io/"));
        if ours && let Ok(Named { metadata }) = serde_json::from_value(object) {
            self.put(&metadata.namespace, &metadata.name, metadata.annotations.as_ref());
        }
    }

    fn put(&mut self, namespace: &str, name: &str, annotations: Option<&BTreeMap<String, String>>) {
        if self.source.backup.as_ref().is_some_and(|wanted| wanted != name) {
            return;
        }
        self.named = true;
        let wanted = Wanted { namespace: self.source.namespace.as_ref(), group: self.source.group.as_ref() };
        self.receipts.extend(annotations.into_iter().flat_map(|all| take(namespace, name, all, wanted)));
    }
}

/// Asks for the Backups' metadata alone: that is where receipts are.
async fn from_cluster(found: &mut Found<'_>) -> Result<(), GatherError> {
    let config = api::load(found.source.kubeconfig.as_deref()).await?;
    let client = api::client(&config, Arc::new(Uncounted))?;
    let namespace = found.source.velero_namespace.as_str();
    let backups: Api<SlimBackup> = Api::namespaced_with(client, namespace, &resource());
    if let Some(name) = found.source.backup.clone() {
        match within(PAGE_TIMEOUT_MS, backups.get_metadata(&name)).await {
            Ok(backup) => found.put(namespace, &name, backup.metadata.annotations.as_ref()),
            Err(trouble) if trouble.kind == TroubleKind::NotFound => {}
            Err(trouble) => return Err(GatherError::Api(trouble)),
        }
        return Ok(());
    }
    let mut params = ListParams::default().limit(PAGE_OBJECTS);
    loop {
        let page = within(PAGE_TIMEOUT_MS, backups.list_metadata(&params)).await.map_err(GatherError::Api)?;
        for backup in page.items {
            let name = backup.metadata.name.unwrap_or_default();
            found.put(namespace, &name, backup.metadata.annotations.as_ref());
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(()),
        }
    }
}
