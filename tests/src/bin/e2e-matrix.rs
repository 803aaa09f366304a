//! Runs a choice of `make e2e` under one version of Velero and Kubernetes after another, and writes the table of outcomes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use clap::Parser;
use testbed::version_table::{Release, Row, STATEMENTS, outcomes, page};

/// Tries both programs under several versions, one after another, and writes docs/versions.md. What is not built yet is built first:
/// five to ten minutes a version.
#[derive(Debug, Parser)]
struct Flags {
    /// Velero's versions, each with the first of --kubernetes
    #[arg(long, value_delimiter = ',', required = true)]
    velero: Vec<Release>,
    /// Versions of kube-apiserver, each with the first of --velero
    #[arg(long, value_delimiter = ',', required = true)]
    kubernetes: Vec<Release>,
    /// The AWS plugin's version, which is the same in all of them
    #[arg(long)]
    plugin: String,
    /// Tests at once
    #[arg(long, default_value_t = 2)]
    at_once: u32,
    /// Where the table goes
    #[arg(long, default_value = "docs/versions.md")]
    write: PathBuf,
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    let newest = (flags.velero[0], flags.kubernetes[0]);
    let of_velero = flags.velero.iter().map(|velero| (*velero, newest.1));
    let of_kubernetes = flags.kubernetes.iter().skip(1).map(|kubernetes| (newest.0, *kubernetes));
    let mut rows = Vec::new();
    for (velero, kubernetes) in of_velero.chain(of_kubernetes) {
        eprintln!("e2e-matrix: Velero {velero} on Kubernetes {kubernetes}");
        let seen = built(velero, kubernetes).and_then(|()| run(velero, kubernetes, flags.at_once));
        rows.push(Row { velero, kubernetes, seen: seen.map_err(|error| format!("{error:#}")) });
        // After each row: the whole takes an hour, and what is known is known.
        let day = jiff::Zoned::now().date().to_string();
        std::fs::write(&flags.write, page(&day, &flags.plugin, &rows))
            .with_context(|| format!("writing {}", flags.write.display()))?;
    }
    eprintln!("e2e-matrix: wrote {}", flags.write.display());
    Ok(())
}

/// Builds both programs unless they are there, so that "cannot be had" is told from "does not work".
fn built(velero: Release, kubernetes: Release) -> Result<()> {
    for script in ["control-plane.sh", "real-velero.sh"] {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tools")).join(script);
        let status = with_versions(&mut Command::new(&path), velero, kubernetes)
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("running {}", path.display()))?;
        anyhow::ensure!(status.success(), "{script} ended with {status}");
    }
    Ok(())
}

fn run(
    velero: Release,
    kubernetes: Release,
    at_once: u32,
) -> Result<std::collections::BTreeMap<String, testbed::version_table::Outcome>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--locked", "-p", "testbed", "--test", "e2e", "--", "--exact"]);
    command.arg(format!("--test-threads={at_once}"));
    let applicable = STATEMENTS.iter().filter(|statement| statement.applies_to(velero));
    command.args(applicable.flat_map(|statement| statement.tests));
    // A test that is skipped would look like one that passed.
    command.env("CI", "true");
    let output =
        with_versions(&mut command, velero, kubernetes).stderr(Stdio::inherit()).output().context("running cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let seen = outcomes(&text);
    anyhow::ensure!(!seen.is_empty(), "no test ran: cargo ended with {}", output.status);
    Ok(seen)
}

fn with_versions(command: &mut Command, velero: Release, kubernetes: Release) -> &mut Command {
    command.env("VELERO_VERSION", velero.to_string()).env("K8S_VERSION", kubernetes.to_string())
}
