//! The flags of `coordinator receipts` and `coordinator verify`: which receipts, from where, and how they are shown.

use clap::Args;
use shared::identity::{GroupId, Namespace};
use shared::verdict::Verdict;

use super::status_flags::Output;
use super::values;

/// Which receipts are read, and from where.
#[derive(Debug, Args)]
pub struct ReceiptsSource {
    /// A file that `kubectl get backups.velero.io -A -o json` (or yaml) wrote; `-` is standard input; may be given several times
    /// [default: the current kubeconfig's cluster is asked]
    #[arg(long, short = 'f', value_name = "FILE", value_parser = values::not_empty)]
    pub file: Vec<String>,

    /// Only receipts of this Backup
    #[arg(long, value_name = "NAME", value_parser = values::not_empty)]
    pub backup: Option<String>,

    /// Only receipts of groups of this namespace
    #[arg(long, short = 'n', value_name = "NAMESPACE")]
    pub namespace: Option<Namespace>,

    /// Only receipts of this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<GroupId>,

    /// The namespace that Velero keeps its Backups in; of files all Backups are read
    #[arg(long, env, value_name = "NAMESPACE", default_value = "velero")]
    pub velero_namespace: Namespace,

    /// How to reach the API server, as for kubectl [default: the pod's service account, else ~/.kube/config]
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty)]
    pub kubeconfig: Option<String>,
}

/// What `coordinator receipts` shows.
#[derive(Debug, Args)]
pub struct ReceiptsFlags {
    /// Which receipts.
    #[command(flatten)]
    pub source: ReceiptsSource,

    /// How they are written
    #[arg(long, short = 'o', value_name = "FORMAT", value_enum, default_value_t = Output::Table)]
    pub output: Output,

    /// End with 10 when some receipt proves less than this, or when there is none: group-consistent, member-consistent, crash-consistent
    /// or unknown
    #[arg(long, value_name = "VERDICT", value_parser = values::verdict)]
    pub fail_below: Option<Verdict>,
}

/// What `coordinator verify` checks.
#[derive(Debug, Args)]
pub struct VerifyFlags {
    /// Which receipts.
    #[command(flatten)]
    pub source: ReceiptsSource,

    /// How it is written
    #[arg(long, short = 'o', value_name = "FORMAT", value_enum, default_value_t = Output::Table)]
    pub output: Output,
}
