//! What do several workers do at once?

use anyhow::{Context as _, Result};
use futures::FutureExt as _;

use super::stage::{all_of, listed};
use super::{Case, Stage, Subject, hold};
use crate::velero::backup::Phase;
use crate::velero::cluster::Workload;
use crate::velero::truth::HookRun;

/// `--item-block-worker-count=4`
pub const SUBJECT: Subject = Subject {
    settings: |settings, _| settings.item_block_workers = 4,
    cases: &[
        Case { name: "takes as many blocks at once as it has workers", play: |s, n| at_once(s, n).boxed() },
        Case { name: "goes through one block serially all the same", play: |s, n| serial(s, n).boxed() },
    ],
};

fn db(namespace: &str, replicas: u32) -> Workload {
    Workload::stateful_set(namespace, "db", replicas).shell_hooks("sleep 1", ":")
}

async fn at_once(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 6)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    hold!(run.phase == Phase::Completed, run, "should be Completed");
    let order = run.seen.order();
    let first_end = order.find("post").context("a post hook")?;
    hold!(order[..first_end].matches("pre ").count() == 4, run, "four at once");
    hold!(order.matches("pre ").count() == 6, run, "and then the others");
    Ok(())
}

async fn serial(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 3)).await?;
    let run = stage.back_up(listed(namespace, &["db-0", "db-1", "db-2"], ",")).await?;
    hold!(run.phase == Phase::Completed && run.seen.is_one_block(), run, "should be one block");
    let is_serial = |pair: &[HookRun]| {
        let [a, b] = pair else { return false };
        a.reported.as_ref().is_some_and(|(end, _)| *end <= b.started)
    };
    hold!(run.seen.hooks().windows(2).all(is_serial), run, "one hook after another");
    Ok(())
}
