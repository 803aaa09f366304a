//! `make demo`: the product at work, without a cluster.

use std::process::ExitCode;

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

#[tokio::main]
async fn main() -> ExitCode {
    let given = Flags::parse().layout;
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
