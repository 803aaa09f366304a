//! The coordinator's command line: one subcommand, one function, one exit code.

use std::process::ExitCode;

mod api;
mod cli;
mod clock;
mod election;
mod engine_loop;
mod error_chain;
mod execute;
mod exit;
mod health;
mod http;
mod input;
mod inventory_files;
mod kind;
mod log;
mod metrics;
mod own_place;
mod plan;
mod publish;
mod run;
mod signals;
mod status;
mod watch;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli::Command::Run(flags)) => run::run(*flags).into(),
        Ok(cli::Command::Status(flags)) => status::run(&flags).into(),
        Ok(cli::Command::Plan(flags)) => plan::run(&flags).into(),
        Err(refused) => refused.print(),
    }
}
