//! The flags of `coordinator doctor`.

use clap::{Args, ValueEnum};
use shared::identity::Namespace;

use super::values;

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorOutput {
    /// For people.
    Text,
    /// One JSON document; its fields only ever grow within one `apiVersion`.
    Json,
}

/// What `coordinator doctor` looks at.
#[derive(Debug, Args)]
pub struct DoctorFlags {
    /// A file that `kubectl get pv,pvc,sts,pods,deploy,schedules.velero.io,volumesnapshotclasses,clusterrolebindings -A -o json` (or yaml) wrote; `-` is
    /// standard input; may be given several times [default: the current kubeconfig's cluster is asked]
    #[arg(long, short = 'f', value_name = "FILE", value_parser = values::not_empty)]
    pub file: Vec<String>,

    /// How it is written
    #[arg(long, short = 'o', value_name = "FORMAT", value_enum, default_value_t = DoctorOutput::Text)]
    pub output: DoctorOutput,

    /// The budget that groups are held against [default: what the running coordinator's limiter says, else 5]
    #[arg(long, env, value_name = "VOLUMES", value_parser = values::max_concurrent_snapshots, allow_hyphen_values = true)]
    pub max_concurrent_snapshots: Option<u32>,

    /// The namespace that Velero and the coordinator run in
    #[arg(long, env, value_name = "NAMESPACE", default_value = "velero")]
    pub velero_namespace: Namespace,

    /// How to reach the API server, as for kubectl [default: the pod's service account, else ~/.kube/config]
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty)]
    pub kubeconfig: Option<String>,
}
