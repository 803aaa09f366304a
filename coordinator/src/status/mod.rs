//! `coordinator status`: reads the Leases and pods once, and shows what they say. It needs no coordinator that runs.

mod collect;
mod json;
pub mod limit_view;
mod table;
pub mod view;

use std::sync::Arc;

use tokio::runtime;

use crate::api::{self, Trouble, Uncounted};
use crate::cli::{Output, StatusFlags};
use crate::clock::Clock;
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::output::print;

/// What keeps the status from being shown.
#[derive(Debug, thiserror::Error)]
enum StatusError {
    /// No way to the API server is configured.
    #[error(transparent)]
    Config(#[from] api::ConfigError),
    /// What is configured cannot be used.
    #[error(transparent)]
    Client(#[from] api::ClientError),
    /// The API server refuses or does not answer.
    #[error("cannot list {resource}: {trouble}: {}", trouble.advice("list", resource))]
    Api {
        /// What was asked for.
        resource: &'static str,
        /// What came.
        trouble: Trouble,
    },
}

impl StatusError {
    const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Client(_) => Exit::Kubeconfig,
            Self::Api { .. } => Exit::Api,
        }
    }
}

/// Shows the status.
pub fn run(flags: &StatusFlags) -> Exit {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("coordinator status: cannot start: {error}");
            return Exit::Internal;
        }
    };
    match runtime.block_on(show(flags)) {
        Ok(text) => {
            print(&text);
            Exit::Ok
        }
        Err(error) => {
            eprintln!("coordinator status: {}", chain(&error));
            error.exit()
        }
    }
}

async fn show(flags: &StatusFlags) -> Result<String, StatusError> {
    let config = api::load(flags.kubeconfig.as_deref()).await?;
    let client = api::client(&config, Arc::new(Uncounted))?;
    let found = collect::collect(&client, &flags.coordinator_namespace, flags.namespace.as_ref())
        .await
        .map_err(|(resource, trouble)| StatusError::Api { resource, trouble })?;
    let now = Clock::wall();
    let view = view::view(&found, &flags.coordinator_namespace);
    Ok(match flags.output {
        Output::Table => table::render(&view, now),
        Output::Json => json::render(&view, now),
    })
}
