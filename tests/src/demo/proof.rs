//! What is it for? Two real databases are backed up while an application works on them, restored and summed.

use std::io::Write;

use super::expected::Surprise;
use super::paper::{Ink, Paper};
use crate::torn::{self, How, Ledger, Night, TornError};

/// Two are enough to be torn.
const MEMBERS: usize = 2;

/// Shows it where there is `PostgreSQL`, and says so where there is none.
pub async fn show(paper: &mut Paper<impl Write>) -> Result<Vec<Surprise>, TornError> {
    let folder = std::env::temp_dir().join(format!("torn-{}", std::process::id()));
    paper.coloured(Ink::Bold, "Does it add up?");
    if let Err(why) = torn::possible(&folder) {
        paper.coloured(Ink::Dim, &format!("  Not shown here: {why}"));
        paper.coloured(Ink::Dim, "  It takes root, PostgreSQL 15 or later and mkfs.xfs: make databases");
        paper.line("");
        return Ok(vec![]);
    }
    for line in [
        "Two real PostgreSQL servers, each on a disk of its own that is really cut, and an application",
        "that moves amounts between them. After the restore what was under way is delivered, and all is",
        "summed.",
    ] {
        paper.coloured(Ink::Dim, &format!("  {line}"));
    }
    let found = nights(&folder, paper).await;
    let _ = std::fs::remove_dir_all(&folder);
    paper.line("");
    found
}

async fn nights(folder: &std::path::Path, paper: &mut Paper<impl Write>) -> Result<Vec<Surprise>, TornError> {
    let root = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || Ledger::open(&root, MEMBERS)).await;
    let ledger = opened.map_err(|error| TornError::Bed(error.into()))??;
    let mut surprises = Vec::new();
    for (run, (how, subject)) in
        [(How::VeleroAlone, "Velero alone"), (How::OrderedBlock, "a group cut")].into_iter().enumerate()
    {
        let night = Night::play(&ledger, how, u64::try_from(run).unwrap_or(0)).await?;
        let as_expected = night.audit.adds_up() == (how == How::OrderedBlock);
        let ink = if night.audit.adds_up() { Ink::Good } else { Ink::Bad };
        paper.event(subject, ink, &in_words(&night));
        if !as_expected {
            let (total, restored) = (night.audit.total, night.audit.restored);
            surprises.push(Surprise::Sum { how: subject.to_owned(), total, restored });
        }
    }
    Ok(surprises)
}

fn in_words(night: &Night) -> String {
    let audit = &night.audit;
    if audit.adds_up() {
        let verdict = night.receipt.as_ref().map_or_else(|| "none".to_owned(), |receipt| receipt.verdict.to_string());
        return format!("{} before, {} restored; the receipt says {verdict}", audit.total, audit.restored);
    }
    format!(
        "{} before, {} restored: {} transfers arrived that nobody had paid",
        audit.total, audit.restored, audit.from_nowhere
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::Audit;

    #[test]
    fn a_sum_is_told_in_one_line() {
        let audit = |restored, from_nowhere| Audit { total: 80, restored, from_nowhere, delivered: 1, disordered: 0 };
        let night = |audit| Night { receipt: None, audit, between_cuts: 0 };
        assert_eq!(in_words(&night(audit(80, 0))), "80 before, 80 restored; the receipt says none");
        assert_eq!(in_words(&night(audit(83, 2))), "80 before, 83 restored: 2 transfers arrived that nobody had paid");
    }
}
