//! When did something happen in another process? It writes the time into a file itself, so that nobody's wait for it is measured with it.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};

/// The program that does it, built with this one.
const PROGRAM: &str = env!("CARGO_BIN_EXE_stamp");

/// Adds the time, ns since 1970, as a line.
pub fn put(path: &Path) -> anyhow::Result<()> {
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?.as_nanos();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{now_ns}").with_context(|| format!("stamping {}", path.display()))
}

/// Has a program add the time.
pub fn by_program(path: &Path) -> anyhow::Result<()> {
    let status = Command::new(PROGRAM).arg(path).status().with_context(|| format!("starting {PROGRAM}"))?;
    ensure!(status.success(), "stamping {} ended with {status}", path.display());
    Ok(())
}

/// The command line that stamps a file.
pub fn argv(path: &Path) -> [&Path; 2] {
    [Path::new(PROGRAM), path]
}

/// Reads the one time that was stamped since the file was taken last, ns since 1970.
pub fn take(path: &Path) -> anyhow::Result<i128> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(text.lines().count() == 1, "{} was stamped more than once: {text}", path.display());
    std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    Ok(text.trim().parse()?)
}
