//! With a resident in every pod: how far apart do members hold still, how long are they held, how soon after the last cut are they let go?
//! Beside bare watches of one Lease, and beside what Velero's own polls cost with hooks that do nothing.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use shared::admission::Mode;
use shared::verdict::Verdict;
use testbed::api::ServerOptions;
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::eventually;
use testbed::pair::{HookPlan, Night, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{self, Made, Workload};
use testbed::velero::hook_calls::HookPhase;

use crate::bare_client::{self, GO};
use crate::hook::{self, NAMESPACE, PATIENCE};
use crate::release::agent;
use crate::residents::{Residents, SET};
use crate::stamp;

/// Members of the group, and how many Backups with short polls it has: each gives one skew, and waits for 15 s, the shortest time between two
/// cuts of a volume.
const SIZES: [(u32, u32); 3] = [(3, 5), (5, 5), (20, 9)];

/// Velero's poll where only the members' times matter: so long that the word of the last cut comes before the post hooks.
const SHORT_POLL: Duration = Duration::from_millis(100);

/// Velero's poll where it matters: a tenth of the real 5 s. What is not Velero's counts ten times as much here as there.
const POLL: Duration = Duration::from_millis(500);

/// So that nobody waits for the budget.
const BUDGET: u32 = 1_000;

/// A round is closed soon after its last post hook.
const FLAGS: [&str; 2] = ["--round-idle", "100ms"];

/// Measures all sizes.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let agent = agent()?;
    let bare = CoordinatorBed::start(ServerOptions::default()).await?;
    let mut options = PairOptions::new("bench-lead", BUDGET).flags(&FLAGS);
    options.velero.csi_poll = SHORT_POLL;
    let mut pair = Pair::start(options).await?;
    let mut figures = Vec::new();
    for (size, rounds) in SIZES {
        let namespace = format!("lead-{size}");
        let residents = Residents::start(&pair, &agent, &namespace, size).await?;
        let mut seen = Seen::default();
        let mut bare_ms = Bare::default();
        for round in 0..rounds {
            let name = format!("fan-out-{size}-{round}");
            let heard = bare_fan_out(&bare, size, &name, None).await.context("the baseline")?;
            bare_ms.last.push(heard.iter().copied().fold(f64::MIN, f64::max));
            bare_ms.spread.push(range(heard.iter().copied()));
            let by_program = Some(bare_client::BY_PROGRAM);
            let heard = bare_fan_out(&bare, size, &format!("{name}-p"), by_program).await.context("the floor")?;
            bare_ms.by_program.push(heard.into_iter().fold(f64::MIN, f64::max));
            seen.take(&pair, &residents, &namespace, &format!("skew-{round}")).await?;
        }
        figures.extend(seen.figures(size, bare_ms));
        pair.restart_velero(|velero| velero.csi_poll = POLL).await?;
        figures.extend(frozen(&pair, &agent, size, &residents, &namespace).await?);
        pair.restart_velero(|velero| velero.csi_poll = SHORT_POLL).await?;
    }
    Ok(figures)
}

/// What bare watches of one Lease showed, ms: one number a write.
#[derive(Default)]
struct Bare {
    /// From the write to the last that heard it.
    last: Vec<f64>,
    /// From the first to the last that heard it.
    spread: Vec<f64>,
    /// From the write to the last whose program, started for that, has run.
    by_program: Vec<f64>,
}

/// What Backups of a group with residents showed, ms: one number a Backup, but for `held`, which is one a pod.
#[derive(Default)]
struct Seen {
    skew: Vec<f64>,
    still: Vec<f64>,
    let_go: Vec<f64>,
    held: Vec<f64>,
}

impl Seen {
    async fn take(&mut self, pair: &Pair, residents: &Residents, namespace: &str, backup: &str) -> anyhow::Result<()> {
        let night = back_up(pair, namespace, backup, ordered(namespace, &residents.made)).await?;
        let receipt = pair.receipt(&night.backup, &group_of_set(namespace, SET)).await?;
        ensure!((receipt.mode, receipt.degraded) == (Mode::Lead, false), "no round of lead mode: {receipt:?}");
        ensure!(receipt.verdict == Verdict::GroupConsistent, "{receipt:?}\n{}", night.seen);
        let held = residents.held(pair).await?;
        let cuts = night.seen.cuts();
        let last_cut = cuts.iter().map(|cut| cut.at.wall.as_nanosecond()).max().context("nothing was cut")?;
        let first_hook = night.seen.hooks().first().context("no hook ran")?.started.wall.as_nanosecond();
        let last_still = held.iter().map(|held| held.from).max().context("a pod")?;
        let last_let_go = held.iter().map(|held| held.until).max().context("a pod")?;
        self.skew.push(ms_between(held.iter().map(|held| held.from).min().context("a pod")?, last_still));
        self.still.push(ms_between(first_hook, last_still));
        self.let_go.push(ms_between(last_cut, last_let_go));
        self.held.extend(held.iter().map(|held| ms_between(held.from, held.until)));
        Ok(())
    }

    fn figures(self, size: u32, bare: Bare) -> [Figure; 5] {
        let figure = |what: &str, ours: &[f64], baseline: Option<(&str, Vec<f64>)>, aim| Figure {
            what: format!("Lead, {size} members: {what}"),
            unit: Unit::Ms,
            ours: Samples::of(ours.iter().copied()),
            baseline: baseline.map(|(name, values)| (name.to_owned(), Samples::of(values))),
            compared: Compared::P99,
            aim,
        };
        let fan_out = ("bare watches, one write to the last that hears it", bare.last);
        let spread = ("bare watches, the first to the last that hears it", bare.spread);
        let floor = ("bare watches that each start the same program, one write to the last that ran", bare.by_program);
        let at_most = |ratio| Aim::Ratio { first: ratio, last: ratio };
        [
            figure("first to last still", &self.skew, Some(fan_out), at_most(3.0)),
            figure("… beside a stricter baseline", &self.skew, Some(spread), Aim::Known),
            figure("… beside what no resident can undercut", &self.skew, Some(floor), Aim::Known),
            figure("first hook's start to all still", &self.still, None, Aim::Known),
            figure("last cut to all let go", &self.let_go, None, Aim::AtMost { first: 100.0, last: 100.0 }),
        ]
    }
}

/// How long a pod is frozen, each way beside the same Backup with hooks that do nothing: what is left there is Velero's own.
async fn frozen(
    pair: &Pair,
    agent: &Path,
    size: u32,
    residents: &Residents,
    lead: &str,
) -> anyhow::Result<[Figure; 3]> {
    let (ours, floor) = (format!("ours-{size}"), format!("floor-{size}"));
    let program: &'static str = Box::leak(agent.display().to_string().into_boxed_str());
    let with = pair.with(Workload::stateful_set(&ours, SET, size), &HookPlan::default().program(program)).await?;
    let nothing = |workload: Workload, phase| workload.hook(phase, &["/bin/true"], "Fail", Duration::from_mins(1));
    let bare = nothing(nothing(Workload::stateful_set(&floor, SET, size), HookPhase::Pre), HookPhase::Post);
    let without = cluster::create(&pair.client, &bare).await.context("the floor's workload")?;
    let alone = |namespace: &str| json!({"includedNamespaces": [namespace]});
    let default = held(&back_up(pair, &ours, "default", alone(&ours)).await?, &with)?;
    let default_floor = held(&back_up(pair, &floor, "default", alone(&floor)).await?, &without)?;
    let block = held(&back_up(pair, &ours, "ordered", ordered(&ours, &with)).await?, &with)?;
    let block_floor = held(&back_up(pair, &floor, "ordered", ordered(&floor, &without)).await?, &without)?;
    let mut seen = Seen::default();
    seen.take(pair, residents, lead, "held").await?;
    let figure = |what: &str, ours: Vec<f64>, floor: Vec<f64>| Figure {
        what: format!("A pod is held, {size} members, {what}"),
        unit: Unit::Ms,
        ours: Samples::of(ours),
        baseline: Some((format!("hooks that do nothing, Velero's poll {} ms", POLL.as_millis()), Samples::of(floor))),
        compared: Compared::Median,
        aim: Aim::Known,
    };
    Ok([
        figure("Velero's default", default, default_floor),
        figure("one ordered block", block, block_floor.clone()),
        figure("one ordered block, lead", seen.held, block_floor),
    ])
}

/// From the end of each pod's pre hook to the start of its post hook, ms.
fn held(night: &Night, made: &Made) -> anyhow::Result<Vec<f64>> {
    let of_pod = |pod: &cluster::MadePod| {
        let quiesce = night.seen.quiesce(&pod.name)?;
        Some(crate::cost::ms(quiesce.until?.after(quiesce.from)))
    };
    let held: Option<Vec<f64>> = made.pods.iter().map(of_pod).collect();
    held.with_context(|| format!("a pod was never held:\n{}", night.seen))
}

fn ordered(namespace: &str, made: &Made) -> Value {
    json!({"includedNamespaces": [namespace], "orderedResources": {"pods": made.ordered()}})
}

async fn back_up(pair: &Pair, namespace: &str, backup: &str, spec: Value) -> anyhow::Result<Night> {
    let night = pair.back_up(&format!("{namespace}-{backup}"), spec).await?;
    ensure!(night.phase == Phase::Completed, "{backup} is {}:\n{}", night.phase, night.seen);
    Ok(night)
}

/// The baseline: as many processes that watch one Lease, and one write. ms from that write until each has stamped its file; `how` as
/// [`bare_client::run`] understands it.
async fn bare_fan_out(bed: &CoordinatorBed, size: u32, name: &str, how: Option<&str>) -> anyhow::Result<Vec<f64>> {
    bed.server.put(hook::blank_lease(name))?;
    bed.server.request_log().clear();
    let token = bed.server.token_for_user("bare");
    let stamps: Vec<_> = (0..size).map(|client| bed.folder().join(format!("{name}-{client}"))).collect();
    let mut clients = Vec::new();
    for stamp in &stamps {
        let mut command = bare_client::command(&bed.server.url(), &token, NAMESPACE, name)?;
        clients.push(command.arg(stamp).args(how).spawn().context("starting a bare client")?);
    }
    let listens = |record: &&testbed::api::Record| record.user == "bare" && record.verb == "watch";
    let all_listen = || bed.server.requests().iter().filter(listens).count() == clients.len();
    eventually("all clients to listen", PATIENCE, || all_listen().then_some(())).await;
    let leases: Api<Lease> = Api::namespaced(bed.server.client(), NAMESPACE);
    leases.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": {"holderIdentity": GO}}))).await?;
    for client in &mut clients {
        ensure!(client.wait().await?.success(), "a bare client failed");
    }
    let written = bed.server.requests().iter().find(|r| r.verb == "patch" && r.name == name).map(|r| r.at);
    let written_ns = wall_ns(written.context("the write is not in the request log")?)?;
    stamps.iter().map(|stamp| Ok(ms_between(written_ns, stamp::take(stamp)?))).collect()
}

/// The wall clock's time at an earlier moment of the monotonic one, ns since 1970.
fn wall_ns(at: Instant) -> anyhow::Result<i128> {
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?.as_nanos();
    Ok(i128::try_from(now_ns)? - i128::try_from(at.elapsed().as_nanos())?)
}

/// ms from one moment to another, both ns.
fn ms_between(from: i128, until: i128) -> f64 {
    // Microseconds of some minutes are exact.
    let us = i32::try_from((until - from) / 1_000).unwrap_or(i32::MAX);
    f64::from(us) / 1_000.0
}

fn range(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
}
