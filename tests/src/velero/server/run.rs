//! How does one Backup run, from its blocks to the phase after `InProgress`?

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::api::ListParams;

use super::Server;
use super::block::{PostHooks, run_block, run_post_hooks};
use super::journal::Journal;
use super::listing;
use crate::velero::backup::{BackupSpec, LABEL_BACKUP_NAME};
use crate::velero::item_blocks::plan_blocks;
use crate::velero::object_name::ObjectName;
use crate::velero::selection::Selection;
use crate::velero::snapshots::all_snapshots;

/// A Backup that has been let through.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) spec: BackupSpec,
    pub(super) selection: Selection,
}

/// A Backup that runs: what its blocks share.
pub(super) struct Run {
    pub(super) server: Arc<Server>,
    pub(super) job: Job,
    pub(super) journal: Journal,
    done: Mutex<Done>,
}

/// What needs no second treatment, and the native snapshots taken.
#[derive(Default)]
struct Done {
    pods: BTreeSet<ObjectName>,
    claims: BTreeSet<ObjectName>,
    native_attempted: u64,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// The run could not even begin: the Backup is `Failed` for this reason.
    pub(super) fatal: Option<String>,
    pub(super) errors: u64,
    pub(super) warnings: u64,
    pub(super) hooks_attempted: usize,
    pub(super) hooks_failed: usize,
    pub(super) csi_attempted: usize,
    pub(super) native_attempted: u64,
}

impl Run {
    /// Marks a pod as done; says whether it was not before.
    pub(super) fn claim_pod(&self, pod: &ObjectName) -> bool {
        self.done().pods.insert(pod.clone())
    }

    /// Whether a pod is done: its hooks do not run (again).
    pub(super) fn is_pod_done(&self, pod: &ObjectName) -> bool {
        self.done().pods.contains(pod)
    }

    /// Marks a claim as done; says whether it was not before.
    pub(super) fn take_claim(&self, claim: &ObjectName) -> bool {
        self.done().claims.insert(claim.clone())
    }

    /// A native snapshot was taken.
    pub(super) fn count_native(&self) {
        self.done().native_attempted += 1;
    }

    fn done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a Backup: lists, makes blocks, lets the workers take them in order.
pub(super) async fn run(server: Arc<Server>, job: Job) -> Outcome {
    let journal = Journal::new(job.name.clone(), server.truth.clone());
    let run = Run { server, job, journal, done: Mutex::default() };
    let inventory = match listing::list(&run.server.client).await {
        Ok(inventory) => inventory,
        Err(error) => return Outcome { fatal: Some(format!("error listing items: {error}")), ..Outcome::default() },
    };
    let version = run.server.settings.version;
    let plan = plan_blocks(version, &run.job.spec, &run.job.selection, &inventory);
    plan.warnings.into_iter().for_each(|warning| run.journal.warning(warning));

    let workers = version.workers(run.server.settings.item_block_workers);
    let mut waiting = plan.blocks.iter();
    let mut at_work = FuturesUnordered::new();
    let mut detached = FuturesUnordered::new();
    loop {
        let free = workers - at_work.len();
        at_work.extend(waiting.by_ref().take(free).map(|block| run_block(&run, block)));
        tokio::select! {
            block = at_work.next() => match block {
                Some(post) => detached.extend(post.map(|post: PostHooks| run_post_hooks(&run, post))),
                None => break,
            },
            Some(()) = detached.next() => {}
        }
    }
    while detached.next().await.is_some() {}

    let (hooks_attempted, hooks_failed) = run.journal.hooks();
    let csi_attempted = count_snapshots(&run).await;
    let native_attempted = run.done().native_attempted;
    Outcome {
        fatal: None,
        errors: run.journal.errors(),
        warnings: run.journal.warnings(),
        hooks_attempted,
        hooks_failed,
        csi_attempted,
        native_attempted,
    }
}

/// Velero counts the snapshot objects with its label that are there at the end of the run.
async fn count_snapshots(run: &Run) -> usize {
    let labelled = ListParams::default().labels(&format!("{LABEL_BACKUP_NAME}={}", run.job.name));
    all_snapshots(&run.server.client).list(&labelled).await.map_or(0, |list| list.items.len())
}
