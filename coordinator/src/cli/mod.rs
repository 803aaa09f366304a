//! What the user typed: subcommands, flags and the environment variables of the same names.

mod doctor_flags;
mod hold_flags;
mod plan_flags;
mod receipts_flags;
mod run_flags;
mod schedule_flags;
mod simulate_flags;
mod status_flags;
mod throttle_flags;
mod values;

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::exit::{DoctorExit, Exit, PlanExit, ReceiptsExit, VerifyExit};

pub use doctor_flags::{DoctorFlags, DoctorOutput};
pub use plan_flags::{PlanFlags, PlanOutput};
pub use receipts_flags::{ReceiptsFlags, ReceiptsSource, VerifyFlags};
pub use run_flags::{OtherInstalls, RunFlags, SchedulesMode};
pub use schedule_flags::{HookError, LabelSelector, ScheduleFlags, Way};
pub use simulate_flags::{SimulateFlags, SimulateOutput, StartWhen};
pub use status_flags::{Output, StatusFlags};
pub use throttle_flags::ThrottleFlags;

/// Releases snapshot groups of Velero backups within a budget of concurrent snapshots, and says what it did.
#[derive(Debug, Parser)]
#[command(name = "coordinator", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the cluster and release snapshot groups, until told to stop.
    Run(Box<RunFlags>),
    /// Show groups, members, rounds and the budget, once.
    Status(StatusFlags),
    /// Plan when each group is backed up, and show why then, the load, and what would change.
    #[command(after_help = PlanExit::HELP)]
    Plan(Box<PlanFlags>),
    /// Look for what is wrong with a cluster, before or after the install: findings with evidence and what mends them.
    #[command(after_help = DoctorExit::HELP)]
    Doctor(DoctorFlags),
    /// Read back what was proven of each group in each Backup, before it is restored.
    #[command(after_help = ReceiptsExit::HELP)]
    Receipts(ReceiptsFlags),
    /// Hold each receipt against its own facts: does it claim what they prove?
    #[command(after_help = VerifyExit::HELP)]
    Verify(VerifyFlags),
    /// Play nights under a model of EC2 and Velero: what would this budget do, and which is best?
    #[command(after_help = SIMULATE_EXITS)]
    Simulate(Box<SimulateFlags>),
}

/// How `simulate` ends.
const SIMULATE_EXITS: &str = "Exit codes:\n    0  simulated\n    2  flags, settings or files are at fault, or the cluster cannot be read; standard error says which";

/// The command line was not one, or asked for help or the version.
#[derive(Debug)]
pub struct Refused {
    error: clap::Error,
    /// `plan` says 2 for "something would change", so it has another code for this.
    of_plan: bool,
}

impl Refused {
    /// Says it, on standard error (help and version on standard output).
    pub fn print(&self) -> ExitCode {
        // When nobody reads what we print there is nobody left to tell.
        let _unread = self.error.print().is_err();
        match (self.error.use_stderr(), self.of_plan) {
            (false, _) => Exit::Ok.into(),
            (true, true) => PlanExit::Failed.into(),
            (true, false) => Exit::Usage.into(),
        }
    }
}

/// Reads the process's arguments and environment.
///
/// # Errors
/// When they are wrong, or ask for help.
pub fn parse() -> Result<Command, Refused> {
    let command = without_empty_variables(Cli::command()).after_help(exit_codes());
    let of_plan = std::env::args_os().nth(1).is_some_and(|word| word == "plan");
    let refused = |error| Refused { error, of_plan };
    let cli = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)).map_err(refused)?;
    Ok(cli.command)
}

/// A variable that is set to nothing counts as not set: manifests leave optional ones empty.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| match arg.get_env().map(std::env::var_os) {
            Some(Some(value)) if value.is_empty() => arg.env(None::<&str>),
            _ => arg,
        })
        .mut_subcommands(without_empty_variables)
}

fn exit_codes() -> String {
    Exit::ALL.iter().fold("Exit codes:".to_owned(), |mut text, exit| {
        let _ = write!(text, "\n  {:>3}  {}", exit.code(), exit.meaning());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable_of_its_name() {
        for subcommand in Cli::command().get_subcommands() {
            for arg in subcommand.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")) {
                let flag = arg.get_long().unwrap().to_uppercase().replace('-', "_");
                let variable = arg.get_env().and_then(|name| name.to_str());
                // Names that Kubernetes manifests, or the original, already use.
                let known = match flag.as_str() {
                    "NAMESPACE" if subcommand.get_name() == "run" => Some("POD_NAMESPACE"),
                    "COORDINATOR_NAMESPACE" => Some("POD_NAMESPACE"),
                    "IDENTITY" => Some("POD_NAME"),
                    // What one look shows, and of what, is typed, not configured.
                    "NAMESPACE" | "OUTPUT" | "FILE" | "DIFF" | "DATE" | "GROUPS" | "COMPARE" | "SEED" | "NIGHTS"
                    | "NEIGHBOUR_CALLS" | "START" | "BACKUP" | "GROUP" | "FAIL_BELOW" => None,
                    other => Some(other),
                };
                assert_eq!(variable, known, "--{}", arg.get_long().unwrap());
            }
        }
    }
}
