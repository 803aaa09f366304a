//! What do a resident that stands by, and a keeper with its guard that hold, cost while nothing happens?

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testbed::agent_processes::{self, running};
use testbed::bench::process::{peak_kib, processor_time, resident_kib};
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::coordinator_process::eventually;
use testbed::pair::{Pair, PairOptions};
use testbed::velero::VeleroSettings;

use crate::cost::{megabytes, ms};
use crate::hook::PATIENCE;
use crate::release::agent;
use crate::residents::Residents;

/// How many pods: as many of each process are looked at.
const PODS: u32 = 5;

/// Where they are …
const NAMESPACE: &str = "cost";
/// … and who, in the request log: their pods' tokens say so.
const RESIDENTS: &str = "system:serviceaccount:cost:default";

/// How many times they are looked at, each for this long.
const WINDOWS: usize = 3;
const WINDOW: Duration = Duration::from_secs(5);

/// So slow that everybody holds while it is looked: longer than all windows.
const SLOW_CUT: Duration = Duration::from_secs(30);

/// So long its requests are counted: two renewals of its Lease.
const COUNTED: Duration = Duration::from_mins(2);

/// The aim for its requests: one watch of its group's Lease and one renewal of its own (docs/lead-mode.md).
const REQUESTS_PER_MIN_MAX: f64 = 2.0;

/// The aim for a process's memory, MB.
const MEMORY_MB_MAX: f64 = 8.0;

/// Measures.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let agent = agent()?;
    let mut options = PairOptions::new("bench-residents", 100);
    options.velero = VeleroSettings { cut_delay: SLOW_CUT, csi_poll: Duration::from_secs(1), ..options.velero };
    let pair = Pair::start(options).await?;
    let residents = Residents::start(&pair, &agent, NAMESPACE, PODS).await?;
    let standing_by: Vec<u32> = residents.pids().collect();
    let in_advance = |command| holders(&residents, command, agent_processes::standing_by);
    let all_in_advance = || Some(in_advance("guard")).filter(|guards| guards.len() == standing_by.len());
    let guards_in_advance = eventually("keepers and guards to stand by", PATIENCE, all_in_advance).await;
    let mut figures = look("Resident that stands by", &standing_by).await?;
    figures.push(requests(&pair).await?);
    figures.extend(look("… its keeper, until it is wanted", &in_advance("keep")).await?);
    figures.extend(look("… and that one's guard", &guards_in_advance).await?);
    let workers =
        serde_json::json!({"includedNamespaces": [NAMESPACE], "orderedResources": {"pods": residents.made.ordered()}});
    pair.velero.submit(NAMESPACE, workers).await?;
    let keepers = eventually("all keepers to hold", PATIENCE, || {
        all_frozen(&residents).then(|| holders(&residents, "keep", running))
    })
    .await;
    let guards = holders(&residents, "guard", running);
    figures.extend(look("Resident whose pod is held", &standing_by).await?);
    figures.extend(look("Keeper that holds", &keepers).await?);
    figures.extend(look("Guard of such a keeper", &guards).await?);
    Ok(figures)
}

fn all_frozen(residents: &Residents) -> bool {
    residents.made.pods.iter().all(|pod| residents.state_dir(pod).join("frozen").exists())
}

/// The pods' processes that run `hook-agent <command>`, one a pod.
fn holders(residents: &Residents, command: &str, which: fn(&str, &Path) -> Vec<u32>) -> Vec<u32> {
    residents.made.pods.iter().flat_map(|pod| which(command, &residents.place(pod))).collect()
}

async fn look(who: &str, pids: &[u32]) -> anyhow::Result<Vec<Figure>> {
    ensure!(pids.len() == usize::try_from(PODS)?, "{who}: {} processes, not {PODS}", pids.len());
    let (mut resident_mb, mut peak_mb, mut busy_ms_per_s) = (Vec::new(), Vec::new(), Vec::new());
    for _window in 0..WINDOWS {
        let begin = Instant::now();
        let before = busy(pids)?;
        tokio::time::sleep(WINDOW).await;
        let seconds = begin.elapsed().as_secs_f64();
        busy_ms_per_s.extend(busy(pids)?.iter().zip(before).map(|(now, then)| ms(now.saturating_sub(then)) / seconds));
        for pid in pids {
            resident_mb.push(megabytes(resident_kib(*pid)? * 1_024));
            peak_mb.push(megabytes(peak_kib(*pid)? * 1_024));
        }
    }
    let figure = |what: &str, unit, values, aim| Figure {
        what: format!("{who}: {what}"),
        unit,
        ours: Samples::of(values),
        baseline: None,
        compared: Compared::P99,
        aim,
    };
    let memory = Aim::AtMost { first: MEMORY_MB_MAX, last: MEMORY_MB_MAX };
    Ok(vec![
        figure("memory (VmRSS)", Unit::Mb, resident_mb, memory),
        figure("peak memory (VmHWM)", Unit::Mb, peak_mb, memory),
        figure("processor time", Unit::MsPerS, busy_ms_per_s, Aim::Known),
    ])
}

/// What the residents ask of the API server while nothing happens.
async fn requests(pair: &Pair) -> anyhow::Result<Figure> {
    let log = pair.server().request_log();
    let asked = || log.by_user().get(RESIDENTS).copied().unwrap_or_default();
    let before = asked();
    ensure!(before > 0, "no request is by {RESIDENTS}: {:?}", log.by_user());
    tokio::time::sleep(COUNTED).await;
    let requests = f64::from(u32::try_from(asked() - before)?);
    Ok(Figure {
        what: "Resident that stands by: API requests a minute".to_owned(),
        unit: Unit::PerMin,
        ours: Samples::of(vec![requests * 60.0 / COUNTED.as_secs_f64() / f64::from(PODS)]),
        baseline: None,
        compared: Compared::Median,
        aim: Aim::AtMost { first: REQUESTS_PER_MIN_MAX, last: REQUESTS_PER_MIN_MAX },
    })
}

fn busy(pids: &[u32]) -> anyhow::Result<Vec<Duration>> {
    pids.iter().map(|pid| processor_time(*pid).context("a process ended while it was looked at")).collect()
}
