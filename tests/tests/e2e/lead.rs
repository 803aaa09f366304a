//! Residents under a real Velero: the first hook has all members hold still at once, and each lets go at the group's last cut, before its post hook.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use shared::admission::Mode;
use shared::member_lease::MemberLease;
use shared::quiesce::LetGo;
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Night, Pair, PairOptions, group_of_set};
use testbed::real_velero::IMAGE_HOOK_AGENT;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{CONTAINER, Made, MadePod, Workload};
use testbed::velero::hook_calls::HookPhase;

use crate::run::isolated;

/// Writes down when it holds and when it lets go, in the container's own root: what the receipt is held against, and none of the product's.
const PLAN: &str = "- exec: {freeze: [/bin/sh, -c, date +%s%N >>/frozen], thaw: [/bin/sh, -c, date +%s%N >>/thawed]}";

/// A resident stands by within this; its label's file takes the kubelet a moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// `db`, whose pods' only container is the resident itself: Velero's hooks are exec'd there, and the workload's image would not be touched.
async fn residents(pair: &Pair, replicas: u32) -> Result<Made> {
    // The stand-in kubelet's containers share the machine's /dev/shm, which a pod has for itself: so the state folder is another one.
    let workload = Workload::stateful_set("shop", "db", replicas)
        .command(&[IMAGE_HOOK_AGENT, "sidecar"])
        .env("QUIESCE", PLAN)
        .env("STATE_DIR", "/");
    let made = pair.with(workload, &HookPlan::default()).await?;
    let leases: Api<Lease> = Api::namespaced(pair.client.clone(), "shop");
    for pod in &made.pods {
        let stands_by = |lease: Option<&Lease>| {
            lease.is_some_and(|lease| MemberLease::decode(lease).is_ok_and(|member| member.stands_by()))
        };
        let name = format!("snapshot-member-{}", pod.name.name);
        let waited = tokio::time::timeout(PATIENCE, await_condition(leases.clone(), &name, stands_by)).await;
        waited.with_context(|| format!("the resident of {} does not stand by", pod.name))??;
    }
    Ok(made)
}

/// When the pod was held, and until when, ns since 1970; as its plan's own programs wrote it down.
fn held(pair: &Pair, pod: &MadePod) -> Result<(i128, i128)> {
    let root = pair.velero.real().bed().container_root(&pod.name.namespace, &pod.uid, CONTAINER);
    let read = |name: &str| -> Result<i128> {
        let path = root.join(name);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(text.lines().count() == 1, "{} has more than one line: {text}", path.display());
        Ok(text.trim().parse()?)
    };
    Ok((read("frozen")?, read("thawed")?))
}

/// Held at once from before the first cut to after the last, and let go before any post hook.
async fn check(pair: &Pair, night: &Night, made: &Made) -> Result<()> {
    let seen = &night.seen;
    ensure!(night.phase == Phase::Completed, "{seen}");
    let cuts: Vec<i128> = seen.cuts().iter().map(|cut| cut.at.wall.as_nanosecond()).collect();
    ensure!(cuts.len() == made.pods.len(), "{seen}");
    let (first, last) = (cuts.iter().min().context("a cut")?, cuts.iter().max().context("a cut")?);
    let mut spans = Vec::new();
    for pod in &made.pods {
        let (frozen, thawed) = held(pair, pod)?;
        ensure!(
            frozen < *first && *last < thawed,
            "{}: held from {frozen} to {thawed}, cuts {cuts:?}\n{seen}",
            pod.name
        );
        let posts = seen.hooks_of(&pod.name, HookPhase::Post);
        let post = posts.first().with_context(|| format!("{} has no post hook\n{seen}", pod.name))?;
        let post_at = post.started.wall.as_nanosecond();
        ensure!(thawed < post_at, "{}: let go at {thawed}, its post hook began at {post_at}\n{seen}", pod.name);
        spans.push((frozen, thawed));
    }
    let pre = seen.hooks().iter().filter(|hook| hook.phase == HookPhase::Pre).map(|hook| hook.started.wall).min();
    let called = pre.context("a pre hook")?.as_nanosecond();
    let ms = |ns: i128| ns / 1_000_000;
    let skew = spans.iter().map(|span| span.0).max().zip(spans.iter().map(|span| span.0).min());
    let beyond = spans.iter().map(|span| span.1 - last).max();
    println!(
        "{} residents: all still {} ms after the first hook began, {} ms apart; let go {} ms after the last cut at most; held {} ms at most",
        made.pods.len(),
        spans.iter().map(|span| ms(span.0 - called)).max().unwrap_or_default(),
        skew.map(|(latest, earliest)| ms(latest - earliest)).unwrap_or_default(),
        beyond.map(ms).unwrap_or_default(),
        spans.iter().map(|span| ms(span.1 - span.0)).max().unwrap_or_default(),
    );
    let receipt = pair.receipt(&night.backup, &group_of_set("shop", "db")).await?;
    ensure!((receipt.mode, receipt.degraded) == (Mode::Lead, false), "{receipt:?}");
    ensure!(receipt.verdict == Verdict::GroupConsistent, "{receipt:?}\n{seen}");
    ensure!(receipt.members.iter().all(|member| member.let_go == Some(LetGo::Cut)), "{receipt:?}");
    pair.nothing_granted().await
}

fn ordered(made: &Made) -> Value {
    json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}})
}

#[test]
fn residents_hold_one_block_from_its_first_hook_to_its_last_cut() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("lead-ordered", 5)).await?;
        let made = residents(&pair, 3).await?;
        let night = pair.back_up("b", ordered(&made)).await?;
        check(&pair, &night, &made).await
    });
}

#[test]
fn residents_hold_blocks_that_are_cut_side_by_side() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("lead-workers", 5).workers(3)).await?;
        let made = residents(&pair, 3).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
        check(&pair, &night, &made).await
    });
}
