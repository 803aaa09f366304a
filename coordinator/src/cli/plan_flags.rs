//! The flags of `coordinator plan`.

use clap::{Args, ValueEnum};
use jiff::civil::Date;

use super::schedule_flags::ScheduleFlags;
use super::values;

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people.
    Text,
    /// One JSON document; its fields only ever grow within one `apiVersion`.
    Json,
    /// The Schedules themselves, to be applied or kept in Git.
    Yaml,
    /// A timeline.
    Svg,
}

/// What `coordinator plan` reads and shows. Settings have an environment variable of the same name, as with `run`.
#[derive(Debug, Args)]
pub struct PlanFlags {
    /// A file that `kubectl get pv,pvc,sts,pods,schedules.velero.io,backups.velero.io -A -o json` (or yaml) wrote; `-` is standard
    /// input; may be given several times [default: the current kubeconfig's cluster is asked]
    #[arg(long, short = 'f', value_name = "FILE", value_parser = values::not_empty)]
    pub file: Vec<String>,

    /// How it is written
    #[arg(long, short = 'o', value_name = "FORMAT", value_enum, default_value_t = PlanOutput::Text)]
    pub output: PlanOutput,

    /// Show only what applying the plan would change
    #[arg(long)]
    pub diff: bool,

    /// The day that is planned, such as 2026-03-29: it decides how far local time is from UTC [default: today]
    #[arg(long, value_name = "DAY", value_parser = values::day)]
    pub date: Option<Date>,

    /// When, and what generated Schedules contain.
    #[command(flatten)]
    pub schedule: ScheduleFlags,

    /// How to reach the API server, as for kubectl [default: the pod's service account, else ~/.kube/config]
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty)]
    pub kubeconfig: Option<String>,
}
