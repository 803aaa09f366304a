//! In which order do hooks and cuts come, with one worker?

use anyhow::Result;
use futures::FutureExt as _;
use serde_json::json;

use super::stage::{all_of, listed};
use super::{Case, Stage, Subject, hold};
use crate::velero::backup::Phase;
use crate::velero::cluster::Workload;
use crate::velero::truth::{Consistency, LogLevel};

/// Velero as it is installed by default.
pub const SUBJECT: Subject = Subject {
    settings: |_, _| {},
    cases: &[
        Case { name: "hooks, cuts and releases each pod alone", play: |s, n| alone(s, n).boxed() },
        Case { name: "takes listed pods as one block", play: |s, n| one_block(s, n).boxed() },
        Case { name: "keeps the listed order", play: |s, n| listed_order(s, n).boxed() },
        Case { name: "tears a group whose list is partial", play: |s, n| partial(s, n).boxed() },
        Case { name: "tears a list with spaces, and only counts a warning", play: |s, n| spaces(s, n).boxed() },
        Case { name: "takes a list beside selector and kinds", play: |s, n| beside_selector(s, n).boxed() },
        Case { name: "runs hooks without any snapshot", play: |s, n| no_snapshots(s, n).boxed() },
        Case { name: "hooks a pod twice that two selectors list", play: |s, n| twice(s, n).boxed() },
        Case { name: "runs the spec's hooks until one fails", play: |s, n| of_spec(s, n).boxed() },
    ],
};

fn db(namespace: &str, replicas: u32) -> Workload {
    Workload::stateful_set(namespace, "db", replicas).shell_hooks("true", ":")
}

async fn alone(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, 3)).await?;
    let run = stage.back_up(all_of(namespace)).await?;
    let pods = ["db-0", "db-1", "db-2"].map(|pod| format!("pre {pod} · cut data-{pod} · post {pod}"));
    run.went(Phase::Completed, &pods.join(" · "))?;
    run.was(&made, Consistency::MemberConsistent)
}

async fn one_block(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, 3)).await?;
    let run = stage.back_up(listed(namespace, &["db-0", "db-1", "db-2"], ",")).await?;
    let expected = "pre db-0 · pre db-1 · pre db-2 · cut data-db-0 · cut data-db-1 · cut data-db-2 · \
                    post db-0 · post db-1 · post db-2";
    run.went(Phase::Completed, expected)?;
    run.was(&made, Consistency::GroupConsistent)
}

async fn listed_order(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 3)).await?;
    let run = stage.back_up(listed(namespace, &["db-2", "db-0", "db-1"], ",")).await?;
    let expected = "pre db-2 · pre db-0 · pre db-1 · cut data-db-2 · cut data-db-0 · cut data-db-1 · \
                    post db-2 · post db-0 · post db-1";
    run.went(Phase::Completed, expected)
}

async fn partial(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, 4)).await?;
    let run = stage.back_up(listed(namespace, &["db-2", "db-1"], ",")).await?;
    let expected = "pre db-2 · pre db-1 · cut data-db-2 · cut data-db-1 · post db-2 · post db-1 · \
                    pre db-0 · cut data-db-0 · post db-0 · pre db-3 · cut data-db-3 · post db-3";
    run.went(Phase::Completed, expected)?;
    run.was(&made, Consistency::MemberConsistent)
}

async fn spaces(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 3)).await?;
    let run = stage.back_up(listed(namespace, &["db-0", "db-1", "db-2"], ", ")).await?;
    hold!(run.phase == Phase::Completed, run, "should be Completed");
    hold!(run.seen.order().starts_with("pre db-0 · cut data-db-0 · post db-0 · pre db-1"), run, "should be torn");
    let warnings = run.seen.logged(LogLevel::Warning).join("\n");
    for pod in ["db-1", "db-2"] {
        hold!(warnings.contains(&format!("Cannot find resource ' {namespace}/{pod}'.")), run, "warns of {pod}");
    }
    let status = stage.status(&run.backup).await?;
    hold!(status["warnings"] == json!(2), run, "the warnings are counted: {status}");
    Ok(())
}

async fn beside_selector(stage: &mut Stage, namespace: &str) -> Result<()> {
    let made = stage.put(db(namespace, 2)).await?;
    let mut spec = listed(namespace, &["db-0", "db-1"], ",");
    spec["labelSelector"] = json!({"matchLabels": {"app": "db"}});
    spec["includedResources"] = json!(["pods", "persistentvolumeclaims", "persistentvolumes"]);
    let run = stage.back_up(spec).await?;
    hold!(run.phase == Phase::Completed && run.seen.is_one_block(), run, "should be one block");
    run.was(&made, Consistency::GroupConsistent)
}

async fn no_snapshots(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 1)).await?;
    let mut spec = all_of(namespace);
    spec["snapshotVolumes"] = json!(false);
    stage.back_up(spec).await?.went(Phase::Completed, "pre db-0 · post db-0")
}

async fn twice(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(db(namespace, 1)).await?;
    let mut spec = all_of(namespace);
    spec["orLabelSelectors"] =
        json!([{"matchLabels": {"app": "db"}}, {"matchLabels": {"apps.kubernetes.io/pod-index": "0"}}]);
    let run = stage.back_up(spec).await?;
    run.went(Phase::Completed, "pre db-0 · pre db-0 · cut data-db-0 · post db-0 · post db-0")
}

async fn of_spec(stage: &mut Stage, namespace: &str) -> Result<()> {
    stage.put(Workload::stateful_set(namespace, "db", 1)).await?;
    let script =
        |text: &str, on_error: &str| json!({"exec": {"command": ["/bin/sh", "-c", text], "onError": on_error}});
    let mut spec = all_of(namespace);
    spec["hooks"] = json!({"resources": [{"name": "h", "labelSelector": {"matchLabels": {"app": "db"}},
        "pre": [script("exit 1", "Continue"), script("exit 2", "Fail"), script("exit 3", "Fail")],
        "post": [script("true", "Fail")]}]});
    let run = stage.back_up(spec).await?;
    run.went(Phase::PartiallyFailed, "pre db-0 · pre db-0 · cut data-db-0")?;
    // The third was found, so it counts as attempted.
    let status = stage.status(&run.backup).await?;
    hold!(status["hookStatus"] == json!({"hooksAttempted": 3, "hooksFailed": 2}), run, "hookStatus in {status}");
    Ok(())
}
