//! A night on which enough happens: a group that is proven consistent, one that is not, hooks that never come, a Backup that is refused.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use shared::names::LABEL_SNAPSHOT_GROUP;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::cluster::{Workload, create};
use testbed::velero::hook_calls::HookPhase;

/// Whatever is waited for comes within this, or never.
const SOON: Duration = Duration::from_mins(1);

/// A step that cannot hold.
const FAILS: &str = "- exec: {freeze: [/bin/false], thaw: [/bin/true]}";

/// What was written.
pub struct Night {
    /// The coordinator's log lines.
    pub lines: Vec<Value>,
    /// Its `/metrics` at the end.
    pub metrics: String,
}

/// Plays it.
pub async fn play() -> Result<Night> {
    let pair = Pair::start(PairOptions::new("monitoring", 5)).await?;
    let folder = std::env::temp_dir().join(format!("testbed-monitoring-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let good = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": good.ordered()}});
    pair.back_up("consistent", spec).await?;
    pair.receipt("consistent", &group_of_set("shop", "db")).await?;

    let torn = Workload::stateful_set("mail", "store", 1)
        .label(LABEL_SNAPSHOT_GROUP, "torn")
        .env("STATE_DIR", &folder.display().to_string())
        .env("ALARM_FILE", &folder.join("alarm").display().to_string());
    pair.with(torn, &HookPlan::default().flags(&["--quiesce", FAILS])).await?;
    pair.back_up("torn", json!({"includedNamespaces": ["mail"]})).await?;
    let is_torn = |line: &Value| line["verdict"] == "crash-consistent";
    pair.coordinator().line("group_receipt", SOON, is_torn).await;

    let missing = ["/nonexistent/hook-agent", "pre"];
    let unhooked = Workload::stateful_set("web", "cache", 1).hook(HookPhase::Pre, &missing, "Continue", SOON);
    let made = create(&pair.client, &unhooked).await?;
    pair.labelled(&made.pods[0].name).await?;
    pair.back_up("unhooked", json!({"includedNamespaces": ["web"]})).await?;
    pair.coordinator().line("hooks_missed", SOON, |_| true).await;

    let metrics = pair.coordinator().get("/metrics").await;
    let lines = pair.coordinator().lines();
    std::fs::remove_dir_all(&folder).context("the night's folder")?;
    Ok(Night { lines, metrics: metrics.body })
}
