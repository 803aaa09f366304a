//! The flags of the stagger scheduler: when backups may run, and what generated Schedules contain.

use clap::{Args, ValueEnum};
use coordinator_core::objects::Selector;
use coordinator_core::schedule::settings::{BACKUP_WINDOW_DEFAULT_HOURS, CONCURRENT_BACKUPS_MAX, IN_FLIGHT_DEFAULT_S};
use coordinator_core::settings::MAX_CONCURRENT_SNAPSHOTS_DEFAULT;
use jiff::tz::TimeZone;
use shared::identity::Namespace;

use super::values::{self, Hours, LocalHours, LocalTime, Ms, Seconds};

/// How long backups are kept when nobody says, h (the original's week).
const RETENTION_DEFAULT_H: u32 = 168;

/// Velero's timeout of the generated pre hook when nobody says, ms (the original's 10 minutes; Velero's own 30 s is too short
/// for a group that waits for its turn).
const HOOK_TIMEOUT_DEFAULT_MS: u64 = 600_000;

/// How EBS volumes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// By the EBS CSI driver: Velero runs with --features=EnableCSI.
    Csi,
    /// By Velero's AWS plugin.
    Native,
}

/// What a failed pre hook means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookError {
    /// The Backup ends `PartiallyFailed` and the pod's post hook is not run.
    Fail,
    /// The Backup ends `PartiallyFailed` and goes on.
    Continue,
}

/// When, and what.
#[derive(Clone, Debug, Args)]
pub struct ScheduleFlags {
    /// The budget: how many volumes may be in flight at once (1 to 1000)
    #[arg(long, env, value_name = "VOLUMES", value_parser = values::max_concurrent_snapshots, allow_hyphen_values = true,
          default_value_t = MAX_CONCURRENT_SNAPSHOTS_DEFAULT)]
    pub max_concurrent_snapshots: u32,

    /// How long the backup window is, hours (1 to 24)
    #[arg(long, env, value_name = "HOURS", value_parser = values::window_hours, allow_hyphen_values = true,
          default_value_t = BACKUP_WINDOW_DEFAULT_HOURS)]
    pub backup_window_hours: u32,

    /// When it begins, local time
    #[arg(long, env, value_name = "HH:MM", value_parser = values::local_time, default_value = "00:00")]
    pub backup_window_start: LocalTime,

    /// Hours in which nothing may be in flight, local time: `8-12,18` is 8:00 to 12:00 and 18:00 to 19:00
    #[arg(long, env, value_name = "HOURS", value_parser = values::excluded_hours, default_value = "")]
    pub excluded_hours: LocalHours,

    /// What local time is, such as Europe/Berlin
    #[arg(long, env, value_name = "ZONE", value_parser = values::time_zone, default_value = "UTC")]
    pub time_zone: TimeZone,

    /// Velero's --concurrent-backups
    #[arg(long, env, value_name = "BACKUPS", value_parser = clap::value_parser!(u32).range(1..=i64::from(CONCURRENT_BACKUPS_MAX)),
          allow_hyphen_values = true, default_value_t = 1)]
    pub concurrent_backups: u32,

    /// How long a group's backup takes as long as none has run
    #[arg(long, env, value_name = "TIME", value_parser = values::expected_duration, allow_hyphen_values = true,
          default_value_t = Seconds(IN_FLIGHT_DEFAULT_S))]
    pub expected_duration: Seconds,

    /// How long backups are kept, such as 168h or 30d
    #[arg(long, env, value_name = "TIME", value_parser = values::retention, allow_hyphen_values = true,
          default_value_t = Hours(RETENTION_DEFAULT_H))]
    pub retention: Hours,

    /// Velero's storage location
    #[arg(long, env, value_name = "NAME", value_parser = values::not_empty, default_value = "default")]
    pub storage_location: String,

    /// How EBS volumes are cut: csi or native
    #[arg(long, env, value_name = "WAY", value_enum, ignore_case = true, default_value_t = Way::Csi)]
    pub snapshot_way: Way,

    /// Whether groups are hooked and their pods labelled: true or false
    #[arg(long, env, value_name = "BOOL", value_parser = values::switch, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", default_value = "true")]
    pub ensure_backup_consistency: bool,

    /// Look only at pods with these labels, such as `backup=yes,tier!=test`, and at claims without a pod with them [default: all]
    #[arg(long, env, value_name = "SELECTOR", value_parser = values::selector)]
    pub resource_label_selector: Option<LabelSelector>,

    /// Velero's timeout of the pre hook; the agent ends before it
    #[arg(long, env, value_name = "TIME", value_parser = values::hook_timeout, allow_hyphen_values = true,
          default_value_t = Ms(HOOK_TIMEOUT_DEFAULT_MS))]
    pub hook_timeout: Ms,

    /// Where the hook-agent is in the workloads' containers
    #[arg(long, env, value_name = "PATH", value_parser = values::not_empty, default_value = "/hooks/hook-agent")]
    pub hook_command: String,

    /// What a failed pre hook means: fail or continue
    #[arg(long, env, value_name = "WHAT", value_enum, ignore_case = true, default_value_t = HookError::Fail)]
    pub hook_on_error: HookError,

    /// The namespace that Velero runs in
    #[arg(long, env, value_name = "NAMESPACE", default_value = "velero")]
    pub velero_namespace: Namespace,
}

/// A label selector as typed and as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector {
    /// As typed.
    pub text: String,
    /// As understood.
    pub selector: Selector,
}
