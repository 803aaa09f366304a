//! The coordinator's command line: one subcommand, one function, one exit code.

use std::process::ExitCode;

mod api;
mod cli;
mod clock;
mod doctor;
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
mod other_installs;
mod output;
mod own_place;
mod page;
mod plan;
mod publish;
mod receipts;
mod run;
mod scheduler;
mod signals;
mod simulate;
mod status;
mod throttle;
mod verify;
mod watch;
mod watched;

/// A plan of 100,000 claims takes hundreds of megabytes for a second. glibc keeps what threads have freed, and musl's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli::Command::Run(flags)) => run::run(*flags).into(),
        Ok(cli::Command::Status(flags)) => status::run(&flags).into(),
        Ok(cli::Command::Plan(flags)) => plan::run(&flags).into(),
        Ok(cli::Command::Doctor(flags)) => doctor::run(&flags).into(),
        Ok(cli::Command::Receipts(flags)) => receipts::run(&flags).into(),
        Ok(cli::Command::Verify(flags)) => verify::run(&flags).into(),
        Ok(cli::Command::Simulate(flags)) => simulate::run(&flags).into(),
        Err(refused) => refused.print(),
    }
}
