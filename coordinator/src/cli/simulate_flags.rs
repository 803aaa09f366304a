//! The flags of `coordinator simulate`.

use clap::{Args, ValueEnum};
use coordinator_core::throttle::settings::{CALM_PERIOD_DEFAULT_MS, COOL_DOWN_DEFAULT_MS};
use jiff::civil::Date;

use super::schedule_flags::ScheduleFlags;
use super::values::{self, Ms};

/// Made-up groups, at most: ten times what a large cluster has.
const GROUPS_MAX: i64 = 20_000;
/// Nights, at most.
const NIGHTS_MAX: i64 = 1_000;

/// How a simulation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SimulateOutput {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// Charts: volumes in use, the limit and throttled calls over the night.
    Svg,
}

/// When backups are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartWhen {
    /// As planned.
    Planned,
    /// All at the window's start, as without a plan.
    Together,
}

/// What `coordinator simulate` plays, and how often. Nothing is written to a cluster.
#[derive(Debug, Args)]
pub struct SimulateFlags {
    /// A file as for `plan`; `-` is standard input; may be given several times [default: the current kubeconfig's cluster is asked]
    #[arg(long, short = 'f', value_name = "FILE", value_parser = values::not_empty, conflicts_with = "groups")]
    pub file: Vec<String>,

    /// So many made-up groups instead of a file or a cluster, all due together
    #[arg(long, value_name = "GROUPS", value_parser = clap::value_parser!(u32).range(1..=GROUPS_MAX), allow_hyphen_values = true)]
    pub groups: Option<u32>,

    /// How it is written
    #[arg(long, short = 'o', value_name = "FORMAT", value_enum, default_value_t = SimulateOutput::Text)]
    pub output: SimulateOutput,

    /// Settings to show side by side, such as `max=5 max=20` (each 1 to 1000)
    #[arg(long, value_name = "max=VOLUMES", value_parser = values::compared_max, num_args = 1..)]
    pub compare: Vec<u32>,

    /// Where chance begins: the same seed gives the same nights
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// How many nights are played with each setting
    #[arg(long, value_name = "NIGHTS", value_parser = clap::value_parser!(u32).range(1..=NIGHTS_MAX), allow_hyphen_values = true,
          default_value_t = 20)]
    pub nights: u32,

    /// CreateSnapshot calls a second that others in the account and Region make all night (0 to 100)
    #[arg(long, value_name = "RATE", value_parser = values::calls_per_second, allow_hyphen_values = true, default_value = "0")]
    pub neighbour_calls: f64,

    /// When backups are due: planned or together
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = StartWhen::Planned)]
    pub start: StartWhen,

    /// The day that is planned [default: today]
    #[arg(long, value_name = "DAY", value_parser = values::day)]
    pub date: Option<Date>,

    /// As `run` has it
    #[arg(long, env, value_name = "TIME", value_parser = values::cool_down, allow_hyphen_values = true,
          default_value_t = Ms(COOL_DOWN_DEFAULT_MS))]
    pub throttle_cool_down: Ms,

    /// As `run` has it
    #[arg(long, env, value_name = "TIME", value_parser = values::calm_period, allow_hyphen_values = true,
          default_value_t = Ms(CALM_PERIOD_DEFAULT_MS))]
    pub throttle_calm_period: Ms,

    /// When, and within what budget.
    #[command(flatten)]
    pub schedule: ScheduleFlags,

    /// How to reach the API server, as for kubectl [default: the pod's service account, else ~/.kube/config]
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty)]
    pub kubeconfig: Option<String>,
}
