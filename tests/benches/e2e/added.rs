//! What do our hooks add to a Backup that nobody opposes? The same Backup with them, without any, and with hooks that do nothing, turn
//! by turn.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use testbed::pair::{HookPlan, Night, Pair, PairOptions};
use testbed::real_velero::NODE;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{self, Made, Workload};
use testbed::velero::hook_calls::HookPhase;

use crate::ours::work;
use crate::rows::{AddedRow, Row, seconds};
use crate::{isolated, leave};

/// Backups of each kind.
const ROUNDS: usize = 5;

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
        let without = other(&pair, "without", |workload| workload).await?;
        let idle = other(&pair, "idle", |workload| {
            let nothing =
                |workload: Workload, phase| workload.hook(phase, &["/bin/true"], "Fail", Duration::from_mins(1));
            nothing(nothing(workload, HookPhase::Pre), HookPhase::Post)
        });
        let kinds = [("with", with), ("without", without), ("idle", idle.await?)];
        for is_ordered in [false, true] {
            let mut nights = [vec![], vec![], vec![]];
            for round in 0..ROUNDS {
                // Each is the first as often as the others.
                for turn in 0..kinds.len() {
                    let which = (round + turn) % kinds.len();
                    let (name, made) = &kinds[which];
                    nights[which].push(back_up(&pair, name, made, is_ordered, round).await?);
                }
            }
            leave(&row(is_ordered, "all is cut and let go", &nights, work)?)?;
            leave(&row(is_ordered, "Completed", &nights, total)?)?;
        }
        Ok(())
    });
}

fn row(
    is_ordered: bool,
    what: &str,
    [with, without, idle]: &[Vec<Night>; 3],
    time: fn(&Night) -> anyhow::Result<Duration>,
) -> anyhow::Result<Row> {
    let times = |nights: &[Night]| nights.iter().map(time).collect::<anyhow::Result<Vec<Duration>>>();
    Ok(Row::Added(AddedRow {
        layout: if is_ordered { "one ordered block" } else { "the namespace" }.to_owned(),
        pods: PODS,
        what: what.to_owned(),
        with_s: seconds(times(with)?),
        without_s: seconds(times(without)?),
        idle_s: seconds(times(idle)?),
        in_hooks_s: seconds(with.iter().map(in_hooks)),
    }))
}

/// From each hook's start to Velero's answer, one after another as they run.
fn in_hooks(night: &Night) -> Duration {
    let hooks = night.seen.hooks();
    hooks.iter().filter_map(|hook| Some(hook.reported.as_ref()?.0.after(hook.started))).sum()
}

/// The same workload with other hooks.
async fn other(pair: &Pair, name: &str, hooked: impl FnOnce(Workload) -> Workload) -> anyhow::Result<Made> {
    let workload = hooked(Workload::stateful_set(name, "db", PODS).token().on_node(NODE));
    let made = cluster::create(&pair.client, &workload).await.context("putting another workload in")?;
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
