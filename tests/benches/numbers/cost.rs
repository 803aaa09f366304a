//! What do a pod's pre and post cost, whoever does them? Wall time and peak memory of processes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testbed::bench::process::PeakWatch;
use tokio::process::Command;

/// What one call, or several in a row, cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From the start of the first to the end of the last.
    pub wall: Duration,
    /// The most memory that any of them had, KiB.
    pub peak_kib: u64,
}

/// Runs a process to its end, which must be a good one; what it said on a piped stderr comes with a bad one.
pub async fn run(mut command: Command) -> anyhow::Result<Cost> {
    let begin = Instant::now();
    let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
    let peak = PeakWatch::of(child.id().context("a child has a pid")?);
    let output = child.wait_with_output().await?;
    let wall = begin.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    Ok(Cost { wall, peak_kib: peak.kib() })
}

/// Many runs of pre and post.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Each pre's wall time, ms.
    pub pre_ms: Vec<f64>,
    /// Each post's wall time, ms.
    pub post_ms: Vec<f64>,
    /// The peak memory of pre or post, whichever had more, MB.
    pub peak_mb: Vec<f64>,
}

impl Costs {
    /// Takes one run in.
    pub fn add(&mut self, pre: Cost, post: Cost) {
        self.pre_ms.push(ms(pre.wall));
        self.post_ms.push(ms(post.wall));
        self.peak_mb.push(megabytes(pre.peak_kib.max(post.peak_kib) * 1_024));
    }
}

/// Milliseconds, with their fraction.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Megabytes of 1,000,000 bytes.
pub fn megabytes(bytes: u64) -> f64 {
    // Whole KiB are exact far beyond any process's size.
    f64::from(u32::try_from(bytes / 1_024).unwrap_or(u32::MAX)) * 1_024.0 / 1_000_000.0
}
