//! Does a restore of several databases add up? Without the product it does not; with it, it always does; and a receipt never says more.
//!
//! Needs root, `PostgreSQL`, XFS and ext4 tools (`make databases`): without them one line says that this is skipped, and with
//! `CI=true` it fails.

use std::time::Duration;

use anyhow::ensure;
use shared::verdict::Verdict;
use testbed::binaries;
use testbed::isolated::{self, Absent, Variables};
use testbed::torn::{self, How, Ledger, Night};

/// All nights of a test are over by then.
const LIMIT: Duration = Duration::from_mins(5);

/// What a night of each kind must show.
async fn night(ledger: &Ledger, how: How, run: u64) -> anyhow::Result<Night> {
    let night = Night::play(ledger, how, run).await?;
    let verdict = night.receipt.as_ref().map(|receipt| receipt.verdict);
    println!(
        "{} members, {how:?}, run {run}: {verdict:?}, {:?}, {} between cuts",
        ledger.members(),
        night.audit,
        night.between_cuts
    );
    ensure!(night.audit.disordered == 0, "each server alone recovers from any cut: {:?}", night.audit);
    match how {
        How::VeleroAlone => {
            ensure!(verdict.is_none() && !night.audit.adds_up(), "Velero alone tears a group: {night:?}");
        }
        How::OrderedInSilence => {
            ensure!(
                verdict == Some(Verdict::CrashConsistent) && !night.audit.adds_up(),
                "silence is no stillness: {night:?}"
            );
        }
        How::EachPodAlone => {
            ensure!(verdict == Some(Verdict::MemberConsistent), "{night:?}");
        }
        How::OrderedBlock => {
            ensure!(verdict == Some(Verdict::GroupConsistent), "{night:?}");
            ensure!(night.audit.adds_up() && night.between_cuts == 0, "a receipt said too much: {night:?}");
        }
    }
    Ok(night)
}

fn servers(members: usize, nights: &'static [How]) -> impl AsyncFnOnce() -> anyhow::Result<()> {
    async move || {
        let root = std::env::temp_dir().join("t");
        let ledger = tokio::task::spawn_blocking(move || Ledger::open(&root, members)).await??;
        for (run, how) in nights.iter().enumerate() {
            night(&ledger, *how, u64::try_from(run)?).await?;
        }
        Ok(())
    }
}

fn prepared() -> Result<Variables, Absent> {
    let folder = std::env::temp_dir().join(format!("torn-{}-{:?}", std::process::id(), std::thread::current().id()));
    torn::possible(&folder).map_err(|error| Absent(error.to_string()))?;
    // Built outside, where there is a network.
    let programs = [
        (binaries::COORDINATOR_VARIABLE, binaries::coordinator()),
        (binaries::HOOK_AGENT_VARIABLE, binaries::hook_agent()),
    ];
    Ok(programs.map(|(name, path)| (name.to_owned(), path.as_os_str().to_owned())).to_vec())
}

#[test]
fn two_databases_are_torn_by_velero_and_never_by_a_group_cut() {
    isolated::run(LIMIT, prepared, async || {
        const GROUP: How = How::OrderedBlock;
        const NIGHTS: [How; 12] = [
            How::VeleroAlone,
            How::EachPodAlone,
            How::OrderedInSilence,
            GROUP,
            GROUP,
            GROUP,
            GROUP,
            GROUP,
            GROUP,
            GROUP,
            GROUP,
            GROUP,
        ];
        servers(2, &NIGHTS)().await
    });
}

#[test]
fn five_databases_are_torn_by_velero_and_never_by_a_group_cut() {
    isolated::run(LIMIT, prepared, async || {
        const GROUP: How = How::OrderedBlock;
        servers(5, &[How::VeleroAlone, GROUP, GROUP, GROUP, GROUP, GROUP])().await
    });
}
