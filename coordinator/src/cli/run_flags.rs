//! The flags of `coordinator run`.

use std::net::SocketAddr;

use clap::Args;
use coordinator_core::settings::{
    BARRIER_STALL_DEFAULT_MS, CLOCK_ERROR_DEFAULT_MS, MAX_CONCURRENT_SNAPSHOTS_DEFAULT, ModeSetting,
    ROUND_DURATION_DEFAULT_S, ROUND_IDLE_DEFAULT_MS,
};
use shared::identity::Namespace;

use super::values::{self, Ms, Seconds};
use crate::log::{Format, Level};

/// How `coordinator run` is set up. Each flag has an environment variable of the same name.
#[derive(Debug, Args)]
pub struct RunFlags {
    /// The budget: how many volumes may be between release and cut at once (1 to 1000)
    #[arg(long, env, value_name = "VOLUMES", value_parser = values::max_concurrent_snapshots, allow_hyphen_values = true,
          default_value_t = MAX_CONCURRENT_SNAPSHOTS_DEFAULT)]
    pub max_concurrent_snapshots: u32,

    /// How groups are released: auto, arrive-and-go or barrier (workloads may say otherwise by annotation)
    #[arg(long, env, value_name = "MODE", value_parser = values::mode, default_value = "auto")]
    pub mode: ModeSetting,

    /// Whether pods are put into groups by labelling them: true or false
    #[arg(long, env, value_name = "BOOL", value_parser = values::switch, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", default_value = "true")]
    pub ensure_backup_consistency: bool,

    /// Look only at pods with these labels, such as `backup=yes,tier!=test` [default: all pods]
    #[arg(long, env, value_name = "SELECTOR", value_parser = values::not_empty)]
    pub resource_label_selector: Option<String>,

    /// Velero's --item-block-worker-count [default: read from the arguments of Velero's Deployment]
    #[arg(long, env, value_name = "WORKERS", value_parser = values::item_block_workers, allow_hyphen_values = true)]
    pub item_block_workers: Option<u32>,

    /// The namespace that Velero runs in
    #[arg(long, env, value_name = "NAMESPACE", default_value = "velero")]
    pub velero_namespace: Namespace,

    /// A barrier without a new arrival for this long goes on without the missing members
    #[arg(long, env, value_name = "TIME", value_parser = values::barrier_stall, allow_hyphen_values = true,
          default_value_t = Ms(BARRIER_STALL_DEFAULT_MS))]
    pub barrier_stall: Ms,

    /// A round ends after this, whatever happens
    #[arg(long, env, value_name = "TIME", value_parser = values::round_duration, allow_hyphen_values = true,
          default_value_t = Seconds(ROUND_DURATION_DEFAULT_S))]
    pub round_duration: Seconds,

    /// Where no Backup is visible, a round ends when nobody waited or held still for this long
    #[arg(long, env, value_name = "TIME", value_parser = values::round_idle, allow_hyphen_values = true,
          default_value_t = Ms(ROUND_IDLE_DEFAULT_MS))]
    pub round_idle: Ms,

    /// How far the clocks of pods and of EC2 may be apart; receipts claim less the larger it is
    #[arg(long, env, value_name = "TIME", value_parser = values::clock_error, allow_hyphen_values = true,
          default_value_t = Ms(CLOCK_ERROR_DEFAULT_MS))]
    pub clock_error: Ms,

    /// The coordinator's own namespace [default: the pod's, else velero]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<Namespace>,

    /// This process among all coordinators: must differ between replicas [default: the host name]
    #[arg(long, env = "POD_NAME", value_name = "NAME", value_parser = values::not_empty)]
    pub identity: Option<String>,

    /// Where /livez, /readyz and /metrics are served; port 0 takes a free one (see the log)
    #[arg(long, env, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub http_address: SocketAddr,

    /// The least important lines that are logged
    #[arg(long, env, value_name = "LEVEL", value_enum, ignore_case = true, default_value_t = Level::Info)]
    pub log_level: Level,

    /// How lines are written: json for machines, text for people
    #[arg(long, env, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t = Format::Json)]
    pub log_format: Format,

    /// How to reach the API server, as for kubectl [default: the pod's service account, else ~/.kube/config]
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty)]
    pub kubeconfig: Option<String>,
}
