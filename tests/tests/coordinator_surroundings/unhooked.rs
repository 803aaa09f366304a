//! Hooks that can never come: the binary is missing or for another machine, the container does not exist.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use shared::identity::GroupKey;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::cluster::{Workload, create};
use testbed::velero::hook_calls::HookPhase;

use crate::place::{SOON, note, told};

/// The head of an ELF file for a machine that exists nowhere: exec refuses it as it refuses another architecture.
const FOREIGN_ELF: [u8; 20] = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xfe\xff";

fn foreign_agent(folder: &Path) -> Result<String> {
    let path = folder.join("hook-agent");
    std::fs::write(&path, FOREIGN_ELF)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path.to_str().context("a UTF-8 path")?.to_owned())
}

async fn put(pair: &Pair, name: &str, workload: impl FnOnce(Workload) -> Workload) -> Result<GroupKey> {
    let made = create(&pair.client, &workload(Workload::stateful_set("shop", name, 1))).await?;
    pair.labelled(&made.pods[0].name).await?;
    Ok(group_of_set("shop", name))
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_whose_hooks_never_come_are_told_and_others_are_not() -> Result<()> {
    let pair = Pair::start(PairOptions::new("unhooked", 5)).await?;
    let folder = std::env::temp_dir().join(format!("testbed-unhooked-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let foreign = foreign_agent(&folder)?;
    let hook = |command: String| move |w: Workload| w.hook(HookPhase::Pre, &[&command, "pre"], "Continue", SOON);
    let missing = put(&pair, "missing", hook("/nonexistent/hook-agent".to_owned())).await?;
    let other_machine = put(&pair, "foreign", hook(foreign)).await?;
    let container = put(&pair, "container", |w| {
        hook("/snapshot/hook-agent".to_owned())(w).annotation("pre.hook.backup.velero.io/container", "nope")
    })
    .await?;
    let others = put(&pair, "others", |w| w.shell_hooks("true", "true")).await?;
    pair.with(Workload::stateful_set("shop", "good", 1), &HookPlan::default()).await?;
    let good = group_of_set("shop", "good");

    let night = pair.back_up("nightly", json!({"includedNamespaces": ["shop"]})).await?;
    pair.receipt("nightly", &good).await?;
    for (group, name) in [(&missing, "missing"), (&other_machine, "foreign"), (&container, "container")] {
        let of_group = |line: &serde_json::Value| line["group_id"] == json!(group.group);
        let line = pair.coordinator().line("hooks_missed", SOON, of_group).await;
        assert_eq!((&line["backup"], &line["pod_count"]), (&json!("nightly"), &json!(1)), "{}", night.seen);
        let event = told(&pair.client, "SnapshotHooksMissed", ("StatefulSet", name)).await;
        assert!(note(&event).contains("without its hooks"), "{event:?}");
    }
    told(&pair.client, "SnapshotHooksMissed", ("Backup", "nightly")).await;
    let told_of: Vec<_> = pair.coordinator().lines_of("hooks_missed").iter().map(|l| l["group_id"].clone()).collect();
    assert_eq!(told_of.len(), 3, "neither of {good} nor of {others}: {told_of:?}");
    let counted = pair.coordinator().metric("snapshot_coordinator_groups_without_hooks_total").await;
    assert!((counted - 3.0).abs() < f64::EPSILON, "{counted}");
    std::fs::remove_dir_all(&folder)?;
    pair.nothing_granted().await
}
