//! On what machine, how busy, with which builds, and when was it measured? Figures without this cannot be compared.

use std::thread::available_parallelism;

use anyhow::Context as _;
use jiff::Timestamp;

/// How many processes wanted a processor, on average over the last minute.
#[derive(Clone, Copy, Debug)]
pub struct Load(Option<f64>);

impl Load {
    /// As the kernel says; unknown where it does not.
    pub fn now() -> Self {
        let text = std::fs::read_to_string("/proc/loadavg").ok();
        Self(text.and_then(|text| text.split(' ').next()?.parse().ok()))
    }
}

/// One line for the top of the table.
pub fn describe(before: Load) -> anyhow::Result<String> {
    let processors = available_parallelism().context("counting processors")?;
    let load = |load: Load| load.0.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.1}"));
    let build =
        if cfg!(debug_assertions) { "DEBUG builds: only the shape of the table counts" } else { "optimised builds" };
    Ok(format!(
        "{} UTC, {processors} processors, load {} before and {} after, {build}; embedded API server in the same process, plain HTTP.",
        Timestamp::now().strftime("%Y-%m-%d %H:%M"),
        load(before),
        load(Load::now()),
    ))
}
