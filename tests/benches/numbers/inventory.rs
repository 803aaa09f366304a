//! What does a coordinator hold that also plans? 100,000 pods with a claim and a volume each, Schedules written for all of their groups.
//! With `INVENTORY_CLAIMS` it is another number: 20,000 take a minute, and show what each of them costs.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use testbed::api::ServerOptions;
use testbed::bench::process::{peak_kib, processor_time, resident_kib};
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::CoordinatorProcess;

use crate::cost::{megabytes, ms};
use crate::large_cluster;

/// Claims, and as many pods and volumes, unless another number is asked for.
const CLAIMS: u32 = 100_000;

/// Asks for another number.
const CLAIMS_VARIABLE: &str = "INVENTORY_CLAIMS";

/// Lists of that many objects, and a Schedule a group, take minutes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(20);

/// Plans are so far apart, s: the second one finds everything as it should be.
const PLAN_EVERY_S: &str = "60";

/// After a plan this long is waited until memory is looked at: what is freed is given back a little later.
const SETTLED: Duration = Duration::from_secs(5);

/// How often memory at rest is looked at …
const LOOKS: usize = 20;
/// … and how far apart.
const LOOK: Duration = Duration::from_secs(1);

/// Measures.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let claims = env::var(CLAIMS_VARIABLE).map_or(Ok(CLAIMS), |text| text.parse()).context(CLAIMS_VARIABLE)?;
    let at_rest_aim = if claims == CLAIMS { Aim::AtMost { first: 150.0, last: 150.0 } } else { Aim::Known };
    // Built now, if it has to be, and not within what is measured.
    testbed::binaries::coordinator();
    let bed = CoordinatorBed::start(ServerOptions::default()).await?;
    let groups = large_cluster::fill(&bed.server, large_cluster::skewed(claims)).context("filling the cluster")?;
    let begin = Instant::now();
    let coordinator = bed.coordinator("planner", ["--schedules", "apply", "--check-interval-seconds", PLAN_EVERY_S]);
    coordinator.line("synced", PATIENCE, |_| true).await;
    let listed = begin.elapsed();
    let (at_start, start_peak) = (resident(&coordinator)?, peak(&coordinator)?);
    let first = planned(&coordinator, |_| true).await;
    ensure!(first["groups"] == groups, "planned {first} of {groups} groups");
    eprintln!(
        "listed in {listed:?}, {at_start:.0} MB, peak {start_peak:.0} MB; first plan: peak {:.0} MB",
        peak(&coordinator)?
    );
    planned(&coordinator, |plan| plan["to_write"] == 0).await;
    tokio::time::sleep(SETTLED).await;
    let mut at_rest = Vec::new();
    let busy = processor_time(coordinator.pid())?;
    for _look in 0..LOOKS {
        at_rest.push(resident(&coordinator)?);
        tokio::time::sleep(LOOK).await;
    }
    let seconds = LOOK.as_secs_f64() * f64::from(u32::try_from(LOOKS)?);
    let busy_ms_per_s = ms(processor_time(coordinator.pid())?.saturating_sub(busy)) / seconds;
    let row = |what: &str, unit, values, aim| Figure {
        what: format!("Coordinator that plans, {claims} claims, pods and volumes in {groups} groups: {what}"),
        unit,
        ours: Samples::of(values),
        baseline: None,
        compared: Compared::Median,
        aim,
    };
    Ok(vec![
        row("start to all lists in", Unit::Ms, vec![ms(listed)], Aim::Known),
        row("memory when all lists are in (VmRSS)", Unit::Mb, vec![at_start], Aim::Known),
        row("memory at rest after two plans (VmRSS)", Unit::Mb, at_rest, at_rest_aim),
        row(
            "peak memory, two plans and all Schedules written (VmHWM)",
            Unit::Mb,
            vec![peak(&coordinator)?],
            Aim::Known,
        ),
        row("processor time at rest", Unit::MsPerS, vec![busy_ms_per_s], Aim::Known),
    ])
}

async fn planned(coordinator: &CoordinatorProcess, fits: impl Fn(&Value) -> bool) -> Value {
    coordinator.line("schedule_calculation", PATIENCE, fits).await
}

fn resident(coordinator: &CoordinatorProcess) -> anyhow::Result<f64> {
    Ok(megabytes(resident_kib(coordinator.pid())? * 1_024))
}

fn peak(coordinator: &CoordinatorProcess) -> anyhow::Result<f64> {
    Ok(megabytes(peak_kib(coordinator.pid())? * 1_024))
}
