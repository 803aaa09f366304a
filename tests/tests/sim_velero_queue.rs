//! Do Backups queue, overtake, stall and survive a restart of the simulated server as with the real 1.18?

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use testbed::velero::backup::Phase;
use testbed::velero::bed::{BACKUP_LIMIT, Bed};
use testbed::velero::cluster::{Workload, replace_pod};
use testbed::velero::hook_calls::HookPhase;
use testbed::velero::truth::{Timeline, TruthLog};
use testbed::velero::{LostHandovers, Velero, VeleroSettings, VeleroVersion};

fn db(namespace: &str, pre: &str) -> Workload {
    Workload::stateful_set(namespace, "db", 1).shell_hooks(pre, "true")
}

async fn submit(velero: &Velero, name: &str, namespace: &str) -> Result<()> {
    Ok(velero.submit(name, json!({"includedNamespaces": [namespace]})).await?)
}

async fn all_finished(velero: &Velero, names: &[&str]) -> Result<Timeline> {
    for name in names {
        let (phase, seen) = velero.finished(name, BACKUP_LIMIT).await?;
        assert_eq!(phase, Phase::Completed, "{seen}");
    }
    Ok(velero.timeline())
}

/// Two Backups of one namespace: whatever the concurrency, the second waits until the first has left `InProgress`, and no
/// longer.
async fn check_one_namespace(concurrent_backups: usize) -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db("db", "sleep 0.3")).await?;
    let ready_delay = Duration::from_millis(900);
    let velero = bed.velero(VeleroSettings { concurrent_backups, ready_delay, ..VeleroSettings::quick() }).await?;
    submit(&velero, "first", "db").await?;
    let began = |t: &Timeline| t.of_backup("first").entered(Phase::InProgress).is_some();
    velero.truth().wait_until("the first has begun", BACKUP_LIMIT, began).await?;
    submit(&velero, "second", "db").await?;
    let all = all_finished(&velero, &["first", "second"]).await?;
    let (first, second) = (all.of_backup("first"), all.of_backup("second"));
    assert_eq!(second.phases()[..3], [Phase::Queued, Phase::ReadyToStart, Phase::InProgress], "{second}");
    let left = first.entered(Phase::WaitingForPluginOperations).context("snapshots not ready at once")?;
    let began = second.entered(Phase::InProgress).context("began")?;
    let done = first.entered(Phase::Completed).context("done")?;
    assert!(left <= began && began < done, "{all}");
    Ok(())
}

#[tokio::test]
async fn two_backups_of_one_namespace_run_one_after_another() -> Result<()> {
    check_one_namespace(1).await?;
    check_one_namespace(2).await
}

#[tokio::test]
async fn two_namespaces_run_side_by_side_with_two_at_once() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db("a", "sleep 0.4")).await?;
    bed.with(&db("b", "sleep 0.4")).await?;
    let velero = bed.velero(VeleroSettings { concurrent_backups: 2, ..VeleroSettings::quick() }).await?;
    submit(&velero, "a", "a").await?;
    submit(&velero, "b", "b").await?;
    let all = all_finished(&velero, &["a", "b"]).await?;
    assert!(all.order().starts_with("pre db-0 · pre db-0 · cut"), "{all}");
    Ok(())
}

/// Two Backups of two namespaces, one at a time: how long the second waits after the first has left `InProgress`.
async fn handover(lost_handovers: LostHandovers) -> Result<Duration> {
    let bed = Bed::start().await?;
    bed.with(&db("a", "true")).await?;
    bed.with(&db("b", "true")).await?;
    let queue_recheck = Duration::from_secs(2);
    let velero = bed.velero(VeleroSettings { lost_handovers, queue_recheck, ..VeleroSettings::quick() }).await?;
    submit(&velero, "a", "a").await?;
    submit(&velero, "b", "b").await?;
    let all = all_finished(&velero, &["a", "b"]).await?;
    let left = all.of_backup("a").entered(Phase::WaitingForPluginOperations);
    let left = left.or(all.of_backup("a").entered(Phase::Finalizing)).context("left")?;
    Ok(all.of_backup("b").entered(Phase::InProgress).context("began")?.after(left))
}

#[tokio::test]
async fn a_lost_handover_idles_until_the_queue_looks_by_itself() -> Result<()> {
    let prompt = handover(LostHandovers::Never).await?;
    let lost = handover(LostHandovers::Every(NonZeroU32::MIN)).await?;
    assert!(prompt < Duration::from_millis(700), "{prompt:?}");
    assert!(lost > Duration::from_millis(700), "{lost:?}");
    Ok(())
}

#[tokio::test]
async fn before_1_18_there_is_no_queue_phase_and_one_at_a_time() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db("a", "sleep 0.2")).await?;
    bed.with(&db("b", "true")).await?;
    let version = VeleroVersion::V1_17;
    let velero = bed.velero(VeleroSettings { version, concurrent_backups: 4, ..VeleroSettings::quick() }).await?;
    submit(&velero, "a", "a").await?;
    submit(&velero, "b", "b").await?;
    let all = all_finished(&velero, &["a", "b"]).await?;
    assert_eq!(all.of_backup("b").phases()[0], Phase::InProgress, "{all}");
    assert_eq!(all.order(), "pre db-0 · cut data-db-0 · post db-0 · pre db-0 · cut data-db-0 · post db-0", "{all}");
    Ok(())
}

#[tokio::test]
async fn a_server_killed_in_a_pre_hook_leaves_a_failed_backup_and_no_post() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db("db", "sleep 0.5; echo ran to its end")).await?;
    let truth = TruthLog::default();
    let settings = || VeleroSettings { truth: truth.clone(), ..VeleroSettings::quick() };
    let first = bed.velero(settings()).await?;
    submit(&first, "b", "db").await?;
    truth.wait_until("the hook runs", BACKUP_LIMIT, |t| !t.hooks().is_empty()).await?;
    first.kill().await;

    let second = bed.velero(settings()).await?;
    let (phase, seen) = second.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::Failed, "{seen}");
    let status = bed.server.get("velero.io/v1", "Backup", "velero", "b").context("Backup")?.value["status"].clone();
    let reason = status["failureReason"].as_str().unwrap_or_default();
    assert!(reason.contains("\"InProgress\" during the server starting"), "{status}");
    assert!(status["completionTimestamp"].is_string(), "{status}");

    let has_ended = |t: &Timeline| t.hooks()[0].output.is_some();
    truth.wait_until("the hook has ended by itself", BACKUP_LIMIT, has_ended).await?;
    // A later Backup runs through; only then is it sure that nothing more comes of the first.
    submit(&second, "later", "db").await?;
    let all = all_finished(&second, &["later"]).await?;
    let seen = all.of_backup("b");
    assert_eq!(seen.order(), "pre db-0", "neither cut nor post: {all}");
    let hooks = seen.hooks_of(&made.pods[0].name, HookPhase::Pre);
    assert_eq!(hooks[0].output.clone().context("output")?.0, "ran to its end\n");
    Ok(())
}

#[tokio::test]
async fn a_server_killed_after_the_cuts_goes_on_with_the_snapshots() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db("db", "true")).await?;
    let truth = TruthLog::default();
    let ready_delay = Duration::from_millis(600);
    let settings = || VeleroSettings { truth: truth.clone(), ready_delay, ..VeleroSettings::quick() };
    let first = bed.velero(settings()).await?;
    submit(&first, "b", "db").await?;
    let waits = |t: &Timeline| t.entered(Phase::WaitingForPluginOperations).is_some();
    truth.wait_until("it waits for its snapshots", BACKUP_LIMIT, waits).await?;
    first.kill().await;
    let second = bed.velero(settings()).await?;
    let (phase, seen) = second.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_contradictory_backup_is_refused_and_holds_no_slot() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db("db", "true")).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    velero.submit("bad", json!({"labelSelector": {}, "orLabelSelectors": [{}]})).await?;
    let (phase, seen) = velero.finished("bad", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::FailedValidation, "{seen}");
    submit(&velero, "good", "db").await?;
    all_finished(&velero, &["good"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_restart_changes_flags_and_leaves_running_hooks_alone() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db("db", "sleep 0.6; echo ran to its end")).await?;
    let mut velero = bed.velero(VeleroSettings::quick()).await?;
    submit(&velero, "b", "db").await?;
    velero.truth().wait_until("the hook runs", BACKUP_LIMIT, |t| !t.hooks().is_empty()).await?;
    velero.restart(|settings| settings.item_block_workers = 4).await?;
    let (phase, seen) = velero.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::Failed, "{seen}");
    let has_ended = |t: &Timeline| t.hooks()[0].output.is_some();
    let seen = velero.truth().wait_until("the hook has ended by itself", BACKUP_LIMIT, has_ended).await?;
    assert_eq!(seen.hooks()[0].output.clone().context("output")?.0, "ran to its end\n", "{seen}");

    let before = made.pods[0].clone();
    let after = replace_pod(&bed.client, &db("db", "true"), 0).await?;
    assert!(after.name == before.name && after.uid != before.uid);
    submit(&velero, "later", "db").await?;
    let all = all_finished(&velero, &["later"]).await?;
    assert_eq!(all.of_backup("later").order(), "pre db-0 · cut data-db-0 · post db-0", "{all}");
    Ok(())
}
