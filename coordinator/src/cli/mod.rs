//! What the user typed: subcommands, flags and the environment variables of the same names.

mod run_flags;
mod status_flags;
mod values;

use std::fmt::Write as _;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::exit::Exit;

pub use run_flags::RunFlags;
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
}

/// The command line was not one, or asked for help or the version.
#[derive(Debug)]
pub struct Refused(clap::Error);

impl Refused {
    /// Says it, on standard error (help and version on standard output).
    pub fn print(&self) -> Exit {
        // When nobody reads what we print there is nobody left to tell.
        let _unread = self.0.print().is_err();
        if self.0.use_stderr() { Exit::Usage } else { Exit::Ok }
    }
}

/// Reads the process's arguments and environment.
///
/// # Errors
/// When they are wrong, or ask for help.
pub fn parse() -> Result<Command, Refused> {
    let command = without_empty_variables(Cli::command()).after_help(exit_codes());
    let cli = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)).map_err(Refused)?;
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
                    // What one look at the status shows is typed, not configured.
                    "NAMESPACE" | "OUTPUT" => None,
                    other => Some(other),
                };
                assert_eq!(variable, known, "--{}", arg.get_long().unwrap());
            }
        }
    }
}
