//! How long from the last member's arrival until each hook has ended? Beside bare watches of one Lease and one write.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use shared::admission::{Admission, RoundPhase};
use shared::identity::GroupKey;
use shared::names::group_lease;
use testbed::api::{Record, ServerOptions};
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::binaries;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::eventually;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::bare_client::{self, GO};
use crate::cost::ms;
use crate::hook::{self, NAMESPACE, PATIENCE, Pod};

/// Members of the group, and how often it is released: more than a hundred samples of each size, so that its p99 is not its worst.
const SIZES: [(u32, u32); 3] = [(1, 150), (10, 15), (100, 8)];

/// The ratio to the baseline's p99 that is aimed at.
const AIM: Aim = Aim::Ratio { first: 3.0, last: 1.3 };

/// Barriers that stall here are a slow machine's; rounds close soon after their last post hook, so that the next can begin.
const FLAGS: [&str; 8] =
    ["--mode", "barrier", "--max-concurrent-snapshots", "1000", "--barrier-stall", "5m", "--round-idle", "100ms"];

/// The coordinator's user in the request log.
const COORDINATOR: &str = "coordinator";

/// Measures all sizes.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let agent = agent()?;
    let bed = CoordinatorBed::start(ServerOptions::default()).await?;
    let coordinator = bed.coordinator(COORDINATOR, FLAGS);
    coordinator.line("leading", PATIENCE, |_| true).await;
    let mut figures = Vec::new();
    for (size, runs) in SIZES {
        let (key, pods) = hook::group(&bed, &agent, &format!("db{size}"), size).await?;
        let (mut ours, mut baseline, mut words) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..runs {
            baseline.extend(release_bare(&bed, size, run).await.context("the baseline")?);
            let Released { word_ms, ended_ms } = release_group(&bed, &key, &pods).await.context("the group")?;
            words.push(word_ms);
            ours.extend(ended_ms);
        }
        figures.push(Figure {
            what: format!("Release of {size} waiting hook{}: last arrival to exit", if size == 1 { "" } else { "s" }),
            unit: Unit::Ms,
            ours: Samples::of(ours),
            baseline: Some(("bare watches, one write to exit".to_owned(), Samples::of(baseline))),
            compared: Compared::P99,
            aim: AIM,
        });
        figures.push(Figure {
            what: "… of which until the coordinator's word is written".to_owned(),
            unit: Unit::Ms,
            ours: Samples::of(words),
            baseline: None,
            compared: Compared::P99,
            aim: Aim::Known,
        });
    }
    Ok(figures)
}

/// The shipped hook-agent; in a debug build the debug one, to try the benchmark itself.
pub fn agent() -> anyhow::Result<PathBuf> {
    if cfg!(debug_assertions) { Ok(binaries::hook_agent().to_owned()) } else { Ok(binaries::shipped_hook_agent()?) }
}

/// One release, counted from the last member's registration.
struct Released {
    /// Until the group's Lease was written, ms.
    word_ms: f64,
    /// Until each hook's process ended, ms.
    ended_ms: Vec<f64>,
}

/// One round: all but one wait, then the last one comes.
async fn release_group(bed: &CoordinatorBed, key: &GroupKey, pods: &[Pod]) -> anyhow::Result<Released> {
    bed.server.request_log().clear();
    let (last, others) = pods.split_last().context("a group needs a pod")?;
    let mut ends = Ends::default();
    for pod in others {
        ends.start(pod.hook("pre"))?;
    }
    if !others.is_empty() {
        eventually("all but one to wait", PATIENCE, || all_wait(bed, key, others)).await;
    }
    ends.start(last.hook("pre"))?;
    let ended = ends.all().await?;
    let records = bed.server.requests();
    let arrived = last.first(&records, "patch").context("the last hook never registered")?;
    for pod in pods {
        let member = pod.member(bed).context("a member's Lease is gone")?;
        ensure!(member.admission == Some(Admission::Released), "a hook was not released but {:?}", member.admission);
    }
    hook::end_round(bed, key, pods).await?;
    let since = |at: Instant| ms(at.saturating_duration_since(arrived));
    let name = group_lease(&key.group);
    // The first round's Lease is created, and the name is in the body then.
    let is_word = |r: &Record| r.name == name.as_str() || (r.verb == "create" && r.namespace == NAMESPACE);
    let says = |record: &&Record| record.user == COORDINATOR && record.at > arrived && is_word(record);
    let word = records.iter().find(says).context("the coordinator wrote no word after the last arrival")?;
    Ok(Released { word_ms: since(word.at), ended_ms: ended.into_iter().map(since).collect() })
}

/// Whether all of them are known to wait, and listen.
fn all_wait(bed: &CoordinatorBed, key: &GroupKey, pods: &[Pod]) -> Option<()> {
    let group = bed.group(key).filter(|group| group.phase == RoundPhase::Waiting)?;
    let told = pods.iter().all(|pod| pod.member(bed).is_some_and(|m| group.attempts.contains_key(&m.attempt)));
    let records = told.then(|| bed.server.requests())?;
    pods.iter().all(|pod| pod.first(&records, "watch").is_some()).then_some(())
}

/// The baseline: as many processes that watch one Lease, and one write. ms from that write to each process's end.
async fn release_bare(bed: &CoordinatorBed, size: u32, run: u32) -> anyhow::Result<Vec<f64>> {
    let name = format!("bare-{size}-{run}");
    bed.server.put(hook::blank_lease(&name))?;
    bed.server.request_log().clear();
    let token = bed.server.token_for_user("bare");
    let mut ends = Ends::default();
    for _client in 0..size {
        ends.start(bare_client::command(&bed.server.url(), &token, NAMESPACE, &name)?)?;
    }
    let listens = |record: &&Record| record.user == "bare" && record.verb == "watch";
    let wanted = usize::try_from(size)?;
    eventually("all clients to listen", PATIENCE, || {
        (bed.server.requests().iter().filter(listens).count() == wanted).then_some(())
    })
    .await;
    let leases: Api<Lease> = Api::namespaced(bed.server.client(), NAMESPACE);
    let word = Patch::Merge(json!({"spec": {"holderIdentity": GO}}));
    leases.patch(&name, &PatchParams::default(), &word).await?;
    let ended = ends.all().await?;
    let written = bed.server.requests().iter().find(|r| r.verb == "patch" && r.name == name).map(|r| r.at);
    let Some(written) = written else { bail!("the write is not in the request log") };
    Ok(ended.into_iter().map(|at| ms(at.saturating_duration_since(written))).collect())
}

/// Processes, and when each of them ended.
#[derive(Default)]
struct Ends(JoinSet<anyhow::Result<Instant>>);

impl Ends {
    fn start(&mut self, mut command: Command) -> anyhow::Result<()> {
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        self.0.spawn(end_of(child));
        Ok(())
    }

    async fn all(mut self) -> anyhow::Result<Vec<Instant>> {
        let mut ended = Vec::new();
        while let Some(end) = tokio::time::timeout(PATIENCE, self.0.join_next()).await.context("a process hangs")? {
            ended.push(end.context("a task panicked")??);
        }
        Ok(ended)
    }
}

async fn end_of(mut child: Child) -> anyhow::Result<Instant> {
    let status = child.wait().await?;
    let at = Instant::now();
    ensure!(status.success(), "a process ended with {status}");
    Ok(at)
}
