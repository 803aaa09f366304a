//! What do our hooks add to a Backup that nobody opposes? The same Backup with and without, turn by turn.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use testbed::pair::{HookPlan, Night, Pair, PairOptions};
use testbed::real_velero::NODE;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{self, Made, Workload};

use crate::ours::work;
use crate::rows::{AddedRow, Row, seconds};
use crate::{isolated, leave};

/// Backups of each kind.
const ROUNDS: usize = 7;

const PODS: u32 = 3;

/// So that nobody waits for the budget.
const BUDGET: u32 = 100;

/// A Backup takes half a minute.
const BACKUP_TIMEOUT: Duration = Duration::from_mins(3);

const LIMIT: Duration = Duration::from_mins(30);

/// Velero's own default of how often it looks whether snapshots are ready: a Backup is over only then.
const OPERATION_POLL: Duration = Duration::from_secs(10);

/// The rows of what is added.
pub fn to_backups() {
    isolated("added", LIMIT, async || {
        let mut options = PairOptions::real("bench", BUDGET);
        options.real.early_polling = false;
        options.velero.item_operation_poll = OPERATION_POLL;
        let pair = Pair::start_real(options).await?;
        let with = pair.with(Workload::stateful_set("with", "db", PODS), &HookPlan::default()).await?;
        let without = bare(&pair).await?;
        for is_ordered in [false, true] {
            let mut times = [(vec![], vec![]), (vec![], vec![])];
            for round in 0..ROUNDS {
                // Each is the first of the two as often as the other.
                for which in [round % 2, 1 - round % 2] {
                    let (name, made) = [("with", &with), ("without", &without)][which];
                    let night = back_up(&pair, name, made, is_ordered, round).await?;
                    times[which].0.push(work(&night)?);
                    times[which].1.push(total(&night)?);
                }
            }
            let [(with_work, with_total), (without_work, without_total)] = times;
            let row = |what: &str, with: Vec<Duration>, without: Vec<Duration>| {
                leave(&Row::Added(AddedRow {
                    layout: if is_ordered { "one ordered block" } else { "the namespace" }.to_owned(),
                    pods: PODS,
                    what: what.to_owned(),
                    with_s: seconds(with),
                    without_s: seconds(without),
                }))
            };
            row("all is cut and let go", with_work, without_work)?;
            row("Completed", with_total, without_total)?;
        }
        Ok(())
    });
}

/// The same workload without hooks.
async fn bare(pair: &Pair) -> anyhow::Result<Made> {
    let workload = Workload::stateful_set("without", "db", PODS).token().on_node(NODE);
    let made = cluster::create(&pair.client, &workload).await.context("putting the other workload in")?;
    for pod in &made.pods {
        pair.velero.real().bed().mounts.add(&pod.name, &pod.claims);
        pair.labelled(&pod.name).await?;
    }
    Ok(made)
}

async fn back_up(pair: &Pair, name: &str, made: &Made, is_ordered: bool, round: usize) -> anyhow::Result<Night> {
    let backup = format!("{name}-{}-{round}", if is_ordered { "ordered" } else { "plain" });
    let mut spec = json!({"includedNamespaces": [name]});
    if is_ordered {
        spec["orderedResources"] = json!({"pods": made.ordered()});
    }
    pair.velero.submit(&backup, spec).await?;
    let (phase, seen) = pair.velero.finished(&backup, BACKUP_TIMEOUT).await?;
    ensure!(phase == Phase::Completed, "{backup} is {phase}:\n{seen}");
    Ok(Night { backup, phase, seen })
}

fn total(night: &Night) -> anyhow::Result<Duration> {
    let entered = |phase| night.seen.entered(phase).with_context(|| format!("never {phase}:\n{}", night.seen));
    Ok(entered(Phase::Completed)?.after(entered(Phase::InProgress)?))
}
