//! `make demo`: the product at work, without a cluster.

use std::os::unix::process::CommandExt as _;
use std::process::{ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use testbed::binaries;
use testbed::control_plane::shared::chain;
use testbed::demo::{Layout, Paper, run};

/// Something did not come as it must.
const SURPRISED: u8 = 1;

/// The demo could not be played.
const FAILED: u8 = 3;

/// One nightly backup in three layouts, with real hook processes and a real coordinator, without a cluster.
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    after_help = "Exit codes:\n  0  every verdict is the expected one\n  1  some verdict is not\n  2  wrong flags\n  3  the demo could not be played"
)]
struct Flags {
    /// Play this layout only; may be given several times
    #[arg(long, value_enum)]
    layout: Vec<LayoutFlag>,
}

/// The layouts by their words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LayoutFlag {
    /// Velero's default
    Alone,
    /// orderedResources
    Ordered,
    /// Many item block workers
    Parallel,
}

impl LayoutFlag {
    fn layout(self) -> Layout {
        match self {
            Self::Alone => Layout::EachPodAlone,
            Self::Ordered => Layout::OrderedBlock,
            Self::Parallel => Layout::ParallelWorkers,
        }
    }
}

/// Set in a demo that has its own view of what is mounted.
const OWN_MOUNTS_VARIABLE: &str = "DEMO_OWN_MOUNTS";

/// Starts anew where only this process sees what it mounts: however it ends, nothing stays mounted. Goes on where that cannot be done.
fn with_own_mounts() {
    let has_rights = std::process::Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if std::env::var_os(OWN_MOUNTS_VARIABLE).is_some() || !has_rights.is_ok_and(|status| status.success()) {
        return;
    }
    let Ok(own) = std::env::current_exe() else { return };
    let mut anew = std::process::Command::new("unshare");
    anew.arg("--mount").arg(own).args(std::env::args_os().skip(1)).env(OWN_MOUNTS_VARIABLE, "yes");
    // Comes back only when it fails.
    let _ = anew.exec();
}

#[tokio::main]
async fn main() -> ExitCode {
    let given = Flags::parse().layout;
    with_own_mounts();
    // Built first where they are not, so that the clock of the demo is that of the demo.
    let _ = (binaries::coordinator(), binaries::hook_agent());
    let layouts =
        Layout::ALL.into_iter().filter(|layout| given.is_empty() || given.iter().any(|g| g.layout() == *layout));
    match run(&layouts.collect::<Vec<_>>(), &mut Paper::stdout()).await {
        Ok(surprises) if surprises.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(SURPRISED),
        Err(error) => {
            eprintln!("demo: {}", chain(&error));
            ExitCode::from(FAILED)
        }
    }
}
