//! What the user typed: subcommands, flags and the environment variables of the same names.

mod plan_flags;
mod run_flags;
mod schedule_flags;
mod status_flags;
mod values;

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::exit::{Exit, PlanExit};

pub use plan_flags::{PlanFlags, PlanOutput};
pub use run_flags::RunFlags;
pub use schedule_flags::{HookError, ScheduleFlags, Way};
pub use status_flags::{Output, StatusFlags};

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
}

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
                    "NAMESPACE" | "OUTPUT" | "FILE" | "DIFF" | "DATE" => None,
                    other => Some(other),
                };
                assert_eq!(variable, known, "--{}", arg.get_long().unwrap());
            }
        }
    }
}
