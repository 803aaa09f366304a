//! Holding still by a plan: each kind, what it says in the Lease, and what becomes of plans that do not work.

use shared::admission::MemberPhase;
use shared::quiesce::LetGo;

use crate::bed::{Bed, path};
use crate::held::{exec_plan, exec_plan_with};

#[tokio::test]
async fn a_program_of_the_users_holds_from_pre_to_post_in_five_requests() {
    let bed = Bed::start().await;
    let attempt = bed.holding(&exec_plan(&bed)).await;
    bed.logs(&["freeze"]).await;
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, &member.attempt), (MemberPhase::Quiesced, &attempt));
    assert_eq!((member.quiesce.to_string().as_str(), member.let_go), ("exec", None));
    assert!(member.proven_quiesced_at().is_some());
    bed.the("keep");
    bed.the("guard");

    bed.hook("post").run().await.check(0, &["done in group", "let go of exec /bin/sh", "asked to"]);
    bed.logs(&["freeze", "thaw"]).await;
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.let_go), (MemberPhase::Done, Some(LetGo::Asked)));
    assert!(member.thawed_at >= member.quiesced_at && member.proven_quiesced_at().is_some());
    // The keeper listens for the word that all is cut, unless post comes before it does.
    let asked = bed.asked();
    let (watches, patches): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.starts_with("watch"));
    assert!(patches == ["patch leases"; 3] && (1..=2).contains(&watches.len()), "{asked:?}");
    bed.nobody_is_left().await;
    assert_eq!(bed.alarms(), "");
}

#[tokio::test]
async fn silence_is_no_stillness_and_none_is_somebodys_word() {
    let bed = Bed::start().await;
    let (_, ended) = bed.released(bed.hook("pre").env("QUIESCE", "")).await;
    ended.check(0, &["released in round", "NOT HELD STILL", "nothing says how", "snapshot-group.velero.io/quiesce"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.quiesced_at), (MemberPhase::Quiesced, None));
    let (_, ended) = bed.released(bed.hook("pre").env("QUIESCE", "none")).await;
    ended.check(0, &["released in round", "quiesced (nothing to freeze)"]);
    assert!(bed.member().is_some_and(|member| member.quiesced_at.is_some()));
    // Who wants an unheld pod to fail gets that.
    let (_, ended) = bed.released(bed.hook("pre").env("QUIESCE", "").env("ON_QUIESCE_FAILURE", "fail")).await;
    ended.check(16, &["nothing says how"]);
}

#[tokio::test]
async fn steps_begin_in_order_and_end_in_reverse() {
    let bed = Bed::start().await;
    let log = path(&bed.path("log")).to_owned();
    let say = |word: &str| format!("['/bin/sh', '-c', 'echo {word} >>{log}']");
    let plan = format!(
        "
- sync: [{dir}]
- exec: {{freeze: {}, thaw: {}}}
- session:
    command: [/bin/sh]
    before: ['echo begin >>{log}', 'echo ready']
    ready: ready
    after: ['echo end >>{log}', 'echo done']
    done: done
- exec: {{freeze: {}, thaw: []}}
",
        say("one"),
        say("un-one"),
        say("two"),
        dir = path(&bed.dir),
    );
    bed.holding(&plan).await;
    bed.logs(&["one", "begin", "two"]).await;
    assert_eq!(bed.member().expect("a registration").quiesce.to_string(), "sync,exec,session");
    bed.hook("post").run().await.check(0, &["let go of sync", "session /bin/sh"]);
    bed.logs(&["one", "begin", "two", "end", "un-one"]).await;
    assert_eq!(bed.member().expect("a registration").let_go, Some(LetGo::Asked));
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn writing_out_alone_needs_nobody_to_stay() {
    let bed = Bed::start().await;
    bed.holding(&format!("- sync: [{}]", path(&bed.dir))).await;
    assert!(bed.processes("keep").is_empty() && !bed.place().exists());
    bed.hook("post").run().await.check(0, &["no keeper here"]);
    assert!(bed.member().expect("a registration").proven_quiesced_at().is_some());
}

#[tokio::test]
async fn what_fails_is_undone_said_and_never_counted() {
    let bed = Bed::start().await;
    let log = path(&bed.path("log")).to_owned();
    let first =
        format!("exec: {{freeze: [/bin/sh, -c, 'echo one >>{log}'], thaw: [/bin/sh, -c, 'echo un-one >>{log}']}}");
    let mut words = Vec::new();
    for (second, why) in [
        ("exec: {freeze: [/no/such/program], thaw: []}", "No such file"),
        ("exec: {freeze: [/etc/passwd], thaw: []}", "Permission denied"),
        ("exec: {freeze: [/bin/sh, -c, 'echo no such key; exit 3'], thaw: []}", "exit status: 3; it said: no such key"),
        ("exec: {freeze: [/bin/sh, -c, 'sleep 600'], thaw: [], timeout: 500ms}", "not done within 500 ms"),
        ("exec: {freeze: [/bin/sh, -c, 'head -c 50000000 /dev/zero; exit 4'], thaw: []}", "exit status: 4"),
        ("session: {command: [/bin/sh], before: ['exit 5'], ready: ready}", "exit status: 5"),
        ("session: {command: [/bin/cat], before: [], ready: ready, timeout: 500ms}", "did not print `ready`"),
        ("sync: [/no/such/path]", "/no/such/path"),
        ("fsfreeze: [/]", "--fsfreeze-without-resident accept"),
    ] {
        let (_, ended) = bed.released(bed.pre_with(&format!("- {first}\n- {second}"))).await;
        ended.check(0, &["NOT HELD STILL", "crash-consistent", why, "reported"]);
        words.extend(["one", "un-one"]);
        bed.logs(&words).await;
        let member = bed.member().expect("a registration");
        assert_eq!((member.phase, member.quiesced_at), (MemberPhase::Quiesced, None), "{second}");
        assert!(member.failure.as_ref().is_some_and(|failure| failure.contains(why)), "{:?}", member.failure);
        bed.nobody_is_left().await;
    }
    bed.hook("post").run().await.check(0, &["not proven to have been quiesced"]);
}

#[tokio::test]
async fn a_failure_is_one_if_the_user_says_so() {
    let bed = Bed::start().await;
    let plan = exec_plan_with(&bed, "exit 9", "");
    let (_, ended) = bed.released(bed.pre_with(&plan).env("ON_QUIESCE_FAILURE", "fail")).await;
    ended.check(16, &["could not hold still", "exit status: 9", "exit code 16"]);
    let member = bed.member().expect("a registration");
    assert_eq!((member.phase, member.quiesced_at), (MemberPhase::Failed, None));
    // Who failed may have done half of it.
    bed.logs(&["freeze", "thaw"]).await;
    bed.nobody_is_left().await;
}

#[tokio::test]
async fn without_anybody_to_ask_it_is_held_still_all_the_same() {
    let bed = Bed::start().await;
    let pre = bed.pre_with(&exec_plan(&bed)).env("DEADLINE", "1s").run().await;
    pre.check(0, &["GOES ON WITHOUT A RELEASE", "quiesced (exec /bin/sh"]);
    bed.logs(&["freeze"]).await;
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    bed.logs(&["freeze", "thaw"]).await;
}

#[tokio::test]
async fn the_annotation_says_it_too_and_must_not_contradict() {
    let bed = Bed::start().await;
    let plan = exec_plan(&bed);
    bed.write("podinfo/annotations", &format!("a=\"b\"\nsnapshot-group.velero.io/quiesce={plan:?}\n"));
    let (_, ended) = bed.released(bed.hook("pre")).await;
    ended.check(0, &["quiesced (exec /bin/sh"]);
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    let both = bed.hook("pre").env("QUIESCE", "none").run().await;
    both.check(
        2,
        &["--quiesce (QUIESCE) says `none`", "snapshot-group.velero.io/quiesce", "`exec /bin/sh`", "remove one"],
    );
    bed.write("podinfo/annotations", "snapshot-group.velero.io/quiesce=\"- fsfreeze: [data]\"\n");
    bed.hook("pre").run().await.check(2, &["annotations", "step 1", "absolute path"]);
}

#[tokio::test]
async fn the_annotations_say_the_policy_too_and_must_not_contradict() {
    let bed = Bed::start().await;
    let annotate = |max: &str, policy: &str| {
        let key = "snapshot-group.velero.io";
        let text = format!("{key}/quiesce-max={max:?}\n{key}/on-quiesce-failure={policy:?}\n");
        bed.write("podinfo/annotations", &text);
    };
    annotate("7s", "fail");
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed))).await;
    ended.check(0, &["let go after 7s at most"]);
    bed.hook("post").run().await.check(0, &["let go of exec"]);
    let (_, ended) = bed.released(bed.pre_with(&exec_plan_with(&bed, "exit 9", ""))).await;
    ended.check(16, &["exit status: 9"]);
    for (variable, value, why) in [
        ("QUIESCE_MAX", "8s", "quiesce-max: says 7s and --quiesce-max (QUIESCE_MAX) says 8s: remove one"),
        ("ON_QUIESCE_FAILURE", "go", "on-quiesce-failure: says fail and --on-quiesce-failure"),
    ] {
        bed.hook("pre").env(variable, value).run().await.check(2, &["the pod's annotation", why]);
    }
    for (max, policy, why) in [
        ("500ms", "go", "quiesce-max: 500ms is out of range"),
        ("11m", "go", "quiesce-max: 11m is out of range"),
        ("soon", "go", "quiesce-max"),
        ("7s", "ignore", "on-quiesce-failure: `ignore` is neither"),
    ] {
        annotate(max, policy);
        bed.hook("pre").run().await.check(2, &["the pod's annotation", why]);
    }
    // Nothing said is no contradiction.
    annotate("", "");
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed)).env("QUIESCE_MAX", "8s")).await;
    ended.check(0, &["let go after 8s at most"]);
    bed.hook("post").run().await.check(0, &["let go of exec"]);
}

#[tokio::test]
async fn limits_that_do_not_fit_together_are_named() {
    let bed = Bed::start().await;
    for (variable, value, why) in [
        ("QUIESCE", "- fsfreeze: [data]", "absolute path"),
        ("QUIESCE", "freeze everything", "neither `none` nor a list"),
        ("QUIESCE_MAX", "500ms", "1s to 10m"),
        ("QUIESCE_MAX", "11m", "1s to 10m"),
        ("QUIESCE_MAX", "60", "no unit"),
        ("FSFREEZE_WITHOUT_RESIDENT", "yes", "not `accept`"),
        ("ON_QUIESCE_FAILURE", "ignore", "`go` nor `fail`"),
        ("STATE_DIR", "run", "not an absolute path"),
    ] {
        bed.hook("pre").env(variable, value).run().await.check(2, &[variable, why, "exit code 2"]);
    }
    let shorter = bed.hook("pre").env("HOLD_MAX", "30s").env("QUIESCE_MAX", "31s").run().await;
    shorter.check(2, &["QUIESCE_MAX", "31s", "HOLD_MAX", "30s"]);
    let slow = "- exec: {freeze: [a], thaw: [], timeout: 1m}";
    bed.hook("pre").env("QUIESCE", slow).run().await.check(2, &["QUIESCE", "1m", "hook timeout of 20s", "raise"]);
    assert!(bed.asked().is_empty(), "something was done: {:?}", bed.asked());
}

/// Hooks of `inject` and of generated Schedules name a deadline near Velero's timeout.
#[tokio::test]
async fn a_deadline_gives_way_to_what_the_steps_may_take() {
    let bed = Bed::start().await;
    let slow = "- exec: {freeze: [/no/such/program], thaw: [], timeout: 1m}";
    let (_, ended) = bed.released(bed.pre_with(slow).env("DEADLINE", "4m50s")).await;
    ended.check(0, &["goes on by itself after 238500ms (hook timeout 5m)", "NOT HELD STILL"]);
}

#[tokio::test]
async fn no_private_folder_is_a_failure_that_says_what_to_do() {
    let bed = Bed::start().await;
    let (_, ended) = bed.released(bed.pre_with(&exec_plan(&bed)).env("STATE_DIR", "/proc")).await;
    ended.check(0, &["NOT HELD STILL", "/proc/hook-agent-", "--state-dir"]);
    assert_eq!(bed.log(), Vec::<String>::new());
}
