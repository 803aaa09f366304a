//! Writes a made-up cluster as `kubectl get … -o json` would print it: something to plan without a cluster.

use std::io::{self, BufWriter, Write as _};

use clap::Parser;
use testbed::clusters::{ClusterRules, Form, write};

/// Writes a made-up cluster to standard output.
#[derive(Debug, Parser)]
struct Flags {
    /// Workloads with EBS volumes
    #[arg(long, default_value_t = 300)]
    workloads: usize,
    /// Another seed makes another cluster
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out orphans, unreadable annotations and the like
    #[arg(long)]
    plain: bool,
}

fn main() -> io::Result<()> {
    let Flags { workloads, seed, plain } = Flags::parse();
    let mut to = BufWriter::new(io::stdout().lock());
    let made = write(ClusterRules { seed, workloads, odd: !plain }, Form::List, &mut to)?;
    to.flush()?;
    eprintln!("{made:?}");
    Ok(())
}
