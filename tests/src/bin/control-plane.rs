//! Runs a command with a real control plane beside it: `control-plane -- cargo test`, or `control-plane -- bash` to look around.

use anyhow::Context;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};
use testbed::control_plane::{ControlPlane, StartError, shared};

/// What a shell answers when it is used wrongly.
const EXIT_USAGE: u8 = 2;

/// Shells report a command that a signal ended as 128 and the signal's number.
const EXIT_SIGNAL_BASE: i32 = 128;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--") {
        arguments.remove(0);
    }
    let Some((program, arguments)) = arguments.split_first() else {
        eprintln!("usage: control-plane [--] COMMAND [ARGUMENT]...");
        return Ok(ExitCode::from(EXIT_USAGE));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // Kept to the end: dropping it ends the processes.
    let control_plane = match ControlPlane::start().await {
        Ok(control_plane) => Some(control_plane),
        Err(StartError::Binaries(error)) if error.is_absence() && !shared::is_ci() => {
            shared::say_skipped(&shared::chain(&error));
            None
        }
        Err(error) => return Err(error.into()),
    };
    match &control_plane {
        Some(control_plane) => {
            let kubeconfig = control_plane.kubeconfig();
            eprintln!("control plane: KUBECONFIG={}, logs in {}", kubeconfig.display(), control_plane.logs().display());
            // Not as KUBECONFIG: tests must not find a cluster that they did not ask for.
            command.env(shared::VARIABLE, kubeconfig);
        }
        None => {
            command.env(shared::VARIABLE, shared::ABSENT);
        }
    }
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    let code = status.code().or_else(|| status.signal().map(|signal| EXIT_SIGNAL_BASE + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
