//! The system before ours, with its own times: what do its users get?

use std::time::Duration;

use testbed::original::{COORDINATOR_EVERY_S, Layout, Reading, Scenario, play};
use testbed::original_real::{Measured, OriginalBed};

use crate::rows::{GroupRow, Row, seconds};
use crate::{isolated, leave};

/// Three pods, one after another, each until its time-out of 10 minutes.
const ONE_WORKER_LIMIT: Duration = Duration::from_mins(45);

/// All at once.
const FOUR_WORKERS_LIMIT: Duration = Duration::from_mins(20);

const WORKERS: usize = 4;

const COORDINATOR_EVERY: Duration = Duration::from_secs(COORDINATOR_EVERY_S);

/// The rows of a default Velero. All groups are backed up side by side, each in a namespace of its own.
pub fn one_worker() {
    isolated("original", ONE_WORKER_LIMIT, async || {
        let bed = OriginalBed::start(1, COORDINATOR_EVERY).await?;
        // Before the scripts are in the image.
        run(&bed, "installed", 3, Layout::EachPodAlone, Reading::AsInstalled).await?;
        run(&bed, "installed-block", 3, Layout::OneBlock, Reading::AsInstalled).await?;
        tokio::try_join!(
            run(&bed, "alone", 3, Layout::EachPodAlone, Reading::Literal),
            run(&bed, "block", 3, Layout::OneBlock, Reading::Labelled),
        )?;
        Ok(())
    });
}

/// The rows of a Velero with workers.
pub fn four_workers() {
    isolated("parallel", FOUR_WORKERS_LIMIT, async || {
        let bed = OriginalBed::start(WORKERS, COORDINATOR_EVERY).await?;
        tokio::try_join!(
            run(&bed, "literal", 3, Layout::ParallelWorkers(WORKERS), Reading::Literal),
            run(&bed, "labelled", 3, Layout::ParallelWorkers(WORKERS), Reading::Labelled),
        )?;
        Ok(())
    });
}

async fn run(bed: &OriginalBed, name: &str, pods: u32, layout: Layout, reading: Reading) -> anyhow::Result<()> {
    let made = bed.put(name, pods, reading).await?;
    let scenario = Scenario::new(made.pods.len(), layout, reading);
    let measured = bed.back_up(name, &made, &scenario).await?;
    for contradiction in measured.contradictions(&play(&scenario)) {
        eprintln!("{name}: the model is wrong here: {contradiction}");
    }
    leave(&row(bed, pods, layout, reading, &measured))
}

fn row(bed: &OriginalBed, pods: u32, layout: Layout, reading: Reading, measured: &Measured) -> Row {
    let Measured { members, total, skew, phase, consistency } = measured;
    let still = members.iter().filter(|member| member.still_loops).count();
    let after = if still > 0 { format!(", {still} hooks still running in the pods") } else { String::new() };
    let granted = match reading {
        Reading::AsInstalled => "as installed",
        Reading::Literal => "scripts granted",
        Reading::Unquoted => "scripts and group id granted",
        Reading::Labelled => "scripts, group id and labels granted",
    };
    Row::Group(GroupRow {
        layout: match layout {
            Layout::EachPodAlone => "the namespace".to_owned(),
            Layout::OneBlock => "one ordered block".to_owned(),
            Layout::ParallelWorkers(workers) => format!("the namespace, {workers} workers"),
        },
        pods,
        system: format!("the original's ({}; {granted})", bed.source()),
        backups: 1,
        wait_s: seconds(members.iter().map(|member| member.wait)),
        skew_s: seconds(*skew),
        held_s: vec![],
        total_s: seconds([*total]),
        outcome: format!("{phase}, {consistency}{after}"),
    })
}
