//! The flags of `coordinator status`.

use clap::{Args, ValueEnum};
use shared::identity::Namespace;

use super::values;

/// How the status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns for people.
    Table,
    /// One JSON document; its fields only ever grow within one `apiVersion`.
    Json,
}

/// What `coordinator status` shows.
#[derive(Debug, Args)]
pub struct StatusFlags {
    /// Only groups of this namespace
    #[arg(long, short = 'n', value_name = "NAMESPACE")]
    pub namespace: Option<Namespace>,

    /// How it is written
    #[arg(long, short = 'o', value_name = "FORMAT", value_enum, default_value_t = Output::Table)]
    pub output: Output,

    /// The coordinator's own namespace
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE", default_value = "velero")]
    pub coordinator_namespace: Namespace,

    /// How to reach the API server, as for kubectl [default: the pod's service account, else ~/.kube/config]
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty)]
    pub kubeconfig: Option<String>,
}
