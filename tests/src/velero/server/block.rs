//! How is one block processed? All its pre hooks, then all its cuts, then all its post hooks.
//!
//! Rules: Velero `backup.go` `backupItemBlock`. A failed pre hook neither stops the block nor the cut of its pod's volumes.

use std::collections::BTreeSet;

use super::hooks::run_hooks;
use super::run::Run;
use super::{cut_csi, cut_native};
use crate::velero::hook_calls::HookPhase;
use crate::velero::inventory::{ClaimItem, PodItem};
use crate::velero::item_blocks::{Item, ItemBlock};
use crate::velero::object_name::ObjectName;
use crate::velero::settings::VolumeMode;
use crate::velero::truth::Fact;

/// Pods of a block whose post hooks are still to run.
pub(super) type PostHooks = Vec<PodItem>;

/// Processes a block. Answers with the post hooks that are left to run beside the next block (1.15 alone).
pub(super) async fn run_block(run: &Run, block: &ItemBlock) -> Option<PostHooks> {
    run.server.truth.record(begun(run, block));
    let version = run.server.settings.version;
    let mut ready = Vec::new();
    let mut failed = BTreeSet::new();
    let hooked: Vec<&PodItem> = block.pods().filter(|pod| !run.is_pod_done(&pod.name)).collect();
    for pod in hooked {
        match run_hooks(run, pod, HookPhase::Pre).await {
            Ok(()) => ready.push(pod.clone()),
            Err(error) => {
                let name = &pod.name.name;
                run.journal.error(format!("name: /{name} message: /Error running pre hooks for pod error: /{error}"));
                run.claim_pod(&pod.name);
                failed.insert(pod.name.clone());
            }
        }
    }

    // Up to 1.14 a failed pod ends its turn here; its claims come later, by themselves.
    if version.has_blocks() || failed.is_empty() {
        cut_all(run, block, &ready, &failed).await;
    }
    if ready.is_empty() {
        return None;
    }
    if version.detaches_post_hooks() {
        return Some(ready);
    }
    run_post_hooks(run, ready).await;
    None
}

/// Runs post hooks one pod after another. Their failures are logged and stop nothing but their own pod's.
pub(super) async fn run_post_hooks(run: &Run, pods: PostHooks) {
    for pod in pods {
        if let Err(error) = run_hooks(run, &pod, HookPhase::Post).await {
            let name = &pod.name.name;
            run.journal.error(format!("name: /{name} message: /Error running post hooks for pod error: /{error}"));
        }
    }
}

async fn cut_all(run: &Run, block: &ItemBlock, ready: &[PodItem], failed: &BTreeSet<ObjectName>) {
    // A pod whose claim could not be backed up is not stored: the claim is an item of the pod's own.
    let mut spoilt = BTreeSet::new();
    for claim in block.cut_order(failed) {
        if !run.take_claim(&claim.name) {
            continue;
        }
        if let Err(error) = cut(run, claim).await {
            let through = ready.iter().find(|pod| pod.claims.contains(&claim.name));
            let name = through.map_or(&claim.name, |pod| &pod.name);
            run.journal.error(format!("name: /{} message: /Error backing up item error: /{error}", name.name));
            spoilt.extend(through.map(|pod| pod.name.clone()));
        }
    }
    for pod in ready {
        if run.claim_pod(&pod.name) && !spoilt.contains(&pod.name) {
            run.server.truth.record(Fact::PodStored { backup: run.job.name.clone(), pod: pod.name.clone() });
        }
    }
}

async fn cut(run: &Run, claim: &ClaimItem) -> Result<(), String> {
    if run.job.spec.snapshot_volumes == Some(false) {
        return Ok(());
    }
    match run.server.settings.volume_mode {
        VolumeMode::Csi => cut_csi::cut(run, claim).await.map_err(|error| error.to_string()),
        VolumeMode::Native => {
            cut_native::cut(run, claim).await;
            Ok(())
        }
    }
}

fn begun(run: &Run, block: &ItemBlock) -> Fact {
    let mounting = |claim: &ClaimItem| {
        let pods = block.pods().filter(|pod| pod.claims.contains(&claim.name)).map(|pod| pod.name.clone());
        (claim.name.clone(), pods.collect())
    };
    let claims = block.items.iter().filter_map(|item| match item {
        Item::Claim(claim) => Some(mounting(claim)),
        Item::Pod(_) => None,
    });
    Fact::BlockBegun {
        backup: run.job.name.clone(),
        pods: block.pods().map(|pod| pod.name.clone()).collect(),
        claims: claims.collect(),
    }
}
