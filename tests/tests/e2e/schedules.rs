//! A night of generated Schedules in little: the coordinator makes them, Velero runs them, a group grows between two runs, and a changed cron fires
//! nothing at once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::{Phase, VELERO_NAMESPACE, backup_resource};
use testbed::velero::cluster::Workload;
use testbed::velero::schedule;

use crate::run::isolated_for;

/// Two crons are waited for, each some minutes ahead, and Velero looks once a minute.
const LIMIT: Duration = Duration::from_mins(14);

/// A change settles for ten seconds and plans are half a minute apart.
pub const SOON: Duration = Duration::from_mins(3);

/// From a cron's minute to the end of its Backup, with others before it in the queue.
const RUN_WITHIN: Duration = Duration::from_mins(6);

/// Crons are so far ahead when they are asked for: a plan, a minute of Velero's, and a busy machine.
pub const AHEAD: Duration = Duration::from_mins(3);

/// Groups beside the one that grows.
const GROUPS: usize = 12;

/// Fixes when a workload is backed up.
pub const AT: &str = "snapshot-group.velero.io/at";

/// A minute to come, and as its owner writes it.
pub fn ahead(by: Duration) -> (Timestamp, String) {
    let at = Timestamp::now() + by;
    let whole = Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at);
    (whole, whole.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string())
}

/// A minute of every day, as cron says it.
pub fn cron_of(minute: Timestamp) -> String {
    minute.to_zoned(TimeZone::UTC).strftime("%-M %-H * * *").to_string()
}

/// Velero's Schedules.
pub fn schedules(pair: &Pair) -> Api<DynamicObject> {
    schedule::schedules(pair.client.clone(), VELERO_NAMESPACE)
}

/// The name of the Schedule of the group of this readable part, once it is made.
pub async fn schedule_of(pair: &Pair, part: &str) -> String {
    pair.coordinator().schedule_created(part, SOON).await
}

/// A Schedule's Backups, oldest first, once there are so many.
pub async fn backups_of(pair: &Pair, schedule: &str, count: usize, limit: Duration) -> Result<Vec<DynamicObject>> {
    let backups: Api<DynamicObject> = Api::namespaced_with(pair.client.clone(), VELERO_NAMESPACE, &backup_resource());
    let of_it = ListParams::default().labels(&format!("velero.io/schedule-name={schedule}"));
    let enough = async {
        loop {
            let mut found = backups.list(&of_it).await?.items;
            if found.len() >= count {
                found.sort_by_key(|backup| backup.creation_timestamp().map(|time| time.0));
                return anyhow::Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(limit, enough).await.with_context(|| format!("fewer than {count} Backups of {schedule}"))?
}

/// Its first or later Backup is good, and its group's receipt says so.
async fn good(pair: &Pair, schedule: &str, namespace: &str, set: &str, run: usize) -> Result<DynamicObject> {
    let backup = backups_of(pair, schedule, run, AHEAD + RUN_WITHIN).await?.swap_remove(run - 1);
    let night = pair.finished_within(&backup.name_any(), RUN_WITHIN).await?;
    ensure!(night.phase == Phase::Completed, "{}", night.seen);
    let receipt = pair.receipt(&night.backup, &group_of_set(namespace, set)).await?;
    ensure!(receipt.verdict == Verdict::GroupConsistent, "{receipt:?}\n{}", night.seen);
    Ok(backup)
}

#[test]
fn a_night_of_generated_schedules() {
    isolated_for(LIMIT, async || {
        let mut options =
            PairOptions::real("night", 40).flags(&["--schedules", "apply", "--check-interval-seconds", "10"]);
        options.velero.concurrent_backups = 4;
        options.coordinator.extend(["--concurrent-backups", "4"].map(str::to_owned));
        let pair = Pair::start_real(options).await?;
        let mine = json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "mine", "namespace": VELERO_NAMESPACE},
            "spec": {"schedule": "0 0 1 1 *", "template": {"includedNamespaces": ["elsewhere"]}}});
        schedules(&pair).create(&PostParams::default(), &serde_json::from_value(mine.clone())?).await?;

        let (first, at) = ahead(AHEAD);
        let (_, later) = ahead(AHEAD + Duration::from_mins(1));
        pair.with(Workload::stateful_set("shop", "db", 3).annotation(AT, &at), &HookPlan::by_schedule()).await?;
        for group in 0..GROUPS {
            let at = if group % 2 == 0 { &at } else { &later };
            let workload = Workload::stateful_set(&format!("g{group}"), "web", 1).annotation(AT, at);
            pair.with(workload, &HookPlan::by_schedule()).await?;
        }
        let db = schedule_of(&pair, "shop-db").await;
        let backup = good(&pair, &db, "shop", "db", 1).await?;
        let began = backup.creation_timestamp().context("it was created")?.0;
        ensure!(began >= first, "the new Schedule fired at {began}, before its minute {first}");

        grows(&pair, &db).await?;
        for group in 0..GROUPS {
            let namespace = format!("g{group}");
            let name = schedule_of(&pair, &format!("{namespace}-web")).await;
            good(&pair, &name, &namespace, "web", 1).await?;
        }
        let kept = schedules(&pair).get("mine").await?;
        for field in ["schedule", "template"] {
            ensure!(kept.data["spec"][field] == mine["spec"][field], "{}", kept.data);
        }
        pair.nothing_granted().await
    });
}

/// Two pods more and another minute: the Schedule follows in place, fires nothing at once, and its next run has all five.
async fn grows(pair: &Pair, db: &str) -> Result<()> {
    let (second, at) = ahead(AHEAD);
    let five = pair.with(Workload::stateful_set("shop", "db", 5).annotation(AT, &at), &HookPlan::by_schedule()).await?;
    let pods: Api<Pod> = Api::namespaced(pair.client.clone(), "shop");
    for pod in &five.pods {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {AT: at}}}));
        pods.patch(&pod.name.name, &PatchParams::default(), &patch).await?;
    }
    let cron = cron_of(second);
    let ordered = five.ordered();
    let follows = |found: Option<&DynamicObject>| {
        found.is_some_and(|found| {
            found.data["spec"]["schedule"] == cron.as_str()
                && found.data["spec"]["template"]["orderedResources"]["pods"] == ordered.as_str()
        })
    };
    let waited = tokio::time::timeout(SOON, await_condition(schedules(pair), db, follows)).await;
    if waited.is_err() {
        anyhow::bail!("the Schedule does not follow to {cron} with {ordered}: {}", schedules(pair).get(db).await?.data);
    }
    let backup = good(pair, db, "shop", "db", 2).await?;
    let began = backup.creation_timestamp().context("it was created")?.0;
    ensure!(began >= second, "the changed cron fired at {began}, before its minute {second}");
    let receipt = pair.receipt(&backup.name_any(), &group_of_set("shop", "db")).await?;
    ensure!(receipt.members.len() == 5, "{receipt:?}");
    Ok(())
}
