//! From the introduction to the verdict on the verdicts.

use std::io::Write;

use super::expected::{Surprise, surprises};
use super::layout::Layout;
use super::paper::{Ink, Paper, length};
use super::workloads::{BUDGET, GROUPS, LONER};
use super::{night, plan, proof, prose, table};
use crate::pair::{HookPlan, Pair, PairOptions, Place};
use crate::torn::TornError;
use crate::velero::cluster::Workload;

/// Why the demo could not be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The pair did not start.
    #[error("the demo's cluster does not start")]
    Start(#[source] anyhow::Error),
    /// A Backup could not be run to its end.
    #[error("Backup {0} did not come to an end")]
    Backup(String, #[source] anyhow::Error),
    /// The night could not be planned.
    #[error("the demo's cluster cannot be planned")]
    Plan(#[source] anyhow::Error),
    /// The databases could not be played.
    #[error("the databases cannot be backed up and restored")]
    Proof(#[source] TornError),
}

/// Plays these layouts and writes what happens; gives what was not as it must be.
pub async fn run(layouts: &[Layout], paper: &mut Paper<impl Write>) -> Result<Vec<Surprise>, DemoError> {
    paper.coloured(Ink::Bold, "Velero snapshot groups: one nightly backup, three ways");
    paper.line("");
    for line in prose::introduction() {
        paper.line(&line);
    }
    let mut rows = Vec::new();
    let mut pair: Option<Pair> = None;
    for (index, layout) in layouts.iter().enumerate() {
        night::heading(*layout, index + 1, paper);
        paper.coloured(Ink::Dim, &format!("  {}", prose::scale(*layout)));
        // A night of its own: EC2 takes one snapshot of a volume in 15 s, and these nights are seconds apart.
        drop(pair.take());
        let ready = pair.insert(start(*layout).await.map_err(DemoError::Start)?);
        rows.extend(night::play(ready, *layout, paper).await?);
    }
    if let Some(pair) = pair.take() {
        plan::show(&pair, paper).map_err(DemoError::Plan)?;
    }
    paper.line("");
    table::write(&rows, paper);
    paper.line("");
    for line in prose::VERDICTS.iter().chain(&[""]).chain(&prose::ORIGINAL).chain(&[""]) {
        paper.line(line);
    }
    let mut found = surprises(layouts, &rows);
    if layouts == Layout::ALL {
        found.extend(proof::show(paper).await.map_err(DemoError::Proof)?);
    }
    conclude(&found, rows.len(), paper);
    Ok(found)
}

fn conclude(found: &[Surprise], rows: usize, paper: &mut Paper<impl Write>) {
    let took = length(paper.elapsed());
    if found.is_empty() {
        let all = format!("All {rows} receipts are as expected, and true by the simulator's own log. It took {took}.");
        paper.coloured(Ink::Good, &all);
        paper.line(prose::NEXT);
    } else {
        paper.coloured(Ink::Bad, &format!("{} things are not as expected, after {took}:", found.len()));
        for surprise in found {
            paper.coloured(Ink::Bad, &format!("  {surprise}"));
        }
    }
}

async fn start(layout: Layout) -> anyhow::Result<Pair> {
    let options = PairOptions { velero: layout.velero(), ..PairOptions::new("demo", BUDGET) };
    let pair = Pair::start_on(Place::embedded().await?, options).await?;
    let hooks = HookPlan::default();
    for group in GROUPS {
        pair.with(group.workload(), &hooks).await?;
    }
    pair.with(Workload::bare_pod(LONER.0, LONER.1), &hooks).await?;
    Ok(pair)
}
