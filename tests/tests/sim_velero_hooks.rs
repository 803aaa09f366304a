//! Do failing, slow, lost and lingering hooks end in the simulator as they were seen to end with the real Velero?

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use testbed::velero::VeleroSettings;
use testbed::velero::backup::Phase;
use testbed::velero::bed::{BACKUP_LIMIT, Bed, back_up};
use testbed::velero::cluster::{Made, Workload, delete_pod};
use testbed::velero::hook_calls::HookPhase;
use testbed::velero::truth::{Consistency, Fact, HookRun, LogLevel, ProcessExit, Reported, Timeline, truth_verdict};

const MINUTE: Duration = Duration::from_mins(1);

/// A `StatefulSet` db of `replicas` whose post hook does nothing.
fn db(replicas: u32, pre: &str, on_error: &str, timeout: Duration) -> Workload {
    Workload::stateful_set("db", "db", replicas).shell_hooks("true", "true").hook(
        HookPhase::Pre,
        &["/bin/sh", "-c", pre],
        on_error,
        timeout,
    )
}

fn everything() -> serde_json::Value {
    json!({"includedNamespaces": ["db"]})
}

fn only_hook(seen: &Timeline, made: &Made, phase: HookPhase) -> HookRun {
    let mut hooks = seen.hooks_of(&made.pods[0].name, phase);
    assert_eq!(hooks.len(), 1, "one {phase:?} hook: {seen}");
    hooks.remove(0)
}

fn status(bed: &Bed, backup: &str) -> serde_json::Value {
    bed.server.get("velero.io/v1", "Backup", "velero", backup).map(|b| b.value["status"].clone()).unwrap_or_default()
}

/// Two pods whose pre hook exits 7: what is in the order, the tarball and the counts.
async fn check_failing_pre(on_error: &str, order: &str, stored: usize, errors: u64) -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(2, "exit 7", on_error, MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{on_error:?}: {seen}");
    assert_eq!(seen.order(), order, "{on_error:?}: {seen}");
    assert_eq!(seen.stored_pods().len(), stored, "{on_error:?}: {seen}");
    let lines = seen.logged(LogLevel::Error).join("\n");
    assert!(lines.contains("command terminated with exit code 7"), "{lines}");
    assert_eq!(status(&bed, "b")["errors"], json!(errors), "{on_error:?}");
    assert_eq!(status(&bed, "b")["hookStatus"]["hooksFailed"], json!(2), "{on_error:?}");
    Ok(())
}

#[tokio::test]
async fn a_failed_pre_stops_neither_the_cut_nor_the_next_pod() -> Result<()> {
    let order = "pre db-0 · cut data-db-0 · pre db-1 · cut data-db-1";
    // Each failure is logged twice: by the hook handler and by the block.
    check_failing_pre("Fail", order, 0, 4).await
}

#[tokio::test]
async fn an_unset_on_error_behaves_as_continue() -> Result<()> {
    let order = "pre db-0 · cut data-db-0 · post db-0 · pre db-1 · cut data-db-1 · post db-1";
    check_failing_pre("", order, 2, 2).await?;
    check_failing_pre("Continue", order, 2, 2).await
}

#[tokio::test]
async fn errors_name_no_pod_but_where_the_block_adds_one() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(1, "exit 7", "Continue", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (_, seen) = back_up(&velero, "b", everything()).await?;
    let lines = seen.logged(LogLevel::Error).join("\n");
    assert!(lines.contains("exit code 7") && !lines.contains("db-0"), "{lines}");
    Ok(())
}

#[tokio::test]
async fn a_hook_that_times_out_is_not_ended_and_its_output_is_lost() -> Result<()> {
    let bed = Bed::start().await?;
    let pre = "trap 'echo signalled' TERM HUP INT; echo begun; sleep 1; echo done";
    let made = bed.with(&db(1, pre, "Fail", Duration::from_millis(200))).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert_eq!(seen.order(), "pre db-0 · cut data-db-0", "no post: {seen}");
    let hook = only_hook(&seen, &made, HookPhase::Pre);
    assert_eq!(hook.reported.context("reported")?.1, Reported::TimedOut(Duration::from_millis(200)));
    assert_eq!(hook.exited, None, "still running when the Backup was over: {seen}");
    assert!(seen.logged(LogLevel::Info).iter().all(|line| !line.contains("begun")), "{seen}");

    let is_over = |t: &Timeline| t.of_backup("b").hooks_of(&made.pods[0].name, HookPhase::Pre)[0].output.is_some();
    let later = velero.truth().wait_until("the hook has ended by itself", BACKUP_LIMIT, is_over).await?;
    let hook = only_hook(&later, &made, HookPhase::Pre);
    assert_eq!(hook.exited.context("ended")?.1, ProcessExit::Code(0));
    assert_eq!(hook.output.context("closed")?.0, "begun\ndone\n", "no signal reached it");
    Ok(())
}

#[tokio::test]
async fn an_exec_returns_only_when_nobody_holds_its_output() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db(1, "sleep 0.6 & echo left it", "Fail", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (_, seen) = back_up(&velero, "b", everything()).await?;
    let hook = only_hook(&seen, &made, HookPhase::Pre);
    let (exited, returned) = (hook.exited.context("exited")?.0, hook.reported.context("returned")?.0);
    assert!(returned.after(exited) >= Duration::from_millis(400), "{seen}");
    Ok(())
}

#[tokio::test]
async fn what_is_left_behind_quietly_does_not_hold_the_exec_and_ends_with_the_bed() -> Result<()> {
    let bed = Bed::start().await?;
    let pre = "setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $!";
    let made = bed.with(&db(1, pre, "Fail", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    let pid = only_hook(&seen, &made, HookPhase::Pre).output.context("output")?.0.trim().to_owned();
    let is_there = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
    assert!(is_there(), "the child outlives its hook: {seen}");
    drop(velero);
    assert!(!is_there(), "and not the bed");
    Ok(())
}

#[tokio::test]
async fn a_lost_stream_reports_success_that_never_was() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db(1, "sleep 0.7; exit 7", "Fail", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    velero.submit("b", everything()).await?;
    let has_started = |t: &Timeline| !t.hooks().is_empty();
    velero.truth().wait_until("the hook runs", BACKUP_LIMIT, has_started).await?;
    velero.node().lose_exec_streams();
    let (phase, seen) = velero.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::Completed, "Velero noticed nothing: {seen}");
    assert_eq!(only_hook(&seen, &made, HookPhase::Pre).reported.context("reported")?.1, Reported::FalseSuccess);
    assert_eq!(status(&bed, "b")["hookStatus"], json!({"hooksAttempted": 2}));
    let verdict = truth_verdict(&seen, &made.names(), None);
    assert_eq!(verdict.consistency, Consistency::CrashConsistent, "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_container_ends_all_that_runs_in_it() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db(1, "setsid sleep 300 & sleep 300", "Fail", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    velero.submit("b", everything()).await?;
    velero.truth().wait_until("the hook runs", BACKUP_LIMIT, |t| !t.hooks().is_empty()).await?;
    velero.node().end_container(&made.pods[0].uid, "db", "main");
    let (phase, seen) = velero.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert_eq!(only_hook(&seen, &made, HookPhase::Pre).reported.context("reported")?.1, Reported::Exited(137));
    Ok(())
}

#[tokio::test]
async fn a_pod_deleted_in_its_hook_loses_the_hook_and_is_cut_all_the_same() -> Result<()> {
    let bed = Bed::start().await?;
    let made = bed.with(&db(2, "sleep 0.4; [ $HOSTNAME = db-0 ] && sleep 300", "Fail", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    velero.submit("b", everything()).await?;
    velero.truth().wait_until("the first hook runs", BACKUP_LIMIT, |t| !t.hooks().is_empty()).await?;
    delete_pod(&bed.client, &made.pods[0].name).await?;
    delete_pod(&bed.client, &made.pods[1].name).await?;
    let (phase, seen) = velero.finished("b", BACKUP_LIMIT).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert_eq!(seen.order(), "pre db-0 · cut data-db-0 · cut data-db-1", "{seen}");
    let lines = seen.logged(LogLevel::Error).join("\n");
    assert!(lines.contains("exit code 137") && lines.contains("pods \"db-1\" not found"), "{lines}");
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_hook_error() -> Result<()> {
    let bed = Bed::start().await?;
    let nothing = Workload::stateful_set("db", "db", 1).hook(HookPhase::Pre, &["/no/such/program"], "Fail", MINUTE);
    bed.with(&nothing).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let (phase, seen) = back_up(&velero, "b", everything()).await?;
    assert_eq!(phase, Phase::PartiallyFailed, "{seen}");
    assert!(seen.logged(LogLevel::Error).join("\n").contains("failed to exec \"/no/such/program\""), "{seen}");
    Ok(())
}

#[tokio::test]
async fn hooks_of_the_spec_run_in_order_until_one_fails() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&Workload::stateful_set("db", "db", 1)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let script =
        |text: &str, on_error: &str| json!({"exec": {"command": ["/bin/sh", "-c", text], "onError": on_error}});
    let hooks = json!({"resources": [{"name": "h", "labelSelector": {"matchLabels": {"app": "db"}},
        "pre": [script("exit 1", "Continue"), script("exit 2", "Fail"), script("exit 3", "Fail")],
        "post": [script("true", "Fail")]}]});
    let (_, seen) = back_up(&velero, "b", json!({"includedNamespaces": ["db"], "hooks": hooks})).await?;
    assert_eq!(seen.order(), "pre db-0 · pre db-0 · cut data-db-0", "{seen}");
    // The third was found, so it counts as attempted.
    assert_eq!(status(&bed, "b")["hookStatus"], json!({"hooksAttempted": 3, "hooksFailed": 2}));
    Ok(())
}

/// A hook that waits until all three pods' hooks have arrived, as the original's protocol would have it.
async fn barrier(workers: usize, ordered: bool) -> Result<(Phase, Timeline)> {
    let bed = Bed::start().await?;
    let meeting = std::env::temp_dir().join(format!("barrier-{}-{workers}-{ordered}", std::process::id()));
    std::fs::create_dir_all(&meeting)?;
    let pre = ": > $MEETING/$HOSTNAME; while [ $(ls $MEETING | wc -l) -lt 3 ]; do sleep 0.02; done";
    let made = bed.with(&db(3, pre, "Fail", Duration::from_millis(600))).await?;
    let pass_env = vec![("MEETING".to_owned(), meeting.display().to_string())];
    let settings = VeleroSettings { item_block_workers: workers, pass_env, ..VeleroSettings::quick() };
    let velero = bed.velero(settings).await?;
    let mut spec = everything();
    if ordered {
        spec["orderedResources"] = json!({"pods": made.ordered()});
    }
    let end = back_up(&velero, "b", spec).await;
    drop(velero);
    std::fs::remove_dir_all(&meeting)?;
    end
}

#[tokio::test]
async fn a_hook_that_waits_for_its_siblings_waits_in_vain() -> Result<()> {
    for (workers, ordered) in [(1, false), (1, true), (4, true)] {
        let (phase, seen) = barrier(workers, ordered).await?;
        assert_eq!(phase, Phase::PartiallyFailed, "workers {workers}, ordered {ordered}: {seen}");
        assert_eq!(seen.cuts().len(), 3, "cut all the same: {seen}");
        // The last one finds the others' marks and goes on at once.
        let posts: Vec<_> = seen.hooks().into_iter().filter(|hook| hook.phase == HookPhase::Post).collect();
        assert_eq!(posts.len(), 1, "workers {workers}, ordered {ordered}: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn it_works_only_with_as_many_workers_as_pods() -> Result<()> {
    let (phase, seen) = barrier(4, false).await?;
    assert_eq!(phase, Phase::Completed, "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_hook_gets_its_containers_environment_and_files_and_nothing_else() -> Result<()> {
    let bed = Bed::start().await?;
    let workload = db(1, "env; echo labels:; cat $LABELS; echo; cut -d. -f1 $TOKEN; pwd", "Fail", MINUTE)
        .env_field("POD_NAME", "metadata.name")
        .env_field("GROUP_AT_START", "metadata.labels['velero.io/snapshot-group']")
        .env("LABELS", "/etc/podinfo/labels")
        .env("TOKEN", "/var/run/secrets/kubernetes.io/serviceaccount/token")
        .env("DATA", "/data")
        .token();
    let made = bed.with(&workload).await?;
    let pass_env = vec![("KUBECONFIG".to_owned(), "/passed".to_owned())];
    let velero = bed.velero(VeleroSettings { pass_env, ..VeleroSettings::quick() }).await?;
    // A first exec starts the container; the label comes after that.
    back_up(&velero, "first", everything()).await?;
    let label = json!({"metadata": {"labels": {"velero.io/snapshot-group": "group-1"}}});
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(bed.client.clone(), "db");
    pods.patch("db-0", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(label)).await?;

    let (_, seen) = back_up(&velero, "second", everything()).await?;
    let (out, err) = only_hook(&seen, &made, HookPhase::Pre).output.context("output")?;
    let has = |line: &str| out.lines().any(|l| l == line);
    assert!(has("POD_NAME=db-0") && has("HOSTNAME=db-0") && has("KUBECONFIG=/passed"), "{out}{err}");
    assert!(has("GROUP_AT_START="), "an env is resolved when the container starts: {out}");
    assert!(has("velero.io/snapshot-group=\"group-1\""), "a file follows the pod: {out}");
    assert!(out.contains("eyJ"), "a token: {out}{err}");
    let data = velero.node().claim_folder(&made.pods[0].claims[0]);
    assert!(has(&format!("DATA={}", data.display())) && data.is_dir(), "{out}");
    assert!(!out.contains("CARGO"), "nothing leaks in: {out}");
    assert!(out.lines().last().is_some_and(|dir| dir.ends_with("/main")), "{out}");
    Ok(())
}

#[tokio::test]
async fn a_duplicate_listing_runs_the_hooks_twice() -> Result<()> {
    let bed = Bed::start().await?;
    bed.with(&db(1, "true", "Fail", MINUTE)).await?;
    let velero = bed.velero(VeleroSettings::quick()).await?;
    let spec = json!({"includedNamespaces": ["db"],
        "orLabelSelectors": [{"matchLabels": {"app": "db"}}, {"matchLabels": {"apps.kubernetes.io/pod-index": "0"}}]});
    let (_, seen) = back_up(&velero, "b", spec).await?;
    assert_eq!(seen.order(), "pre db-0 · pre db-0 · cut data-db-0 · post db-0 · post db-0", "{seen}");
    let started =
        |entry: &&std::sync::Arc<testbed::velero::truth::Entry>| matches!(entry.fact, Fact::BlockBegun { .. });
    assert_eq!(seen.entries().iter().filter(started).count(), 1, "{seen}");
    Ok(())
}
