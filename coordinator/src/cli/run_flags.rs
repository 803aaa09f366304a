//! The flags of `coordinator run`.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use coordinator_core::settings::{
    BARRIER_STALL_DEFAULT_MS, CLOCK_ERROR_DEFAULT_MS, ModeSetting, ROUND_DURATION_DEFAULT_S, ROUND_IDLE_DEFAULT_MS,
};
use shared::identity::Namespace;

use super::hold_flags::HoldFlags;
use super::schedule_flags::ScheduleFlags;
use super::throttle_flags::ThrottleFlags;
use super::values::{self, Ms, Seconds};
use crate::log::{Format, Level};

/// How often is planned when nobody says, s (the original's `CHECK_INTERVAL_SECONDS`).
const CHECK_INTERVAL_DEFAULT_S: u32 = 3_600;

/// What the stagger scheduler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchedulesMode {
    /// Nothing.
    Off,
    /// Plans, and says what it would write.
    DryRun,
    /// Plans, and writes.
    Apply,
}

/// What to do about another install of this product in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OtherInstalls {
    /// Of two the older one serves.
    StandBack,
    /// Both serve; each must select pods of its own.
    Ignore,
}

impl SchedulesMode {
    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry-run",
            Self::Apply => "apply",
        }
    }
}

/// How `coordinator run` is set up. Each flag has an environment variable of the same name.
#[derive(Debug, Args)]
pub struct RunFlags {
    /// The stagger scheduler: off, dry-run (says what it would write) or apply (keeps one Velero Schedule a group true to the plan)
    #[arg(long, env, value_name = "WHAT", value_enum, ignore_case = true, default_value_t = SchedulesMode::Off, help_heading = "Schedules")]
    pub schedules: SchedulesMode,

    /// It plans at least this often, seconds (10 to 86400), and soon after the cluster's volumes, claims, pods or StatefulSets change
    #[arg(long, env, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..=86_400), allow_hyphen_values = true,
          default_value_t = CHECK_INTERVAL_DEFAULT_S, help_heading = "Schedules")]
    pub check_interval_seconds: u32,

    /// When backups run, and what Schedules contain; budget, labelling and selection of pods are those of releasing, too.
    #[command(flatten)]
    pub schedule: ScheduleFlags,

    #[command(flatten)]
    pub throttle: ThrottleFlags,

    #[command(flatten)]
    pub hold: HoldFlags,

    /// How groups are released: auto, arrive-and-go, barrier or lead (workloads may say otherwise by annotation)
    #[arg(long, env, value_name = "MODE", value_parser = values::mode, default_value = "auto")]
    pub mode: ModeSetting,

    /// Velero's --item-block-worker-count [default: read from the arguments of Velero's Deployment]
    #[arg(long, env, value_name = "WORKERS", value_parser = values::item_block_workers, allow_hyphen_values = true)]
    pub item_block_workers: Option<u32>,

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

    /// Another install of this product, in another namespace: stand-back (the older one serves) or ignore (each selects pods of its own)
    #[arg(long, env, value_name = "WHAT", value_enum, ignore_case = true, default_value_t = OtherInstalls::StandBack)]
    pub other_installs: OtherInstalls,

    /// This process among all coordinators: must differ between replicas [default: the host name]
    #[arg(long, env = "POD_NAME", value_name = "NAME", value_parser = values::not_empty)]
    pub identity: Option<String>,

    /// Where the status page, /status.json, /metrics, /livez and /readyz are served; port 0 takes a free one (see the log)
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
