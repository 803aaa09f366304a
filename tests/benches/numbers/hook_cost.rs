//! What does one pod's pre and post cost in requests, time and memory? Beside kubectl doing the original scripts' calls.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use shared::admission::Admission;
use shared::identity::GroupKey;
use testbed::api::ServerOptions;
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::coordinator_bed::CoordinatorBed;

use crate::cost::{Costs, megabytes, ms, run};
use crate::hook::{self, PATIENCE, Pod};
use crate::kubectl::{self, Kubectl};
use crate::release::agent;

/// How often pre and post run, each time beside kubectl's.
const RUNS: usize = 30;

/// Rounds close soon after their post hook, so that the next can begin.
const FLAGS: [&str; 2] = ["--round-idle", "100ms"];

/// What one run of pre and post came to.
#[derive(Default)]
struct Runs {
    requests: Vec<f64>,
    first_request_ms: Vec<f64>,
    costs: Costs,
}

/// Measures.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let agent = agent()?;
    let bed = CoordinatorBed::start(ServerOptions::default()).await?;
    let coordinator = bed.coordinator("coordinator", FLAGS);
    coordinator.line("leading", PATIENCE, |_| true).await;
    let (key, pods) = hook::group(&bed, &agent, "db", 1).await?;
    let kubectl = Kubectl::find(bed.kubeconfig("kubectl"), bed.folder().join("home-of-kubectl")).await?;
    bed.server.put(Kubectl::proceed())?;
    if kubectl.is_none() {
        eprintln!("no kubectl on PATH (or in {}): figures without a baseline", kubectl::VARIABLE);
    }
    let (mut ours, mut theirs) = (Runs::default(), Runs::default());
    for _run in 0..RUNS {
        if let Some(kubectl) = &kubectl {
            theirs.kubectl(&bed, kubectl).await.context("the baseline")?;
        }
        ours.hooks(&bed, &key, &pods).await.context("the hooks")?;
    }
    let mut all_requests = None;
    if let Some(kubectl) = &kubectl {
        kubectl.forget()?;
        all_requests = Some(kubectl.requests().await.context("counting the baseline's requests")?);
        clean_up(&bed)?;
    }
    figures(ours, theirs, kubectl.as_ref(), all_requests, &agent)
}

impl Runs {
    async fn hooks(&mut self, bed: &CoordinatorBed, key: &GroupKey, pods: &[Pod]) -> anyhow::Result<()> {
        let pod = pods.first().context("a group needs a pod")?;
        bed.server.request_log().clear();
        let begin = Instant::now();
        let pre = run(pod.hook("pre")).await?;
        let admission = pod.member(bed).context("pre left no Lease")?.admission;
        ensure!(admission == Some(Admission::Released), "pre was not released but {admission:?}");
        let post = run(pod.hook("post")).await?;
        let records = bed.server.requests();
        let own = records.iter().filter(|record| record.user == pod.user).count();
        let first = records.iter().find(|record| record.user == pod.user).context("pre asked for nothing")?;
        self.requests.push(f64::from(u32::try_from(own)?));
        self.first_request_ms.push(ms(first.at.saturating_duration_since(begin)));
        self.costs.add(pre, post);
        hook::closed(bed, key).await;
        Ok(())
    }

    async fn kubectl(&mut self, bed: &CoordinatorBed, kubectl: &Kubectl) -> anyhow::Result<()> {
        kubectl.forget()?;
        bed.server.request_log().clear();
        let begin = Instant::now();
        let pre = kubectl.pre().await?;
        let post = kubectl.post().await?;
        let records = bed.server.requests();
        let first = records.iter().find(|record| record.user == kubectl::USER).context("kubectl asked for nothing")?;
        self.first_request_ms.push(ms(first.at.saturating_duration_since(begin)));
        self.costs.add(pre, post);
        clean_up(bed)
    }
}

fn clean_up(bed: &CoordinatorBed) -> anyhow::Result<()> {
    let there = bed.server.delete("v1", "ConfigMap", kubectl::NAMESPACE, kubectl::COMPLETE)?;
    ensure!(there, "the baseline's post left no {}", kubectl::COMPLETE);
    Ok(())
}

fn figures(
    ours: Runs,
    theirs: Runs,
    kubectl: Option<&Kubectl>,
    all_requests: Option<u64>,
    agent: &Path,
) -> anyhow::Result<Vec<Figure>> {
    let name = kubectl.map_or_else(String::new, |kubectl| format!("kubectl {}", kubectl.version));
    let beside = |values: Vec<f64>| (!values.is_empty()).then(|| (name.clone(), Samples::of(values)));
    let figure = |what: &str, unit, ours, theirs, compared, aim| Figure {
        what: what.to_owned(),
        unit,
        ours: Samples::of(ours),
        baseline: beside(theirs),
        compared,
        aim,
    };
    let count = |number: Option<u64>| Ok::<_, anyhow::Error>(number.map(u32::try_from).transpose()?.map(f64::from));
    let all_requests = count(all_requests)?.into_iter().collect();
    let size = |bytes: Option<u64>| bytes.map(megabytes).into_iter().collect();
    let size_bytes = std::fs::metadata(agent).context("the hook-agent's size")?.len();
    let (median, p99) = (Compared::Median, Compared::P99);
    Ok(vec![
        figure(
            "API requests of pre + post, unopposed",
            Unit::Count,
            ours.requests,
            all_requests,
            p99,
            Aim::AtMost { first: 4.0, last: 4.0 },
        ),
        figure(
            "Cold start: spawn to first request answered",
            Unit::Ms,
            ours.first_request_ms,
            theirs.first_request_ms,
            median,
            Aim::Known,
        ),
        figure("Wall time of pre, unopposed", Unit::Ms, ours.costs.pre_ms, theirs.costs.pre_ms, median, Aim::Known),
        figure("Wall time of post", Unit::Ms, ours.costs.post_ms, theirs.costs.post_ms, median, Aim::Known),
        figure(
            "Peak memory of pre, post (VmHWM)",
            Unit::Mb,
            ours.costs.peak_mb,
            theirs.costs.peak_mb,
            p99,
            Aim::AtMost { first: 10.0, last: 8.0 },
        ),
        figure(
            "Size of the shipped program",
            Unit::Mb,
            size(Some(size_bytes)),
            size(kubectl.and_then(Kubectl::size_bytes)),
            p99,
            Aim::AtMost { first: 6.0, last: 4.5 },
        ),
    ])
}
