//! A generated Schedule whose Backup is still Queued when its next run comes: Velero 1.18 would add another one to the pile. The breaker holds it
//! up, says so, and lets it go on without firing at once.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use shared::names::ANNOTATION_PAUSED_BY;
use testbed::pair::{HookPlan, Pair, PairOptions};
use testbed::velero::backup::{Phase, VELERO_NAMESPACE, backup_resource};
use testbed::velero::cluster::{CONTAINER, Workload};

use crate::run::isolated_for;
use crate::schedules::{AHEAD, AT, SOON, ahead, backups_of, cron_of, schedule_of, schedules};

/// Two crons are waited for, and Velero's look at its Schedules after each of them.
const LIMIT: Duration = Duration::from_mins(18);

/// Velero looks at its Schedules once a minute; the rest is for a busy machine.
const A_LOOK: Duration = Duration::from_mins(3);

/// A Schedule that nobody but its owner touches.
const BY_HAND: &str = "by-hand";

/// Whoever holds Velero up waits for this file in its root folder.
const GO: &str = "go";
const UNTIL_GO: &str = "until [ -e /go ]; do sleep 0.2; done; exec \"$0\" \"$@\"";

#[test]
fn a_queued_backup_gets_no_second_one_of_its_schedule() {
    isolated_for(LIMIT, async || {
        let options =
            PairOptions::real("pile-up", 10).flags(&["--schedules", "apply", "--check-interval-seconds", "10"]);
        let pair = Pair::start_real(options).await?;
        // Velero runs one backup at a time, and this one's hook does not end until it is told to.
        let waits = HookPlan::default().timeout(LIMIT).shell(UNTIL_GO);
        let skipped = Workload::stateful_set("slow", "web", 1).annotation("snapshot-group.velero.io/skip", "true");
        let slow = pair.with(skipped, &waits).await?;
        pair.velero.submit("holder", json!({"includedNamespaces": ["slow"]})).await?;

        let (_, at) = ahead(AHEAD);
        let made =
            pair.with(Workload::stateful_set("shop", "db", 1).annotation(AT, &at), &HookPlan::by_schedule()).await?;
        let name = schedule_of(&pair, "shop-db").await;
        let queued = backups_of(&pair, &name, 1, AHEAD + A_LOOK).await?.swap_remove(0).name_any();
        let backups: Api<DynamicObject> =
            Api::namespaced_with(pair.client.clone(), VELERO_NAMESPACE, &backup_resource());
        until_it_is_queued(&backups, &queued).await?;

        // Its next run comes while that one still waits.
        let (second, at) = ahead(AHEAD);
        let patch = Patch::Merge(json!({"metadata": {"annotations": {AT: at}}}));
        let sets: Api<StatefulSet> = Api::namespaced(pair.client.clone(), "shop");
        sets.patch("db", &PatchParams::default(), &patch).await?;
        let pods: Api<Pod> = Api::namespaced(pair.client.clone(), "shop");
        pods.patch(&made.pods[0].name.name, &PatchParams::default(), &patch).await?;
        let is_it = |line: &Value| line["schedule"] == name.as_str();
        let line = pair.coordinator().line("schedule_paused", AHEAD + A_LOOK, is_it).await;
        ensure!(line["message"].as_str().is_some_and(|said| said.contains(&queued)), "{line}");
        until(&schedules(&pair), &name, "a pause", |found| found.data["spec"]["paused"] == true).await?;
        told(&pair, "SnapshotSchedulePaused", &name).await?;
        counted(&pair, "pause").await?;
        control_piles_up(&pair, &backups).await?;
        passes(&pair, second).await?;
        ensure!(
            backups_of(&pair, &name, 1, A_LOOK).await?.len() == 1,
            "its minute {second} passed, and Velero piled up"
        );

        let pod = &slow.pods[0];
        let root = pair.velero.real().bed().container_root(&pod.name.namespace, &pod.uid, CONTAINER);
        fs::write(root.join(GO), "").with_context(|| format!("telling the hook in {} to go", root.display()))?;
        for backup in ["holder", &queued] {
            let night = pair.finished_within(backup, SOON).await?;
            ensure!(night.phase == Phase::Completed, "{}", night.seen);
        }
        pair.coordinator().line("schedule_resumed", SOON, is_it).await;
        told(&pair, "SnapshotScheduleResumed", &name).await?;
        counted(&pair, "resume").await?;
        // Velero has seen it, and passed the run by that was due meanwhile: it takes the wish back and notes when.
        let passed_by = |found: &DynamicObject| {
            let Value::Object(spec) = &found.data["spec"] else { return false };
            let taken_back = spec.get("skipImmediately").is_none_or(|skip| skip == false);
            taken_back
                && spec.get("paused").is_none_or(|paused| paused == false)
                && found.data["status"]["lastSkipped"].is_string()
        };
        until(&schedules(&pair), &name, "the run that is passed by", passed_by).await?;
        ensure!(backups_of(&pair, &name, 1, A_LOOK).await?.len() == 1, "it fired the moment that it ran again");
        pair.nothing_granted().await
    });
}

/// What Velero does by itself, behind the same Backup that does not end: a Schedule of a person's, which nobody holds up, adds one Backup to the
/// other. Seen under Velero 1.18.3 (28 November 2026): its second Backup came at its second minute, both were Queued and neither had begun. The
/// Schedule goes again; what it queued runs when the others are through.
async fn control_piles_up(pair: &Pair, backups: &Api<DynamicObject>) -> Result<()> {
    let by_hand = json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": BY_HAND},
        "spec": {"schedule": "* * * * *", "template": {"includedNamespaces": ["nothing"]}}});
    schedules(pair).create(&PostParams::default(), &serde_json::from_value(by_hand)?).await?;
    let piled = backups_of(pair, BY_HAND, 2, AHEAD + A_LOOK).await?;
    for backup in &piled {
        let phase = until_it_is_queued(backups, &backup.name_any()).await?;
        println!("{}: {phase}", backup.name_any());
    }
    let schedule = schedules(pair).get(BY_HAND).await?;
    let spec = &schedule.data["spec"];
    ensure!(spec.get("paused").is_none_or(|paused| paused == false), "it is nobody's to pause: {spec}");
    ensure!(schedule.annotations().get(ANNOTATION_PAUSED_BY).is_none(), "{:?}", schedule.annotations());
    schedules(pair).delete(BY_HAND, &DeleteParams::default()).await?;
    Ok(())
}

/// Velero has put it behind the one that runs, and has not begun it.
async fn until_it_is_queued(backups: &Api<DynamicObject>, name: &str) -> Result<String> {
    until(backups, name, "its place in the queue", |found| found.data["status"]["phase"] == "Queued").await?;
    let found = backups.get(name).await?;
    ensure!(found.data["status"].get("startTimestamp").is_none(), "{}", found.data);
    Ok(found.data["status"]["phase"].as_str().unwrap_or_default().to_owned())
}

async fn until(all: &Api<DynamicObject>, name: &str, what: &str, fits: impl Fn(&DynamicObject) -> bool) -> Result<()> {
    let fits = |found: Option<&DynamicObject>| found.is_some_and(&fits);
    if tokio::time::timeout(A_LOOK, await_condition(all.clone(), name, fits)).await.is_err() {
        bail!("waited in vain for {what}: {}", all.get(name).await?.data);
    }
    Ok(())
}

/// An Event of this reason on the Schedule.
async fn told(pair: &Pair, reason: &str, schedule: &str) -> Result<()> {
    let events: Api<Event> = Api::all(pair.client.clone());
    let fits = |event: &Event| {
        let about = event.regarding.as_ref().and_then(|about| about.name.as_deref());
        event.reason.as_deref() == Some(reason) && about == Some(schedule)
    };
    let heard = async {
        while !events.list(&ListParams::default()).await?.items.iter().any(fits) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, heard).await.with_context(|| format!("no Event {reason} on Schedule {schedule}"))?
}

async fn counted(pair: &Pair, action: &str) -> Result<()> {
    let metrics = pair.coordinator().get("/metrics").await.body;
    let wanted = format!("snapshot_coordinator_schedule_writes_total{{action=\"{action}\"}} 1");
    ensure!(metrics.contains(&wanted), "no `{wanted}` in {metrics}");
    Ok(())
}

/// Velero has looked at its Schedules after this minute: another one, made for this, has fired.
async fn passes(pair: &Pair, minute: Timestamp) -> Result<()> {
    let witness = json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "witness"},
        "spec": {"schedule": cron_of(minute), "template": {"includedNamespaces": ["nothing"]}}});
    schedules(pair).create(&PostParams::default(), &serde_json::from_value(witness)?).await?;
    backups_of(pair, "witness", 1, AHEAD + A_LOOK).await?;
    Ok(())
}
