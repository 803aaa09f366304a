//! `make bench`: what does the product cost, beside a baseline measured in the same run?
//!
//! `cargo bench --workspace --bench numbers -- [release] [lead] [hook] [tls] [idle] [residents] [inventory]`; without a name, all. It prints each figure as
//! it is measured and one markdown table at the end. It fails only when something cannot be measured: how fast a shared
//! machine is today is no test.

mod bare_client;
mod cost;
mod hook;
mod hook_cost;
mod hook_tls;
mod idle;
mod inventory;
mod kubectl;
mod large_cluster;
mod lead;
mod release;
mod resident_cost;
mod residents;
mod stamp;
mod surroundings;

use std::env;

use anyhow::{Context as _, bail};
use testbed::bench::table::{Figure, markdown};

/// The benchmarks, in the order in which they run.
const NAMES: [&str; 7] = ["release", "lead", "hook", "tls", "idle", "residents", "inventory"];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == bare_client::ARGUMENT
    {
        return bare_client::run(rest);
    }
    // Cargo itself adds `--bench`.
    let asked: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench").collect();
    if let Some(unknown) = asked.iter().find(|name| !NAMES.contains(name)) {
        bail!("there is no benchmark `{unknown}`: name some of {}, or none for all", NAMES.join(", "));
    }
    let wanted = |name: &str| asked.is_empty() || asked.contains(&name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let before = surroundings::Load::now();
        let mut figures = Vec::new();
        for name in NAMES.into_iter().filter(|name| wanted(name)) {
            eprintln!("{name} …");
            let measured = match name {
                "release" => release::measure().await,
                "lead" => lead::measure().await,
                "hook" => hook_cost::measure().await,
                "tls" => hook_tls::measure().await,
                "idle" => idle::measure().await,
                "residents" => resident_cost::measure().await,
                _ => inventory::measure().await,
            };
            let measured = measured.with_context(|| format!("measuring `{name}`"))?;
            eprint!("{}", markdown(&measured));
            figures.extend(measured);
        }
        report(&figures, before)
    })
}

fn report(figures: &[Figure], before: surroundings::Load) -> anyhow::Result<()> {
    println!("\n{}\n", surroundings::describe(before)?);
    print!("{}", markdown(figures));
    Ok(())
}
