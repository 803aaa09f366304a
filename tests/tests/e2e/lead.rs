//! Residents under a real Velero: the first hook has all members hold still at once, and each lets go at the group's last cut, before its post hook.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use shared::admission::Mode;
use shared::quiesce::LetGo;
use shared::verdict::Verdict;
use testbed::pair::{Held, Night, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Made;
use testbed::velero::hook_calls::HookPhase;

use crate::run::isolated;

/// As it is by default.
const QUIESCE_MAX: &str = "1m";

/// Held at once from before the first cut to after the last, and let go before any post hook.
async fn check(pair: &Pair, night: &Night, made: &Made) -> Result<()> {
    let seen = &night.seen;
    ensure!(night.phase == Phase::Completed, "{seen}");
    let cuts: Vec<i128> = seen.cuts().iter().map(|cut| cut.at.wall.as_nanosecond()).collect();
    ensure!(cuts.len() == made.pods.len(), "{seen}");
    let (first, last) = (cuts.iter().min().context("a cut")?, cuts.iter().max().context("a cut")?);
    let mut spans = Vec::new();
    for pod in &made.pods {
        let Held { from: frozen, until: thawed } = pair.held(pod)?;
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
        let made = pair.with_residents("shop", "db", 3, QUIESCE_MAX).await?;
        let night = pair.back_up("b", ordered(&made)).await?;
        check(&pair, &night, &made).await
    });
}

#[test]
fn twenty_residents_hold_blocks_that_are_cut_side_by_side() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("lead-twenty", 20).workers(20)).await?;
        let made = pair.with_residents("shop", "db", 20, QUIESCE_MAX).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
        check(&pair, &night, &made).await
    });
}

#[test]
fn residents_hold_blocks_that_are_cut_side_by_side() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("lead-workers", 5).workers(3)).await?;
        let made = pair.with_residents("shop", "db", 3, QUIESCE_MAX).await?;
        let night = pair.back_up("b", json!({"includedNamespaces": ["shop"]})).await?;
        check(&pair, &night, &made).await
    });
}
