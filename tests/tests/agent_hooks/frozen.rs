//! Real file systems on a real kernel: a writer waits while they are frozen, the disk is clean, and nothing stays frozen.

use shared::quiesce::LetGo;

use crate::bed::{Bed, eventually, path};
use crate::held::signal;
use crate::hook::{Ended, Hook};
use crate::volume::{Container, Volume, hangs};

/// Accepts what this version cannot prevent; a real user does so in writing.
fn freezing(hook: Hook, plan: &str) -> Hook {
    hook.env("QUIESCE", plan).env("FSFREEZE_WITHOUT_RESIDENT", "accept").env("ON_QUIESCE_FAILURE", "fail")
}

async fn frozen_by_pre(bed: &Bed, container: &Container, volume: &Volume) -> Ended {
    let (_, ended) = bed.released(freezing(container.hook(bed, "pre"), &volume.plan())).await;
    ended.check(0, &["quiesced (fsfreeze", "reported"]);
    ended
}

async fn writes_wait(kind: &str) {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, kind) else { return };
    let container = Container::start().await;
    std::fs::write(volume.path("before"), "x".repeat(100_000)).expect("it can be written to");
    if kind == "ext4" {
        assert!(volume.copy_needs_recovery(), "the oracle must see the difference");
    }
    frozen_by_pre(&bed, &container, &volume).await;
    let mut writer = volume.writer();
    assert!(eventually(|| hangs(&writer).then_some(())).await.is_some(), "the writer does not wait");
    if kind == "ext4" {
        assert!(!volume.copy_needs_recovery(), "the disk is not clean while it is frozen");
    }
    container.hook(&bed, "post").run().await.check(0, &["let go of fsfreeze", "asked to"]);
    assert!(writer.wait().expect("the writer ends").success());
    assert_eq!(std::fs::read_to_string(volume.path("word")).expect("it was written"), "written\n");
    let member = bed.member().expect("a registration");
    assert_eq!((member.let_go, member.quiesce.to_string().as_str()), (Some(LetGo::Asked), "fsfreeze"));
    assert!(member.proven_quiesced_at().is_some() && member.thawed_at >= member.quiesced_at);
    assert!(!volume.is_frozen());
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn ext4_a_writer_waits_and_the_disk_is_clean() {
    writes_wait("ext4").await;
}

#[tokio::test]
async fn xfs_a_writer_waits() {
    writes_wait("xfs").await;
}

#[tokio::test]
async fn without_a_post_it_thaws_at_its_limit() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let container = Container::start().await;
    let pre = freezing(container.hook(&bed, "pre"), &volume.plan()).env("QUIESCE_MAX", "2s");
    let (_, ended) = bed.released(pre).await;
    ended.check(0, &["quiesced (fsfreeze"]);
    let mut writer = volume.writer();
    assert!(writer.wait().expect("the writer ends").success(), "a write never came through");
    volume.becomes(false).await;
    bed.member_that("was let go", |m| m.let_go == Some(LetGo::ByItself)).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn a_killed_keeper_leaves_nothing_frozen() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let container = Container::start().await;
    frozen_by_pre(&bed, &container, &volume).await;
    let mut writer = volume.writer();
    assert!(eventually(|| hangs(&writer).then_some(())).await.is_some(), "the writer does not wait");
    signal("KILL", bed.the("keep"));
    assert!(writer.wait().expect("the writer ends").success());
    bed.member_that("was let go", |m| m.let_go == Some(LetGo::ByItself)).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn what_a_killed_container_left_frozen_the_next_one_thaws() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let container = Container::start().await;
    frozen_by_pre(&bed, &container, &volume).await;
    container.end();
    // This is why it must be accepted in writing: nobody is left who could thaw.
    assert!(volume.is_frozen() && bed.processes("keep").is_empty() && bed.processes("guard").is_empty());
    let next = Container::start().await;
    let (_, ended) = bed.released(freezing(next.hook(&bed, "pre"), &volume.plan())).await;
    ended.check(0, &["an earlier run had left something held; let go of fsfreeze", "quiesced (fsfreeze"]);
    next.hook(&bed, "post").run().await.check(0, &["let go of fsfreeze"]);
    assert!(!volume.is_frozen());
}

#[tokio::test]
async fn what_somebody_else_froze_is_found_by_the_trial() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let container = Container::start().await;
    let frozen = std::process::Command::new("fsfreeze").args(["--freeze", path(volume.mount())]).status();
    assert!(frozen.expect("fsfreeze runs").success());
    let ended = frozen_by_pre(&bed, &container, &volume).await;
    ended.check(0, &["had been frozen by somebody else and was thawed by the trial"]);
    container.hook(&bed, "post").run().await.check(0, &["let go of fsfreeze"]);
    assert!(!volume.is_frozen());
}

#[tokio::test]
async fn a_thaw_behind_its_back_is_noticed() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let container = Container::start().await;
    frozen_by_pre(&bed, &container, &volume).await;
    let thawed = std::process::Command::new("fsfreeze").args(["--unfreeze", path(volume.mount())]).status();
    assert!(thawed.expect("fsfreeze runs").success());
    container.hook(&bed, "post").run().await.check(0, &["not proven to have been quiesced"]);
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Unproven));
}

#[tokio::test]
async fn guards_refuse_and_say_why() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let link = bed.dir.canonicalize().expect("it is there").join("link");
    std::os::unix::fs::symlink(volume.mount(), &link).expect("a link");
    std::fs::create_dir(volume.path("sub")).expect("a folder");
    for (what, why) in [
        ("/", "refused to freeze"),
        ("/proc", "is proc"),
        ("/no/such/path", "No such file"),
        (path(&link), "symbolic link"),
        (path(&volume.path("sub")), "not a mount point"),
    ] {
        let plan = format!("- fsfreeze: [{what}]");
        let (_, ended) = bed.released(freezing(bed.pre_with(&plan), &plan)).await;
        ended.check(16, &[why, "exit code 16"]);
        assert!(!volume.is_frozen());
    }
    let own = freezing(bed.pre_with(&volume.plan()), &volume.plan()).env("STATE_DIR", path(volume.mount()));
    bed.released(own).await.1.check(16, &["the agent's own notes", "--state-dir"]);
    let unwritten = bed.pre_with(&volume.plan()).env("ON_QUIESCE_FAILURE", "fail");
    bed.released(unwritten).await.1.check(16, &["refused to freeze", "--fsfreeze-without-resident accept"]);
    assert!(!volume.is_frozen());
}

#[tokio::test]
async fn without_the_right_nothing_is_frozen() {
    let bed = Bed::start().await;
    let Some(volume) = Volume::make(&bed, "ext4") else { return };
    let bare = Hook::of(std::path::Path::new("/usr/bin/setpriv")).arg("--bounding-set=-sys_admin");
    let agent = path(testbed::binaries::hook_agent());
    let pre = freezing(bed.equip(bare.arg("--inh-caps=-sys_admin").arg(agent), "pre"), &volume.plan());
    let (_, ended) = bed.released(pre.env("HOOK_TIMEOUT", "5m")).await;
    ended.check(16, &["a trial showed that", "could not be thawed", "CAP_SYS_ADMIN", "Operation not permitted"]);
    assert!(!volume.is_frozen());
}
