//! A drill: the group's Backup is restored into another namespace. Do its claims come from the very cuts that the receipt speaks of, does the
//! receipt travel with the Backup, and is what was restored a group of its own?

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::verdict::Verdict;
use testbed::ebs::{Ebs, Provisioner};
use testbed::pair::check::exact;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::real_velero::{SnapshotChain, restore_into};
use testbed::velero::backup::{Phase, VELERO_NAMESPACE, backup_resource};
use testbed::velero::cluster::Workload;
use testbed::velero::truth::CutWay;

use crate::run::isolated_with_chain;

/// A Restore of three claims takes seconds; the rest is for a machine that is busy with others.
const RESTORED_WITHIN: Duration = Duration::from_mins(3);

/// Velero looks each ten seconds here for Backups that only the storage location has.
const SYNCED_WITHIN: Duration = Duration::from_mins(2);

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_restored_group_comes_from_the_cuts_of_its_receipt() {
    isolated_with_chain(async || {
        let ebs = Ebs::start(CutWay::Csi);
        let pair = Pair::start_real(ebs.chain(PairOptions::real("restore", 3), true)).await?;
        let _chain = SnapshotChain::start(pair.velero.real().bed(), &ebs.ec2.url()).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
        ebs.lay(&pair.client).await?;
        let night = pair
            .back_up("b", json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}}))
            .await?;
        let night = ebs.told(&pair, night)?;
        ensure!(night.phase == Phase::Completed, "{}", night.seen);
        let group = group_of_set("shop", "db");
        let receipt = exact(&pair, &night, &made, &group, Verdict::GroupConsistent).await?;

        // The Backup object is lost, as with its cluster; Velero finds the Backup in its storage location, the receipt with it.
        let backups: Api<DynamicObject> =
            Api::namespaced_with(pair.client.clone(), VELERO_NAMESPACE, &backup_resource());
        let before = backups.get("b").await?.uid();
        backups.delete("b", &DeleteParams::default()).await?;
        let is_back = |found: Option<&DynamicObject>| found.is_some_and(|found| found.uid() != before);
        tokio::time::timeout(SYNCED_WITHIN, await_condition(backups, "b", is_back))
            .await
            .context("Velero did not sync the Backup")??;
        ensure!(pair.receipt("b", &group).await? == receipt, "another receipt came back than {receipt:?}");

        let provisioner = Provisioner::start(pair.client.clone(), ebs.ec2.clone());
        let restore = restore_into(&pair.client, "b", "shop", "drill", RESTORED_WITHIN).await?;
        ensure!(restore.data["status"]["phase"] == "Completed", "{}", restore.data["status"]);
        let from: BTreeMap<String, String> = eventually_restored(&provisioner, made.pods.len()).await?;
        let cuts = ebs.ec2.cuts();
        for pod in &made.pods {
            let claim = &pod.claims[0].name;
            let snapshot = from.get(claim).with_context(|| format!("claim {claim} was not restored: {from:?}"))?;
            let cut = cuts
                .iter()
                .find(|cut| cut.snapshot.to_string() == *snapshot)
                .context("it is a snapshot of this EC2")?;
            let told = receipt
                .members
                .iter()
                .find(|member| member.pod.as_str() == pod.name.name)
                .context("it is in the receipt")?;
            let [told] = &told.cuts[..] else { anyhow::bail!("{told:?}") };
            let apart = cut.at.as_microsecond() - told.at.as_micros();
            ensure!(
                told.claim == *claim && (0..=i64::try_from(told.resolution_ms)? * 1_000).contains(&apart),
                "{cut:?}, {told:?}"
            );
        }
        restored_pods_are_a_group_of_their_own(&pair).await
    });
}

/// Of which snapshot each claim of the drill was made.
async fn eventually_restored(provisioner: &Provisioner, count: usize) -> Result<BTreeMap<String, String>> {
    let all = async {
        loop {
            let restored = provisioner.restored();
            if restored.len() == count {
                return restored.into_iter().map(|(claim, snapshot)| (claim.name, snapshot.to_string())).collect();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(RESTORED_WITHIN, all)
        .await
        .with_context(|| format!("restored only {:?}", provisioner.restored()))
}

/// Velero restores pods with the labels that they had. Their StatefulSet takes them up, and the coordinator takes its own label along.
async fn restored_pods_are_a_group_of_their_own(pair: &Pair) -> Result<()> {
    let sets: Api<k8s_openapi::api::apps::v1::StatefulSet> = Api::namespaced(pair.client.clone(), "drill");
    let set = sets.get("db").await.context("the restored StatefulSet")?;
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": set.uid(), "controller": true});
    let pods: Api<Pod> = Api::namespaced(pair.client.clone(), "drill");
    let here = group_of_set("drill", "db").group.to_string();
    for pod in ["db-0", "db-1", "db-2"] {
        let adopt = Patch::Merge(json!({"metadata": {"ownerReferences": [owner]}}));
        pods.patch(pod, &PatchParams::default(), &adopt).await.with_context(|| format!("restored pod {pod}"))?;
        let is_here =
            |found: Option<&Pod>| found.is_some_and(|found| found.labels().get(LABEL_SNAPSHOT_GROUP) == Some(&here));
        let labelled = tokio::time::timeout(PATIENCE, await_condition(pods.clone(), pod, is_here)).await;
        if labelled.is_err() {
            anyhow::bail!("restored pod {pod} has labels {:?}", pods.get(pod).await?.labels());
        }
    }
    Ok(())
}
