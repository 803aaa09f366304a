//! What is around the pair fails: the storage location, or the Backup object itself. Is any group left open?

use std::time::Duration;

use anyhow::Result;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject};
use serde_json::{Value, json};
use shared::verdict::Verdict;
use testbed::aws::s3::Outage;
use testbed::pair::check::{exact, first_cut, hooks_begun};
use testbed::pair::{HookPlan, Pair, PairOptions, compare, group_of_set};
use testbed::velero::backup::{Phase, VELERO_NAMESPACE, backup_resource};
use testbed::velero::cluster::{Made, Workload};

use crate::run::isolated;

/// The plugin's SDK tries again for a while before it gives up an upload.
const PATIENCE: Duration = Duration::from_mins(3);

async fn shop(name: &str, velero_flags: &[&str]) -> Result<(Pair, Made, Value)> {
    let mut options = PairOptions::real(name, 5);
    options.real.flags.extend(velero_flags.iter().map(|flag| (*flag).to_owned()));
    let pair = Pair::start_real(options).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    Ok((pair, made, spec))
}

#[test]
fn a_storage_location_that_goes_away_leaves_no_group_open() {
    isolated(async || {
        let (pair, made, spec) = shop("no-storage", &[]).await?;
        let group = group_of_set("shop", "db");
        let bucket = &pair.velero.real().bed().bucket.s3;
        pair.velero.submit("b", spec.clone()).await?;
        first_cut(&pair).await?;
        bucket.set_outage(Some(Outage::AccessDenied));
        let night = pair.finished_within("b", PATIENCE).await?;
        assert_ne!(night.phase, Phase::Completed, "{}", night.seen);
        // What was cut was cut, wherever Velero could not write it down.
        let receipt = pair.receipt("b", &group).await?;
        compare(receipt.verdict, &night.truth(&made))?;
        pair.nothing_granted().await?;
        // A Backup that cannot even begin asks nothing of the group.
        pair.velero.submit("refused", spec.clone()).await?;
        let refused = pair.finished_within("refused", PATIENCE).await?;
        assert_ne!(refused.phase, Phase::Completed, "{}", refused.seen);
        pair.nothing_granted().await?;
        bucket.set_outage(None);
        pair.velero.real().location_available(PATIENCE).await?;
        let next = pair.back_up("next", spec).await?;
        assert_eq!(next.phase, Phase::Completed, "{}", next.seen);
        exact(&pair, &next, &made, &group, Verdict::GroupConsistent).await?;
        pair.nothing_granted().await
    });
}

#[test]
fn a_backup_deleted_in_mid_run_leaves_no_group_open() {
    isolated(async || {
        // Velero tries for so long, 10 minutes by default, to write the status of a Backup that is gone, and runs no other meanwhile.
        let (pair, made, spec) = shop("backup-deleted", &["--resource-timeout=10s"]).await?;
        pair.velero.submit("b", spec.clone()).await?;
        hooks_begun(&pair, 2).await?;
        let backups: Api<DynamicObject> =
            Api::namespaced_with(pair.client.clone(), VELERO_NAMESPACE, &backup_resource());
        backups.delete("b", &DeleteParams::default()).await?;
        let group = group_of_set("shop", "db");
        let told = pair.coordinator().line("group_receipt", PATIENCE, |_| true).await;
        assert_eq!(told["group_id"], group.group.as_str(), "{told}");
        pair.nothing_granted().await?;
        pair.velero.submit("next", spec).await?;
        // Velero works on the Backup that is gone to its end, and its queue may need a minute more to notice that.
        let next = pair.finished_within("next", PATIENCE).await?;
        assert_eq!(next.phase, Phase::Completed, "{}", next.seen);
        exact(&pair, &next, &made, &group, Verdict::GroupConsistent).await?;
        pair.nothing_granted().await
    });
}
