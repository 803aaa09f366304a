//! `coordinator doctor`: gathers facts of a cluster or of files, and shows what the core's checks find. It writes nothing.

mod ask;
mod cluster;
mod rights;
mod show;

use std::io;

use coordinator_core::doctor::examine;
use coordinator_core::doctor::facts::Facts;
use coordinator_core::doctor::finding::Severity;
use coordinator_core::inventory;
use coordinator_core::objects::Selector;
use coordinator_core::settings::MAX_CONCURRENT_SNAPSHOTS_DEFAULT;
use serde_json::Value;
use tokio::runtime;

use crate::api;
use crate::cli::{DoctorFlags, DoctorOutput};
use crate::error_chain::chain;
use crate::exit::{DoctorExit, Exit};
use crate::inventory_files::{self, ReadError};
use crate::output::print;

/// What keeps doctor from looking at anything.
#[derive(Debug, thiserror::Error)]
enum DoctorError {
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] ReadError),
    /// No way to the API server is configured.
    #[error(transparent)]
    Config(#[from] api::ConfigError),
    /// What is configured cannot be used.
    #[error(transparent)]
    Client(#[from] api::ClientError),
    /// There is no runtime to ask the cluster with.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// Every question failed.
    #[error("the API server answers nothing at all: {0}")]
    Silent(String),
}

impl DoctorError {
    const fn exit(&self) -> Exit {
        match self {
            Self::Files(_) => Exit::Usage,
            Self::Config(_) | Self::Client(_) => Exit::Kubeconfig,
            Self::Silent(_) => Exit::Api,
            Self::Runtime(_) => Exit::Internal,
        }
    }
}

/// Looks, and shows what it found.
pub fn run(flags: &DoctorFlags) -> DoctorExit {
    let facts = match gather(flags) {
        Ok(facts) => facts,
        Err(error) => {
            eprintln!("coordinator doctor: {}", chain(&error));
            return DoctorExit::Failed(error.exit());
        }
    };
    let findings = examine(&facts);
    let text = match flags.output {
        DoctorOutput::Text => show::text(&findings),
        DoctorOutput::Json => show::json(&findings),
    };
    print(&text);
    match findings.iter().map(|finding| finding.severity).min() {
        Some(Severity::Error) => DoctorExit::Errors,
        Some(Severity::Warning) => DoctorExit::Warnings,
        Some(Severity::Note) | None => DoctorExit::Healthy,
    }
}

fn gather(flags: &DoctorFlags) -> Result<Facts, DoctorError> {
    let mut facts = Facts {
        velero_namespace: flags.velero_namespace.to_string(),
        budget: flags.max_concurrent_snapshots.unwrap_or(MAX_CONCURRENT_SNAPSHOTS_DEFAULT),
        version: env!("CARGO_PKG_VERSION"),
        ..Facts::default()
    };
    if flags.file.is_empty() {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(DoctorError::Runtime)?;
        runtime.block_on(cluster::gather(flags, &mut facts))?;
    } else {
        inventory_files::read_objects(&flags.file, &mut |object| put(object, &mut facts))?;
        facts.inventory = inventory::take(&facts.inventory_facts, &Selector::default());
    }
    Ok(facts)
}

/// Takes an object, for the checks and for the inventory.
fn put(object: Value, facts: &mut Facts) {
    facts.put(object.clone());
    inventory_files::put(object, &mut facts.inventory_facts);
}
