//! When would each group be backed up, if the coordinator kept the Schedules? `coordinator plan`, run on the demo's cluster.

use std::io::Write;

use anyhow::{Context as _, ensure};

use super::paper::{Ink, Paper, clipped};
use super::workloads::{BUDGET, GROUPS};
use crate::coordinator_process::coordinator_command;
use crate::pair::Pair;

/// What `coordinator plan` ends with when Schedules are to be made, as `terraform plan -detailed-exitcode` does.
const CHANGES: i32 = 2;

/// As somebody would who sleeps at night: eight hours from ten in the evening on.
const FLAGS: [&str; 5] = ["plan", "--backup-window-start", "22:00", "--backup-window-hours", "8"];

/// Plans, and writes what the program says.
///
/// # Errors
/// When it does not plan all groups.
pub fn show(pair: &Pair, paper: &mut Paper<impl Write>) -> anyhow::Result<()> {
    let mut command = coordinator_command();
    command.args(FLAGS).arg("--kubeconfig").arg(pair.kubeconfig("planner")?);
    command.env("MAX_CONCURRENT_SNAPSHOTS", BUDGET.to_string());
    let planned = command.output().context("running coordinator plan")?;
    let (text, said) = (String::from_utf8_lossy(&planned.stdout), String::from_utf8_lossy(&planned.stderr));
    ensure!(planned.status.code() == Some(CHANGES), "coordinator plan ended with {}: {said}", planned.status);
    let missing = GROUPS.iter().find(|group| !text.contains(group.namespace));
    ensure!(missing.is_none(), "{missing:?} is not in the plan:\n{text}");
    paper.line("");
    paper.coloured(Ink::Bold, "Not all at midnight: the night that the coordinator plans for this cluster");
    paper.coloured(Ink::Dim, &format!("  $ coordinator {}", FLAGS.join(" ")));
    for line in text.lines() {
        paper.line(&clipped(&format!("  {line}")));
    }
    Ok(())
}
