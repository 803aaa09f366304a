//! How is one layout's nightly backup played, and told while it runs?

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use futures::future::join_all;

use super::layout::Layout;
use super::narrator::Narrator;
use super::paper::{Ink, Paper};
use super::row::{OriginalRow, Row};
use super::run::DemoError;
use super::workloads::{GROUPS, Group};
use crate::pair::{Night, Pair};
use crate::velero::truth::truth_verdict;

/// How often is looked whether there is something to tell.
const LOOK: Duration = Duration::from_millis(25);

/// A receipt comes within this after its Backup's end, or not at all: the round closes 2 s after it at the latest.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(15);

/// How far the telling has come.
struct Told {
    narrator: Narrator,
    facts: usize,
    lines: usize,
}

/// Plays a layout on a pair whose Velero is set up for it.
pub async fn play(pair: &Pair, layout: Layout, paper: &mut Paper<impl Write>) -> Result<Vec<Row>, DemoError> {
    let (facts, lines) = (pair.velero.timeline().entries().len(), pair.coordinator().lines().len());
    let mut told = Told { narrator: Narrator::new(layout), facts, lines };
    let night = work(pair, layout);
    tokio::pin!(night);
    let rows = loop {
        tokio::select! {
            rows = &mut night => break rows?,
            () = tokio::time::sleep(LOOK) => tell(pair, &mut told, paper),
        }
    };
    tell(pair, &mut told, paper);
    Ok(rows)
}

fn tell(pair: &Pair, told: &mut Told, paper: &mut Paper<impl Write>) {
    let timeline = pair.velero.timeline();
    let lines = pair.coordinator().lines();
    let of_facts = timeline.entries()[told.facts..].iter().filter_map(|entry| told.narrator.fact(entry));
    let mut news: Vec<_> = of_facts.collect();
    news.extend(lines[told.lines..].iter().filter_map(|line| told.narrator.logged(line)));
    (told.facts, told.lines) = (timeline.entries().len(), lines.len());
    for line in news {
        paper.event(&line.subject, line.ink, &line.text);
    }
}

/// Submits the night's Backups, waits for their ends and for the receipts.
async fn work(pair: &Pair, layout: Layout) -> Result<Vec<Row>, DemoError> {
    let backups = layout.backups();
    for (name, spec) in &backups {
        pair.velero.submit(name, spec.clone()).await.map_err(|e| DemoError::Backup(name.clone(), e))?;
    }
    let mut nights: BTreeMap<String, Night> = BTreeMap::new();
    for (name, _) in &backups {
        let night = pair.finished(name).await.map_err(|e| DemoError::Backup(name.clone(), e))?;
        nights.insert(name.clone(), night);
    }
    let rows = GROUPS.into_iter().filter_map(|group| {
        let night = nights.get(&layout.backup_of(&group))?;
        Some(row(pair, layout, group, night))
    });
    Ok(join_all(rows).await)
}

async fn row(pair: &Pair, layout: Layout, group: Group, night: &Night) -> Row {
    // Without a receipt the row says so, and the demo fails on it.
    let receipt = pair.receipt_within(&night.backup, &group.key(), RECEIPT_PATIENCE).await.ok();
    let claims = night.seen.claims();
    let members = claims.values().flatten().filter(|pod| pod.namespace == group.namespace).cloned().collect();
    Row {
        layout,
        group,
        phase: night.phase,
        receipt,
        truth: truth_verdict(&night.seen, &members, None).consistency,
        original: OriginalRow::play(layout, &group),
    }
}

/// Says what is played now.
pub fn heading(layout: Layout, number: usize, paper: &mut Paper<impl Write>) {
    paper.line("");
    paper.coloured(Ink::Bold, &format!("Night {number}. {}", layout.title()));
    for line in layout.explanation() {
        paper.coloured(Ink::Dim, &format!("  {line}"));
    }
}
