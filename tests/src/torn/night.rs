//! How is one backup of the ledger played while the application works?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use shared::receipt::Receipt;

use super::application::Application;
use super::audit::Audit;
use super::disks;
use super::ledger::{Ledger, NAMESPACE, RECIPE, SET};
use super::{TornError, text};
use crate::pair::{HookPlan, Pair, PairOptions, Place, group_of_set};
use crate::recipes;
use crate::velero::CutVolume;
use crate::velero::backup::Phase;
use crate::velero::cluster::Workload;
use crate::velero::object_name::ObjectName;

/// Transfers that are through before the backup begins, and again after its end: the application really works.
const TRANSFERS_MIN: u64 = 40;

/// They come within this, or never.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long the recipe's own steps may take: more than a hook is given by default.
const HOOK_TIMEOUT: Duration = Duration::from_mins(5);

/// Longer than the night's own polls, so that the application moves amounts between any two cuts.
const POLL: Duration = Duration::from_millis(250);

/// How the ledger is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Velero alone: no hooks.
    VeleroAlone,
    /// With the hook-agent's recipe, one pod after another, as Velero does by default.
    EachPodAlone,
    /// With it, and the Backup lists the group's pods in `orderedResources`.
    OrderedBlock,
    /// The same, but nobody has told the hook-agent how a database is held still.
    OrderedInSilence,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Night {
    /// The group's receipt, where there are hooks.
    pub receipt: Option<Receipt>,
    /// What the restore is worth.
    pub audit: Audit,
    /// Transfers between the first cut and the last.
    pub between_cuts: u64,
}

/// A cut disk, and how far the application was.
struct Cut {
    copy: PathBuf,
    transfers: u64,
}

impl Night {
    /// Backs the ledger up while the application works on it, restores that and looks. Each run has a number of its own.
    pub async fn play(ledger: &Ledger, how: How, run: u64) -> Result<Self, TornError> {
        let application = Arc::new(ledger.work(run)?);
        let cuts: Arc<Mutex<BTreeMap<String, Cut>>> = Arc::default();
        let receipt = back_up(ledger, how, run, &application, &cuts).await.map_err(TornError::Bed)?;
        let application =
            Arc::into_inner(application).ok_or_else(|| TornError::Absent("a cut is still made".to_owned()))?;
        application.end()?;
        let cuts = std::mem::take(&mut *cuts.lock().unwrap_or_else(PoisonError::into_inner));
        let copies: Vec<PathBuf> = cuts.values().map(|cut| cut.copy.clone()).collect();
        let far = |pick: fn(u64, u64) -> u64| cuts.values().map(|cut| cut.transfers).reduce(pick).unwrap_or(0);
        let between_cuts = far(u64::max) - far(u64::min);
        if copies.len() != ledger.members() {
            return Err(TornError::Bed(anyhow::anyhow!("{} of {} disks were cut", copies.len(), ledger.members())));
        }
        let place = ledger.root().join(format!("restored-{run}"));
        let (programs, total) = (ledger.programs().to_owned(), ledger.total());
        let audit = tokio::task::spawn_blocking(move || Audit::of(&programs, &copies, total, &place)).await;
        let audit = audit.map_err(|error| TornError::Bed(error.into()))??;
        Ok(Self { receipt, audit, between_cuts })
    }
}

async fn back_up(
    ledger: &Ledger,
    how: How,
    run: u64,
    application: &Arc<Application>,
    cuts: &Arc<Mutex<BTreeMap<String, Cut>>>,
) -> anyhow::Result<Option<Receipt>> {
    let images: BTreeMap<String, PathBuf> = ledger.images().into_iter().collect();
    let (counting, cut) = (Arc::downgrade(application), Arc::clone(cuts));
    let cut_volume = move |_: &str, claim: &ObjectName| {
        let image = images.get(&claim.name).ok_or_else(|| std::io::Error::other(format!("{claim} has no disk")))?;
        let copy = disks::cut(image, &format!("cut-{run}")).map_err(std::io::Error::other)?;
        let transfers = counting.upgrade().map_or(0, |application| application.transfers());
        cut.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.name.clone(), Cut { copy, transfers });
        Ok(())
    };
    let mut options = PairOptions::new("torn", u32::try_from(ledger.members())?);
    options.velero.csi_poll = POLL;
    options.velero.pods_root = Some(ledger.root().to_owned());
    options.velero.cut_volume = Some(CutVolume(Arc::new(cut_volume)));
    let pair = Pair::start_on(Place::embedded().await?, options).await?;
    let (workload, hooks) = dressed(ledger, how)?;
    let made = pair.with(workload, &hooks).await?;
    works(application, "before the backup").await?;

    let mut spec = json!({"includedNamespaces": [NAMESPACE]});
    if matches!(how, How::OrderedBlock | How::OrderedInSilence) {
        spec["orderedResources"] = json!({"pods": made.ordered()});
    }
    let night = pair.back_up("nightly", spec).await?;
    ensure!(night.phase == Phase::Completed, "the Backup ended {}", night.phase);
    let receipt = match how {
        How::VeleroAlone => None,
        How::EachPodAlone | How::OrderedBlock | How::OrderedInSilence => {
            Some(pair.receipt("nightly", &group_of_set(NAMESPACE, SET)).await?)
        }
    };
    works(application, "after the backup").await?;
    Ok(receipt)
}

fn dressed(ledger: &Ledger, how: How) -> anyhow::Result<(Workload, HookPlan)> {
    let workload = Workload::stateful_set(NAMESPACE, SET, u32::try_from(ledger.members())?);
    if how == How::VeleroAlone {
        return Ok((workload, HookPlan::by_schedule()));
    }
    let path = std::env::var("PATH").context("a PATH")?;
    let workload = workload
        .env("PATH", &format!("{}:{path}", text(ledger.programs())))
        .env("PGHOST", "/data/s")
        .env("STATE_DIR", "/data");
    let hooks = HookPlan::default().timeout(HOOK_TIMEOUT);
    if how == How::OrderedInSilence {
        return Ok((workload, hooks.in_silence()));
    }
    let recipe = recipes::annotations(&recipes::block(RECIPE));
    let workload = recipe.iter().fold(workload, |workload, (key, value)| workload.annotation(key, value));
    Ok((workload, hooks))
}

/// Waits until it has made some more transfers.
async fn works(application: &Application, when: &str) -> anyhow::Result<()> {
    let (begin, before) = (Instant::now(), application.transfers());
    while application.transfers() < before + TRANSFERS_MIN {
        ensure!(begin.elapsed() < PATIENCE, "the application makes no transfers {when}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
