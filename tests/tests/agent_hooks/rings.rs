//! Who thaws when a whole container is gone: the pod's resident in another container, and the sweep at the pod's next start.

use std::time::{Duration, Instant};

use shared::quiesce::LetGo;

use crate::bed::{Bed, eventually, path};
use crate::held::{exec_plan, signal};
use crate::hook::{Hook, Running};
use crate::volume::{Container, Volume, hangs};

/// A pod's resident. The test's own namespaces are a container as good as any: another one than the workload's.
async fn resident(bed: &Bed, plan: &str) -> Running {
    let resident = bed.hook("sidecar").env("QUIESCE", plan).start();
    resident.says("watches over this pod").await;
    resident
}

/// Freezing that may only happen under the eyes of a resident.
fn pre(bed: &Bed, container: &Container, volume: &Volume) -> Hook {
    container.hook(bed, "pre").env("QUIESCE", &volume.plan()).env("ON_QUIESCE_FAILURE", "fail")
}

fn install(bed: &Bed, to: &str) -> Hook {
    bed.hook("install").arg("--to").arg(to)
}

fn ready(bed: &Bed) -> Hook {
    bed.hook("ready")
}

#[tokio::test]
async fn install_copies_itself_and_says_what_is_wrong() {
    let bed = Bed::start().await;
    let to = bed.path("shared");
    install(&bed, path(&to)).run().await.check(19, &["--to (INSTALL_TO)", "is not a folder", "exit code 19"]);
    std::fs::create_dir(&to).expect("a folder");
    install(&bed, path(&to)).run().await.check(0, &["hook-agent is installed", "nothing to sweep"]);
    install(&bed, path(&to)).run().await.check(0, &["is there already, the same"]);
    Hook::of(&to.join("hook-agent")).arg("--version").run().await.check(0, &["hook-agent "]);
    install(&bed, "shared").run().await.check(2, &["INSTALL_TO", "not an absolute path"]);
    bed.hook("install").run().await.check(2, &["--to"]);
    install(&bed, path(&to))
        .env("QUIESCE", "freeze everything")
        .run()
        .await
        .check(2, &["QUIESCE", "neither `none` nor"]);
    let nowhere = install(&bed, path(&to)).env("QUIESCE", "- fsfreeze: [/no/such/path]");
    nowhere.run().await.check(18, &["/no/such/path", "exit code 18"]);
}

#[tokio::test]
async fn without_a_resident_or_a_sweep_nothing_is_frozen() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let container = Container::start().await;
    let refused = async |why: &str| {
        let (_, ended) = bed.released(pre(&bed, &container, &volume)).await;
        ended.check(16, &["refused to freeze", why, "--fsfreeze-without-resident accept"]);
        assert!(!volume.is_frozen());
    };
    refused("no resident watches over this pod").await;
    let to = bed.path("shared");
    std::fs::create_dir(&to).expect("a folder");
    let swept = install(&bed, path(&to)).env("QUIESCE", &volume.plan()).run().await;
    swept.check(0, &["swept", "nothing is frozen there"]);
    refused("no resident watches over this pod").await;
    let blind = resident(&bed, "none").await;
    refused("does not have that claim mounted").await;
    blind.signal("STOP");
    refused("did not answer within").await;
    blind.signal("CONT");
    blind.signal("TERM");
    blind.ended().await.check(0, &["SIGTERM came: nothing is held"]);
    let seeing = resident(&bed, &volume.plan()).await;
    std::fs::remove_file(bed.place().join("swept.json")).expect("the mark is there");
    refused("was not swept when this pod started").await;
    seeing.signal("TERM");
    seeing.ended().await.check(0, &[]);
    let seeing = resident(&bed, &volume.plan()).await;
    let (_, ended) = bed.released(pre(&bed, &container, &volume)).await;
    ended.check(0, &["quiesced (fsfreeze"]);
    assert!(volume.is_frozen());
    container.hook(&bed, "post").run().await.check(0, &["let go of fsfreeze"]);
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    bed.nobody_is_left().await;
    assert!(!seeing.output().contains("ALARM"), "{}", seeing.output());
}

#[tokio::test]
async fn a_killed_container_leaves_nothing_frozen_under_a_resident() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "xfs") else { return };
    let resident = resident(&bed, &volume.plan()).await;
    let container = Container::start().await;
    let (_, ended) = bed.released(pre(&bed, &container, &volume)).await;
    ended.check(0, &["quiesced (fsfreeze"]);
    let mut writer = volume.writer();
    assert!(eventually(|| hangs(&writer).then_some(())).await.is_some(), "the writer does not wait");
    container.end();
    assert!(writer.wait().expect("the writer ends").success());
    resident.says("let go of fsfreeze").await;
    bed.member_that("was let go", |m| m.let_go == Some(LetGo::ByItself)).await;
    assert_eq!(bed.record(), None);
}

#[tokio::test]
async fn a_keeper_and_guard_that_hang_are_outlived() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let resident = resident(&bed, &volume.plan()).await;
    let container = Container::start().await;
    let (attempt, ended) = bed.released(pre(&bed, &container, &volume).env("QUIESCE_MAX", "5s")).await;
    ended.check(0, &["quiesced (fsfreeze"]);
    let held = Instant::now();
    let [guard, keeper] = ["guard", "keep"].map(|who| bed.the(who));
    signal("STOP", guard);
    signal("STOP", keeper);
    assert!(volume.is_frozen(), "they let go before they were stopped");
    volume.becomes(false).await;
    // Its limit, and three seconds for the two rings that are stuck.
    assert!(held.elapsed() < Duration::from_secs(11), "it was frozen for {:?}", held.elapsed());
    resident.says("its keeper and guard were stuck past its limit").await;
    // They go on, and nobody claims that it was frozen until then. The keeper first: its guard ends one that is past its limit.
    signal("CONT", keeper);
    signal("CONT", guard);
    let member = bed.member_that("was let go", |m| m.let_go.is_some()).await;
    assert_eq!((&member.attempt, member.let_go), (&attempt, Some(LetGo::Unproven)), "{member:?}");
    assert_eq!(member.proven_quiesced_at(), None);
    bed.nobody_is_left().await;
    container.end();
}

#[tokio::test]
async fn a_resident_that_is_told_to_stop_has_everything_let_go() {
    let bed = Bed::start().await;
    let resident = resident(&bed, "none").await;
    bed.holding(&exec_plan(&bed)).await;
    resident.signal("TERM");
    resident.ended().await.check(0, &["SIGTERM came: let go of exec"]);
    bed.logs(&["freeze", "thaw"]).await;
    bed.member_that("was let go", |m| m.let_go == Some(LetGo::ByItself)).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn what_a_dead_pod_left_frozen_is_swept_at_the_next_start() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let to = bed.path("shared");
    std::fs::create_dir(&to).expect("a folder");
    for sweeper in ["install", "sidecar"] {
        let container = Container::start().await;
        let accepted = pre(&bed, &container, &volume).env("FSFREEZE_WITHOUT_RESIDENT", "accept");
        bed.released(accepted).await.1.check(0, &["quiesced (fsfreeze"]);
        container.end();
        assert!(volume.is_frozen());
        if sweeper == "install" {
            // A new pod has a new /dev/shm: nothing is written down there.
            std::fs::remove_dir_all(bed.place()).expect("the old pod's notes");
            let ended = install(&bed, path(&to)).env("QUIESCE", &volume.plan()).run().await;
            ended.check(0, &["was FROZEN and is thawed"]);
        } else {
            // A new container of the same pod finds them.
            resident(&bed, &volume.plan()).await.says("an earlier attempt had left something held").await;
        }
        assert!(!volume.is_frozen());
    }
}

#[tokio::test]
async fn a_resident_that_comes_back_goes_on_watching() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let first = resident(&bed, &volume.plan()).await;
    let container = Container::start().await;
    bed.released(pre(&bed, &container, &volume)).await.1.check(0, &["quiesced (fsfreeze"]);
    first.signal("KILL");
    drop(first.ended().await);
    assert!(volume.is_frozen(), "the keeper lives");
    let second = resident(&bed, &volume.plan()).await;
    second.says("what it holds is left alone").await;
    assert!(volume.is_frozen(), "a living keeper's hold is nobody else's to thaw");
    container.end();
    volume.becomes(false).await;
    second.says("let go of fsfreeze").await;
}

#[tokio::test]
async fn a_probe_tells_whether_the_pod_could_be_held_still() {
    let bed = Bed::start().await;
    ready(&bed).run().await.check(21, &["no `hook-agent sidecar` has run", "exit code 21"]);
    let first = resident(&bed, "- exec: {freeze: [/bin/true], thaw: []}").await;
    ready(&bed).run().await.check(0, &["could hold the pod still now"]);
    bed.hook("sidecar").run().await.check(21, &["another resident uses", "one `hook-agent sidecar` a pod"]);
    first.signal("TERM");
    first.ended().await.check(0, &[]);
    ready(&bed).run().await.check(21, &["nobody listens at"]);
    let second = resident(&bed, "- exec: {freeze: [/no/such/program], thaw: []}").await;
    ready(&bed).run().await.check(21, &["/no/such/program", "no such program in its image"]);
    second.signal("KILL");
    second.ended().await;
    let third = bed.hook("sidecar").env("QUIESCE", "- fsfreeze: [/no/such/path]").start();
    third.says("exit code 18").await;
    ready(&bed).run().await.check(21, &["the sweep failed", "/no/such/path"]);
}
