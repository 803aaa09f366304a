//! What does a coordinator cost that has nothing to do? With 1,000 groups of 10 pods, beside one with an empty cluster.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use testbed::api::ServerOptions;
use testbed::bench::process::{peak_kib, processor_time, resident_kib};
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::CoordinatorProcess;

use crate::cost::{megabytes, ms};
use crate::hook::PATIENCE;
use crate::large_cluster;

/// How often each is started.
const STARTS: usize = 5;

/// How many times both are looked at, in the same moments …
const WINDOWS: usize = 3;
/// … for how long: ten renewals of the leader's Lease.
const WINDOW: Duration = Duration::from_secs(20);

/// How often readiness is asked for.
const LOOK: Duration = Duration::from_millis(2);

/// The user in the request log.
const USER: &str = "coordinator";

const NO_FLAGS: [&str; 0] = [];

/// A server with a coordinator, and what was measured of it.
struct Side {
    bed: CoordinatorBed,
    coordinator: Option<CoordinatorProcess>,
    ready_ms: Vec<f64>,
    resident_mb: Vec<f64>,
    busy_ms_per_s: Vec<f64>,
    requests_per_s: Vec<f64>,
    peak_mb: Vec<f64>,
}

/// Measures.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut empty = Side::new().await?;
    let mut full = Side::new().await?;
    let sets = std::iter::repeat_n(large_cluster::PODS_OF_GROUP, large_cluster::GROUPS as usize);
    large_cluster::fill(&full.bed.server, sets).context("filling the cluster")?;
    for _start in 0..STARTS {
        empty.start().await?;
        full.start().await?;
    }
    for side in [&mut empty, &mut full] {
        side.coordinator()?.line("leading", PATIENCE, |_| true).await;
    }
    let groups = full.coordinator()?;
    let labelled = groups.lines_of("pod_labelled").len();
    ensure!(labelled == 0, "{labelled} pods were labelled, so the cluster is not at rest");
    for _window in 0..WINDOWS {
        let (of_empty, of_full) = (empty.look()?, full.look()?);
        tokio::time::sleep(WINDOW).await;
        empty.account(&of_empty)?;
        full.account(&of_full)?;
    }
    Ok(figures(empty, full))
}

/// How things stood when a window began.
struct Look {
    at: Instant,
    busy: Duration,
    requests: u64,
}

impl Side {
    async fn new() -> anyhow::Result<Self> {
        Ok(Self {
            bed: CoordinatorBed::start(ServerOptions::default()).await?,
            coordinator: None,
            ready_ms: Vec::new(),
            resident_mb: Vec::new(),
            busy_ms_per_s: Vec::new(),
            requests_per_s: Vec::new(),
            peak_mb: Vec::new(),
        })
    }

    /// Ends the one that runs, starts a new one, and waits until it is ready.
    async fn start(&mut self) -> anyhow::Result<()> {
        if let Some(mut before) = self.coordinator.take() {
            before.signal(Signal::TERM);
            before.ended(PATIENCE).await;
        }
        let begin = Instant::now();
        let coordinator = self.bed.coordinator(USER, NO_FLAGS);
        while coordinator.get("/readyz").await.status != 200 {
            ensure!(begin.elapsed() < PATIENCE, "the coordinator does not get ready: {:?}", coordinator.lines().last());
            tokio::time::sleep(LOOK).await;
        }
        self.ready_ms.push(ms(begin.elapsed()));
        self.peak_mb.push(megabytes(peak_kib(coordinator.pid())? * 1_024));
        self.coordinator = Some(coordinator);
        Ok(())
    }

    fn coordinator(&self) -> anyhow::Result<&CoordinatorProcess> {
        self.coordinator.as_ref().context("no coordinator was started")
    }

    fn look(&self) -> anyhow::Result<Look> {
        let requests = self.bed.server.request_log().by_user().get(USER).copied().unwrap_or_default();
        Ok(Look { at: Instant::now(), busy: processor_time(self.coordinator()?.pid())?, requests })
    }

    fn account(&mut self, before: &Look) -> anyhow::Result<()> {
        let now = self.look()?;
        let seconds = now.at.duration_since(before.at).as_secs_f64();
        self.busy_ms_per_s.push(ms(now.busy.saturating_sub(before.busy)) / seconds);
        self.requests_per_s.push(f64::from(u32::try_from(now.requests - before.requests)?) / seconds);
        self.resident_mb.push(megabytes(resident_kib(self.coordinator()?.pid())? * 1_024));
        Ok(())
    }
}

fn figures(empty: Side, full: Side) -> Vec<Figure> {
    let groups = large_cluster::GROUPS;
    let pods = groups * large_cluster::PODS_OF_GROUP;
    let row = |what: &str, unit, ours, beside| Figure {
        what: format!("Coordinator, {groups} groups / {pods} pods: {what}"),
        unit,
        ours: Samples::of(ours),
        baseline: Some(("empty cluster".to_owned(), Samples::of(beside))),
        compared: Compared::Median,
        aim: Aim::Known,
    };
    vec![
        row("start to ready", Unit::Ms, full.ready_ms, empty.ready_ms),
        row("peak memory until ready (VmHWM)", Unit::Mb, full.peak_mb, empty.peak_mb),
        row("memory at rest (VmRSS)", Unit::Mb, full.resident_mb, empty.resident_mb),
        row("processor time at rest", Unit::MsPerS, full.busy_ms_per_s, empty.busy_ms_per_s),
        row("API requests at rest", Unit::PerS, full.requests_per_s, empty.requests_per_s),
    ]
}
