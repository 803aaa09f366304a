//! Our hooks: how long does a pod hold still, and how far apart are the cuts of its group?

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use testbed::pair::{HookPlan, Night, Pair, PairOptions, compare, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};

use crate::rows::{GroupRow, LeadRow, Row, seconds};
use crate::{isolated, leave};

/// Sizes of the groups.
const SIZES: [u32; 3] = [3, 5, 20];

/// Backups of each group. All groups are backed up side by side, each in a namespace of its own.
const ROUNDS: usize = 3;

/// So that nobody waits for the budget: here it is Velero that is measured.
const BUDGET: u32 = 100;

/// 20 pods of 5 s each take 105 s; a busy machine has the rest.
const BACKUP_TIMEOUT: Duration = Duration::from_mins(4);

const LIMIT: Duration = Duration::from_mins(20);

/// As many as the original is measured with.
const WORKERS: usize = 4;

/// More than 20 volumes of 5 s each.
const QUIESCE_MAX: &str = "5m";

/// The workload's name.
const SET: &str = "db";

/// A group and what its Backups showed.
struct Measured {
    namespace: String,
    layout: String,
    is_ordered: bool,
    made: Made,
    nights: Vec<Night>,
}

/// The rows of our hooks.
pub fn groups() {
    isolated("ours", LIMIT, async || {
        let mut options = PairOptions::real("bench", BUDGET);
        options.real.early_polling = false;
        options.velero.concurrent_backups = 2 * SIZES.len();
        let pair = Pair::start_real(options).await?;
        let mut groups = Vec::new();
        for pods in SIZES {
            for is_ordered in [false, true] {
                let namespace = format!("{}-{pods}", if is_ordered { "ordered" } else { "plain" });
                let made = pair.with(Workload::stateful_set(&namespace, SET, pods), &HookPlan::default()).await?;
                let layout = if is_ordered { "one ordered block" } else { "the namespace" }.to_owned();
                groups.push(Measured { namespace, layout, is_ordered, made, nights: vec![] });
            }
        }
        back_up_in_rounds(&pair, groups).await
    });
}

/// The rows of our hooks where Velero has workers: all of a group wait for each other.
pub fn barrier() {
    isolated("barrier", LIMIT, async || {
        let mut options = PairOptions::real("bench", BUDGET);
        options.real.early_polling = false;
        options.velero.item_block_workers = WORKERS;
        let pair = Pair::start_real(options).await?;
        let (namespace, layout) = ("barrier-3".to_owned(), format!("the namespace, {WORKERS} workers"));
        let made = pair.with(Workload::stateful_set(&namespace, SET, 3), &HookPlan::default()).await?;
        let group = Measured { namespace, layout, is_ordered: false, made, nights: vec![] };
        back_up_in_rounds(&pair, vec![group]).await
    });
}

/// The rows of groups with a resident in every pod, asked for as one ordered block each.
pub fn lead() {
    isolated("lead", LIMIT, async || {
        let mut options = PairOptions::real("bench", BUDGET);
        options.real.early_polling = false;
        options.velero.concurrent_backups = SIZES.len();
        let pair = Pair::start_real(options).await?;
        let mut groups = Vec::new();
        for pods in SIZES {
            let namespace = format!("lead-{pods}");
            let made = pair.with_residents(&namespace, SET, pods, QUIESCE_MAX).await?;
            let layout = "one ordered block".to_owned();
            groups.push(Measured { namespace, layout, is_ordered: true, made, nights: vec![] });
        }
        let mut rows: Vec<LeadRow> =
            groups.iter().map(|group| LeadRow::of(&group.layout, group.made.pods.len())).collect();
        for round in 0..ROUNDS {
            let nights = futures::future::try_join_all(groups.iter().map(|group| group.back_up(&pair, round))).await?;
            for ((group, row), night) in groups.iter().zip(&mut rows).zip(&nights) {
                row.take(&pair, &group.made, night)?;
            }
        }
        rows.into_iter().try_for_each(|row| leave(&Row::Lead(row)))
    });
}

impl LeadRow {
    /// All from the pods' own freeze and thaw programs, the kubelet's log and the cuts; nothing from the receipts.
    fn take(&mut self, pair: &Pair, made: &Made, night: &Night) -> anyhow::Result<()> {
        let held = made.pods.iter().map(|pod| pair.held(pod)).collect::<anyhow::Result<Vec<_>>>()?;
        let cuts: Vec<i128> = night.seen.cuts().iter().map(|cut| cut.at.wall.as_nanosecond()).collect();
        let called = night.seen.hooks().first().context("no hook ran")?.started.wall.as_nanosecond();
        let first_still = held.iter().map(|held| held.from).min().context("a pod")?;
        let last_still = held.iter().map(|held| held.from).max().context("a pod")?;
        let let_go = held.iter().map(|held| held.until).max().context("a pod")?;
        let (first_cut, last_cut) = (cuts.iter().min().context("a cut")?, cuts.iter().max().context("a cut")?);
        let early = held.iter().map(|held| held.until).min().context("a pod")?;
        self.still_s.push(seconds_between(called, last_still));
        self.skew_s.push(seconds_between(first_still, last_still));
        self.let_go_s.push(seconds_between(*last_cut, let_go));
        self.held_s.extend(held.iter().map(|held| seconds_between(held.from, held.until)));
        let is_whole = last_still < *first_cut && *last_cut < early;
        self.whole += usize::from(is_whole);
        self.backups += 1;
        Ok(())
    }
}

fn seconds_between(from: i128, until: i128) -> f64 {
    // Microseconds of some minutes are exact.
    f64::from(i32::try_from((until - from) / 1_000).unwrap_or(i32::MAX)) / 1_000_000.0
}

async fn back_up_in_rounds(pair: &Pair, mut groups: Vec<Measured>) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let nights = groups.iter().map(|group| group.back_up(pair, round));
        let nights = futures::future::try_join_all(nights).await?;
        groups.iter_mut().zip(nights).for_each(|(group, night)| group.nights.push(night));
    }
    groups.iter().try_for_each(|group| leave(&group.row()))
}

impl Measured {
    async fn back_up(&self, pair: &Pair, round: usize) -> anyhow::Result<Night> {
        let backup = format!("{}-{round}", self.namespace);
        let mut spec = json!({"includedNamespaces": [self.namespace]});
        if self.is_ordered {
            spec["orderedResources"] = json!({"pods": self.made.ordered()});
        }
        pair.velero.submit(&backup, spec).await?;
        let (phase, seen) = pair.velero.finished(&backup, BACKUP_TIMEOUT).await?;
        let night = Night { backup, phase, seen };
        let receipt = pair.receipt(&night.backup, &group_of_set(&self.namespace, SET)).await?;
        // A figure of a receipt that is not true would be worth nothing.
        compare(receipt.verdict, &night.truth(&self.made))?;
        Ok(night)
    }

    /// All from the independent log, nothing from the receipts.
    fn row(&self) -> Row {
        let Self { namespace: _, layout, is_ordered: _, made, nights } = self;
        let members = || nights.iter().flat_map(|night| made.pods.iter().map(move |pod| (night, &pod.name)));
        let held = members().filter_map(|(night, pod)| {
            let quiesce = night.seen.quiesce(pod)?;
            Some(quiesce.until?.after(quiesce.from))
        });
        let outcome: BTreeSet<String> =
            nights.iter().map(|night| format!("{}, {}", night.phase, night.truth(made).consistency)).collect();
        Row::Group(GroupRow {
            layout: layout.clone(),
            pods: u32::try_from(made.pods.len()).unwrap_or(u32::MAX),
            system: "ours".to_owned(),
            backups: nights.len(),
            wait_s: seconds(members().filter_map(|(night, pod)| night.seen.wait(pod))),
            skew_s: seconds(nights.iter().filter_map(|night| night.seen.skew())),
            held_s: seconds(held),
            total_s: seconds(nights.iter().filter_map(|night| work(night).ok())),
            outcome: outcome.into_iter().collect::<Vec<_>>().join("; "),
        })
    }
}

/// From `InProgress` to the next phase: hooks and cuts happen there.
pub fn work(night: &Night) -> anyhow::Result<Duration> {
    let begin = night.seen.entered(Phase::InProgress).context("never in progress")?;
    let after = [Phase::WaitingForPluginOperations, Phase::Finalizing, Phase::Completed];
    let end = after.into_iter().find_map(|phase| night.seen.entered(phase));
    Ok(end.with_context(|| format!("not as it should be:\n{}", night.seen))?.after(begin))
}
