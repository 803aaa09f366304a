//! From the command line to an exit code; also when something panics.

use std::io::Write;
use std::panic::{UnwindSafe, catch_unwind};

use clap::Parser;
use shared::exit_code::ExitCode;

use crate::cli::{Cli, Command};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::keeper::place::Place;
use crate::settings::{InstallSettings, PostSettings, PreSettings, ReadySettings, ResidentSettings, SettingError};
use crate::{inject, install, keeper, post, pre, ready, resident};

/// Runs the whole program: the exit status.
pub fn start() -> u8 {
    let clock = Clock::start();
    guarded(move || match Cli::try_parse() {
        Ok(cli) => run(cli, clock),
        Err(e) => {
            // Nobody may be listening; there is nowhere else to say it.
            let _ = e.print();
            match (e.use_stderr(), inject::asks_for_diff(std::env::args_os())) {
                (false, _) => ExitCode::Ok.code(),
                (true, false) => ExitCode::Usage.code(),
                (true, true) => inject::DIFF_FAILED,
            }
        }
    })
}

fn run(cli: Cli, clock: Clock) -> u8 {
    let code = match cli.command {
        Command::Pre(args) => match PreSettings::try_from(*args) {
            Ok(settings) => on_runtime(pre::run(&settings, clock)),
            Err(e) => refuse(e),
        },
        Command::Post(args) => match PostSettings::try_from(*args) {
            Ok(settings) => on_runtime(post::run(&settings, clock)),
            Err(e) => refuse(e),
        },
        Command::Sidecar(args) => match ResidentSettings::try_from(*args) {
            Ok(settings) => on_runtime(resident::run::run(&settings)),
            Err(e) => refuse(e),
        },
        Command::Install(args) => match InstallSettings::try_from(*args) {
            Ok(settings) => on_runtime(install::run(&settings)),
            Err(e) => refuse(e),
        },
        Command::Ready(args) => match ReadySettings::try_from(*args) {
            Ok(settings) => on_runtime(ready::run(&settings)),
            Err(e) => refuse(e),
        },
        Command::Inject(args) => return inject::run(&args),
        Command::Keep(args) => on_runtime(keeper::run::run(Place::at(args.place.dir), args.stand_by)),
        Command::Guard(args) => on_runtime(keeper::guard::run(Place::at(args.dir))),
    };
    code.code()
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
fn guarded(work: impl FnOnce() -> u8 + UnwindSafe) -> u8 {
    catch_unwind(work).unwrap_or_else(|_| {
        let code = ExitCode::Internal;
        let _ = writeln!(std::io::stdout(), "hook-agent: panicked: {} [exit code {}]", code.meaning(), code.code());
        code.code()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_its_own_code() {
        assert_eq!(guarded(|| panic!("on purpose")), ExitCode::Internal.code());
        assert_eq!(guarded(|| ExitCode::Ended.code()), ExitCode::Ended.code());
    }
}
