//! Pods that really hold something, or fail to: does the receipt say so, whatever the hooks' exit codes were?

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::receipt::Receipt;
use shared::verdict::{Verdict, VerdictReason};
use testbed::pair::{HookPlan, Pair, PairOptions};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{Made, Workload};

/// A step that holds and lets go.
const HOLDS: &str = "- exec: {freeze: [/bin/true], thaw: [/bin/true]}";

/// A step that does neither.
const FAILS: &str = "- exec: {freeze: [/bin/false], thaw: [/bin/true]}";

/// Two pods of one group, each with a folder of its own for what its keeper writes down: here they share a machine.
struct Two {
    folder: PathBuf,
}

impl Two {
    /// Backs up pods `a-0` and `b-0` in one block, with these flags of `pre`; gives their group's receipt.
    async fn receipt(&self, options: PairOptions, flags: [&[&str]; 2]) -> Result<Receipt> {
        let pair = Pair::start(options).await?;
        let mut pods = Vec::new();
        for (name, flags) in ["a", "b"].into_iter().zip(flags) {
            let state_dir = self.folder.join(name);
            std::fs::create_dir_all(&state_dir)?;
            let workload = Workload::stateful_set("shop", name, 1)
                .label(LABEL_SNAPSHOT_GROUP, "mine")
                .env("STATE_DIR", &state_dir.display().to_string())
                .env("ALARM_FILE", &self.folder.join("alarm").display().to_string());
            pods.extend(pair.with(workload, &HookPlan::default().flags(flags)).await?.pods);
        }
        let ordered = Made { pods }.ordered();
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": ordered}});
        let night = pair.back_up("b", spec).await?;
        // No hook's exit code shows that anything was wrong.
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        let group = GroupKey { namespace: Namespace::new("shop")?, group: GroupId::new("mine")? };
        let receipt = pair.receipt("b", &group).await?;
        pair.nothing_granted().await?;
        Ok(receipt)
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn two(name: &str) -> Two {
    Two { folder: std::env::temp_dir().join(format!("pair-quiesce-{name}-{}", std::process::id())) }
}

#[tokio::test(flavor = "multi_thread")]
async fn held_from_the_first_cut_to_the_last_is_group_consistent() -> Result<()> {
    let flags: &[&str] = &["--quiesce", HOLDS];
    let receipt = two("held").receipt(PairOptions::new("held", 5), [flags, flags]).await?;
    assert_eq!(receipt.verdict, Verdict::GroupConsistent, "{receipt:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_could_not_be_held_still_makes_it_crash_consistent() -> Result<()> {
    let flags: [&[&str]; 2] = [&["--quiesce", HOLDS], &["--quiesce", FAILS]];
    let receipt = two("failed").receipt(PairOptions::new("not-held", 5), flags).await?;
    let why = VerdictReason::NeverQuiesced { pod: "b-0".to_owned() };
    assert_eq!((receipt.verdict, &receipt.why), (Verdict::CrashConsistent, &why), "{receipt:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_passes_before_the_cut_makes_it_crash_consistent() -> Result<()> {
    let mut options = PairOptions::new("let-go-early", 5);
    options.velero.cut_delay = Duration::from_secs(4);
    let flags: [&[&str]; 2] = [&["--quiesce", HOLDS], &["--quiesce", HOLDS, "--quiesce-max", "1s"]];
    let receipt = two("early").receipt(options, flags).await?;
    let why = VerdictReason::CutOutsideQuiesce { pod: "b-0".to_owned() };
    assert_eq!((receipt.verdict, &receipt.why), (Verdict::CrashConsistent, &why), "{receipt:?}");
    Ok(())
}
