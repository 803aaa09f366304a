//! fsfreeze under a real Velero, on real disks: what is cut needs no recovery, and whoever dies, nothing stays frozen beyond its limit.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use shared::admission::Mode;
use shared::member_lease::MemberLease;
use shared::quiesce::LetGo;
use shared::verdict::Verdict;
use testbed::pair::check::{exact, first_cut};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::real_velero::IMAGE_HOOK_AGENT;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};
use testbed::velero::hook_calls::HookPhase;
use testbed::velero::object_name::ObjectName;

use crate::disks::{Disk, cut_disks, isolated_with_disks};

/// Members of the group. The disk after theirs is the control's.
const PODS: u32 = 3;

/// `--quiesce-max` where Velero is killed.
const QUIESCE_MAX: Duration = Duration::from_secs(8);

/// From the moment that a keeper lets go until a writer that waited has ended and is seen, on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// What a Lease says comes within this, or never.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who sees to it that the pods are thawed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// Keepers that the hooks leave, which was accepted in writing.
    Keepers,
    /// Residents, which hold by themselves when they are called.
    Residents,
}

/// A pair whose claims' disks are copied at their cuts.
async fn pair(name: &str) -> Result<Pair> {
    let disks = (0..=PODS).map(Disk::inside).collect::<Result<Vec<_>>>()?;
    let mut options = PairOptions::real(name, 5);
    options.velero.cut_volume = Some(cut_disks(move |claim| disks.get(index_of(claim)?).cloned()));
    Pair::start_real(options).await
}

/// `data-db-N` is disk N, `data-wiki-0` is the one after them.
fn index_of(claim: &ObjectName) -> Option<usize> {
    match claim.name.strip_prefix("data-db-") {
        Some(ordinal) => ordinal.parse().ok(),
        None => (claim.name == "data-wiki-0").then(|| usize::try_from(PODS).ok())?,
    }
}

/// `db`, whose pods freeze their disks, and `wiki`, whose pod has hooks and freezes nothing.
async fn pods(pair: &Pair, ring: Ring) -> Result<(Made, Value)> {
    for ordinal in 0..PODS {
        Disk::inside(ordinal)?.behind(pair, &ObjectName::new("shop", format!("data-db-{ordinal}")))?;
    }
    Disk::inside(PODS)?.behind(pair, &ObjectName::new("shop", "data-wiki-0"))?;
    // The stand-in kubelet's containers share the machine's /dev/shm, which a pod has for itself: so the state folder is another one.
    let workload = Workload::stateful_set("shop", "db", PODS)
        .env("QUIESCE", "- fsfreeze: [/data]")
        .env("QUIESCE_MAX", &format!("{}s", QUIESCE_MAX.as_secs()))
        .env("STATE_DIR", "/");
    let workload = match ring {
        Ring::Keepers => workload.env("FSFREEZE_WITHOUT_RESIDENT", "accept"),
        Ring::Residents => workload.command(&[IMAGE_HOOK_AGENT, "sidecar"]),
    };
    let made = pair.with(workload, &HookPlan::default()).await?;
    let control = pair.with(Workload::stateful_set("shop", "wiki", 1), &HookPlan::default()).await?;
    if ring == Ring::Residents {
        pair.stand_by(&made).await?;
    }
    let ordered = format!("{},{}", made.ordered(), control.ordered());
    Ok((made, json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": ordered}})))
}

/// What the pod's Lease says once it was let go.
async fn let_go(pair: &Pair, pod: &ObjectName) -> Result<MemberLease> {
    let leases: Api<Lease> = Api::namespaced(pair.client.clone(), &pod.namespace);
    let read = |lease: &Lease| MemberLease::decode(lease).ok();
    let is_over = |lease: Option<&Lease>| lease.and_then(read).is_some_and(|member| member.let_go.is_some());
    let name = format!("snapshot-member-{}", pod.name);
    let waited = await_condition(leases, &name, is_over);
    let lease = tokio::time::timeout(PATIENCE, waited).await.with_context(|| format!("{pod} was never let go"))??;
    lease.as_ref().and_then(read).context("it could be read a moment ago")
}

/// A disk that was frozen at its cut is clean; the control's is not. All are thawed before their post hooks.
async fn cut_clean(name: &str, ring: Ring) -> Result<()> {
    let pair = pair(name).await?;
    let (made, spec) = pods(&pair, ring).await?;
    let night = pair.back_up("b", spec).await?;
    ensure!(night.phase == Phase::Completed, "{}", night.seen);
    for ordinal in 0..PODS {
        ensure!(!Disk::inside(ordinal)?.cut_needs_recovery("b")?, "the cut of db-{ordinal} is not clean");
    }
    ensure!(Disk::inside(PODS)?.cut_needs_recovery("b")?, "the oracle must see the difference");
    let receipt = match ring {
        Ring::Keepers => exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?,
        Ring::Residents => pair.receipt("b", &group_of_set("shop", "db")).await?,
    };
    let expected_mode = if ring == Ring::Residents { Mode::Lead } else { Mode::ArriveAndGo };
    ensure!(
        (receipt.mode, receipt.verdict) == (expected_mode, Verdict::GroupConsistent),
        "{receipt:?}\n{}",
        night.seen
    );
    for member in &receipt.members {
        ensure!(member.let_go == Some(LetGo::Cut), "{receipt:?}");
        let post = night.seen.hooks_of(&ObjectName::new("shop", member.pod.as_str()), HookPhase::Post);
        let post = post.first().with_context(|| format!("no post hook of {}\n{}", member.pod, night.seen))?;
        let thawed = member.thawed_at.context("it was let go")?.timestamp();
        ensure!(thawed < post.started.wall, "{} was thawed by its post hook: {receipt:?}", member.pod);
    }
    for ordinal in 0..PODS {
        ensure!(Disk::inside(ordinal)?.writer()?.wait().await?.success(), "db-{ordinal} cannot be written to");
    }
    pair.nothing_granted().await
}

/// Velero is killed while all hold: no cut and no post hook comes any more, and every writer gets through by the limit.
async fn thawed_without_velero(name: &str, ring: Ring) -> Result<()> {
    let pair = pair(name).await?;
    let (made, spec) = pods(&pair, ring).await?;
    pair.velero.submit("b", spec).await?;
    first_cut(&pair).await?;
    pair.velero.kill().await;
    let seen = pair.velero.timeline();
    let first_pre = seen.hooks().first().context("no hook ran")?.started;
    let mut writers = Vec::new();
    for ordinal in 0..PODS {
        writers.push(Disk::inside(ordinal)?.writer()?);
    }
    // Killed at the first cut, with two more to come: nobody may be let go yet.
    for (ordinal, writer) in writers.iter_mut().enumerate() {
        let early = tokio::time::timeout(Duration::from_millis(500), writer.wait()).await;
        ensure!(early.is_err(), "db-{ordinal} was not frozen when Velero was killed\n{seen}");
    }
    let killed = Instant::now();
    for (ordinal, writer) in writers.iter_mut().enumerate() {
        let through = tokio::time::timeout(QUIESCE_MAX + SLACK, writer.wait()).await;
        ensure!(through.with_context(|| format!("db-{ordinal} is still frozen"))??.success(), "a write failed");
    }
    let last_through = jiff::Timestamp::now();
    let held = last_through.duration_since(first_pre.wall);
    println!(
        "{ring:?}: the last of {PODS} was thawed {held:?} after the first hook began, {:?} after the kill",
        killed.elapsed()
    );
    ensure!(Duration::try_from(held)? <= QUIESCE_MAX + SLACK, "held for {held:?} in all");
    for pod in &made.pods {
        let member = let_go(&pair, &pod.name).await?;
        ensure!(member.let_go == Some(LetGo::ByItself), "{member:?}");
    }
    Ok(())
}

#[test]
fn disks_that_hooks_froze_are_clean_at_their_cuts() {
    isolated_with_disks(PODS + 1, async || cut_clean("frozen", Ring::Keepers).await);
}

#[test]
fn disks_that_residents_froze_are_clean_at_their_cuts() {
    isolated_with_disks(PODS + 1, async || cut_clean("frozen-lead", Ring::Residents).await);
}

#[test]
fn keepers_thaw_when_velero_is_killed_in_mid_backup() {
    isolated_with_disks(PODS + 1, async || thawed_without_velero("frozen-killed", Ring::Keepers).await);
}

#[test]
fn residents_hold_no_longer_when_velero_is_killed_in_mid_backup() {
    isolated_with_disks(PODS + 1, async || thawed_without_velero("frozen-lead-killed", Ring::Residents).await);
}
