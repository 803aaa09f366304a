//! `coordinator plan`: reads a cluster or files, plans the night, and shows it. It writes nothing.

mod claim_labels;
pub mod cluster;
mod diff;
mod json;
pub mod local_time;
pub mod made;
mod progress;
pub mod svg;
mod text;
mod view;
pub mod words;

use std::io;

use coordinator_core::inventory::facts::Facts;
use coordinator_core::velero_schedule::object::Schedule;
use jiff::Timestamp;
use tokio::runtime;

use crate::cli::{PlanFlags, PlanOutput, ScheduleFlags};
use crate::error_chain::chain;
use crate::exit::PlanExit;
use crate::inventory_files::{self, ReadError};
use crate::output::print;
use made::{Made, MakeError};

/// What keeps a plan from being made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] ReadError),
    /// The cluster cannot be read.
    #[error(transparent)]
    Cluster(#[from] cluster::ClusterError),
    /// The settings allow no plan, or the plan is wrong.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// There is no runtime to ask the cluster with.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// The Schedules cannot be written as YAML.
    #[error("cannot write a Schedule as YAML")]
    Yaml(#[source] serde_saphyr::SerializeError),
}

/// Plans, and shows it.
pub fn run(flags: &PlanFlags) -> PlanExit {
    match show(flags) {
        Ok((text, exit)) => {
            print(&text);
            exit
        }
        Err(error) => {
            eprintln!("coordinator plan: {}", chain(&error));
            PlanExit::Failed
        }
    }
}

fn show(flags: &PlanFlags) -> Result<(String, PlanExit), PlanError> {
    let (facts, hot_budget) = facts(&flags.file, flags.kubeconfig.as_deref(), &flags.schedule)?;
    let mut settings = flags.schedule.clone();
    if let Some(budget) = hot_budget.filter(|budget| *budget < settings.max_concurrent_snapshots) {
        let max = settings.max_concurrent_snapshots;
        eprintln!(
            "the account was hot for days: planned with {budget} of at most {max} volumes (coordinator status says why)"
        );
        settings.max_concurrent_snapshots = budget;
    }
    progress::tell_large(&facts);
    let made = Made::new(&facts, &settings, flags.date, Timestamp::now())?;
    let view = view::view(&made, &facts);
    let text = match (flags.output, flags.diff) {
        (PlanOutput::Text, false) => text::render(&view, &made),
        (PlanOutput::Text, true) => diff::render(&view),
        (PlanOutput::Json, _) => json::render(&view),
        (PlanOutput::Yaml, diff) => yaml(&made, diff)?,
        (PlanOutput::Svg, _) => svg::render(&view, &made),
    };
    Ok((text, if made.writes() { PlanExit::Changes } else { PlanExit::Same }))
}

/// The facts, and from a cluster what its limiter reckons with.
pub fn facts(
    files: &[String],
    kubeconfig: Option<&str>,
    flags: &ScheduleFlags,
) -> Result<(Facts, Option<u32>), PlanError> {
    if !files.is_empty() {
        return Ok((inventory_files::read(files)?, None));
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(PlanError::Runtime)?;
    Ok(runtime.block_on(cluster::read(kubeconfig, &flags.velero_namespace))?)
}

/// The Schedules as one stream of documents, after what claims need; with `--diff`, those alone that would be written.
fn yaml(made: &Made, diff: bool) -> Result<String, PlanError> {
    let mut text = claim_labels::comments(&made.claim_labels);
    for schedule in made.schedules.iter().filter(|schedule| !diff || made.is_written(schedule)) {
        text.push_str("---\n");
        text.push_str(&yaml_of(schedule)?);
    }
    Ok(text)
}

fn yaml_of(schedule: &Schedule) -> Result<String, PlanError> {
    let mut text = serde_saphyr::to_string(schedule).map_err(PlanError::Yaml)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
