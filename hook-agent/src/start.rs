//! From the command line to an exit code; also when something panics.

use std::io::Write;
use std::panic::{UnwindSafe, catch_unwind};

use clap::Parser;
use shared::exit_code::ExitCode;

use crate::cli::{Cli, Command};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::keeper::place::Place;
use crate::settings::{PostSettings, PreSettings, SettingError};
use crate::{keeper, post, pre};

/// Runs the whole program.
pub fn start() -> ExitCode {
    let clock = Clock::start();
    guarded(move || match Cli::try_parse() {
        Ok(cli) => run(cli, clock),
        Err(e) => {
            // Nobody may be listening; there is nowhere else to say it.
            let _ = e.print();
            if e.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
        }
    })
}

fn run(cli: Cli, clock: Clock) -> ExitCode {
    match cli.command {
        Command::Pre(args) => match PreSettings::try_from(*args) {
            Ok(settings) => on_runtime(pre::run(&settings, clock)),
            Err(e) => refuse(e),
        },
        Command::Post(args) => match PostSettings::try_from(*args) {
            Ok(settings) => on_runtime(post::run(&settings, clock)),
            Err(e) => refuse(e),
        },
        Command::Keep(args) => on_runtime(keeper::run::run(Place::at(args.dir))),
        Command::Guard(args) => on_runtime(keeper::guard::run(Place::at(args.dir))),
    }
}

/// Wrong flags go to stderr, as clap's own complaints do.
fn refuse(error: SettingError) -> ExitCode {
    let failure = Failure::from(error);
    let _ = writeln!(std::io::stderr(), "hook-agent: {}", failure.line());
    failure.exit_code()
}

/// One thread is enough for a handful of requests, and smaller.
fn on_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let failure = Failure::Internal { what: "the runtime cannot start", cause: e.into() };
            let _ = writeln!(std::io::stderr(), "hook-agent: {}", failure.line());
            return failure.exit_code();
        }
    };
    let code = runtime.block_on(work);
    // A name lookup that hangs runs on a thread of its own; waiting for it could take longer than Velero does.
    runtime.shutdown_background();
    code
}

/// A panic is a defect; it gets the exit code that says so.
fn guarded(work: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    catch_unwind(work).unwrap_or_else(|_| {
        let code = ExitCode::Internal;
        let _ = writeln!(std::io::stdout(), "hook-agent: panicked: {} [exit code {}]", code.meaning(), code.code());
        code
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_its_own_code() {
        assert_eq!(guarded(|| panic!("on purpose")), ExitCode::Internal);
        assert_eq!(guarded(|| ExitCode::Ended), ExitCode::Ended);
    }
}
