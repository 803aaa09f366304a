//! Velero's definition of Backups vanishes in mid-backup, and every Backup with it, and comes back. (What is said of a version that nobody knows is
//! tested without a Velero, which would not start with it.)

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, Client};
use serde_json::json;
use shared::verdict::Verdict;
use testbed::pair::check::{exact, first_cut};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;

use crate::run::isolated;

const BACKUPS: &str = "backups.velero.io";

/// The watch ends at once; the next look may be as far away as its pauses grow.
const SOON: Duration = Duration::from_mins(2);

/// Velero's own watches come back when it is started anew, its queue later.
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn a_definition_that_vanishes_leaves_no_group_open() {
    isolated(async || {
        let options = PairOptions::real("definitions", 5).flags(&["--round-idle", "1s"]);
        let mut pair = Pair::start_real(options).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 2), &HookPlan::default()).await?;
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        pair.velero.submit("b", spec.clone()).await?;
        first_cut(&pair).await?;
        let kept = take_away(&pair.client).await?;
        let absent = pair.coordinator().line("kind_absent", SOON, |line| line["resource"] == BACKUPS).await;
        ensure!(absent["message"].as_str().is_some_and(|said| said.contains("served without backups")), "{absent}");
        // Velero goes on with what it has begun, so its hooks end; if they did not, silence would end the round.
        pair.nothing_granted().await?;

        put(&pair.client, kept).await?;
        pair.coordinator().line("kind_present", SOON, |line| line["resource"] == BACKUPS).await;

        pair.restart_velero(|_| ()).await?;
        pair.velero.submit("next", spec).await?;
        let next = pair.finished_within("next", PATIENCE).await?;
        ensure!(next.phase == Phase::Completed, "{}", next.seen);
        exact(&pair, &next, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
        pair.nothing_granted().await
    });
}

/// Deletes the definition, and with it every Backup; returns it as it can be created again.
async fn take_away(client: &Client) -> Result<CustomResourceDefinition> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let found = definitions.get(BACKUPS).await.context("Velero's definition of Backups")?;
    let uid = found.metadata.uid.clone().context("it has a uid")?;
    definitions.delete(BACKUPS, &DeleteParams::default()).await?;
    let gone = await_condition(definitions, BACKUPS, conditions::is_deleted(&uid));
    tokio::time::timeout(SOON, gone).await.context("the definition does not go")??;
    let metadata =
        ObjectMeta { name: found.metadata.name, annotations: found.metadata.annotations, ..ObjectMeta::default() };
    Ok(CustomResourceDefinition { metadata, spec: found.spec, status: None })
}

async fn put(client: &Client, definition: CustomResourceDefinition) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.create(&PostParams::default(), &definition).await.context("putting the definition back")?;
    let established = await_condition(definitions, BACKUPS, conditions::is_crd_established());
    tokio::time::timeout(SOON, established).await.context("the definition is not served")??;
    Ok(())
}
