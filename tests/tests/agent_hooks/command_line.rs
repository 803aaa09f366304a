//! Flags, variables and help: wrong values change nothing and are named; a stranger finds what is needed.

use shared::exit_code::ExitCode;

use crate::bed::Bed;
use crate::hook::Hook;

#[tokio::test]
async fn help_tells_a_stranger_what_is_needed() {
    for command in [
        &["--help"][..],
        &["pre", "--help"],
        &["post", "--help"],
        &["sidecar", "--help"],
        &["install", "--help"],
        &["ready", "--help"],
        &["inject", "--help"],
    ] {
        let hook = command.iter().fold(Hook::new(), |hook, arg| hook.arg(arg));
        let ended = hook.run().await;
        ended.check(0, &["pre.hook.backup.velero.io/command", "post.hook.backup.velero.io/command", "on-error: Fail"]);
        for code in ExitCode::ALL {
            ended.check(0, &[&format!("{:>3}  {}", code.code(), code.meaning())]);
        }
    }
    Hook::new().arg("pre").arg("--help").run().await.check(
        0,
        &[
            "--hook-timeout",
            "HOOK_TIMEOUT",
            "--deadline",
            "DEADLINE",
            "--on-deadline",
            "ON_DEADLINE",
            "--on-unreachable",
            "ON_UNREACHABLE",
            "--coordinator-timeout",
            "COORDINATOR_TIMEOUT",
            "--hold",
            "HOLD_MAX",
            "--quiesce",
            "QUIESCE",
            "--quiesce-max",
            "QUIESCE_MAX",
            "--on-quiesce-failure",
            "ON_QUIESCE_FAILURE",
            "--fsfreeze-without-resident",
            "FSFREEZE_WITHOUT_RESIDENT",
            "--state-dir",
            "STATE_DIR",
            "--alarm-file",
            "ALARM_FILE",
            "--pod-name",
            "POD_NAME",
            "--pod-namespace",
            "POD_NAMESPACE",
            "--pod-uid",
            "POD_UID",
            "--group",
            "SNAPSHOT_GROUP",
            "--labels-file",
            "LABELS_FILE",
            "--podinfo-dir",
            "PODINFO_DIR",
            "--token-file",
            "TOKEN_FILE",
            "--ca-file",
            "CA_FILE",
            "--kubeconfig",
            "KUBECONFIG",
        ],
    );
    Hook::new().arg("--version").run().await.check(0, &["hook-agent 0.1.0"]);
}

#[tokio::test]
async fn what_is_not_understood_ends_with_2() {
    Hook::new().run().await.check(2, &["Usage: hook-agent"]);
    Hook::new().arg("freeze").run().await.check(2, &["freeze"]);
    Hook::new().arg("pre").arg("--dead-line").arg("5s").run().await.check(2, &["--dead-line", "--deadline"]);
    Hook::new().arg("pre").arg("--deadline").run().await.check(2, &["--deadline"]);
    Hook::new().arg("pre").arg("extra").run().await.check(2, &["extra"]);
    let twice = ["--deadline", "5s", "--deadline", "6s"];
    twice.iter().fold(Hook::new().arg("pre"), |hook, arg| hook.arg(arg)).run().await.check(2, &["--deadline"]);
    // `post` waits for nobody.
    Hook::new().arg("post").arg("--deadline=5s").run().await.check(2, &["--deadline"]);
}

#[tokio::test]
async fn wrong_values_are_named_and_nothing_is_done() {
    let bed = Bed::start().await;
    for (variable, value, why) in [
        ("HOOK_TIMEOUT", "300", "`300` has no unit; write 300s"),
        ("HOOK_TIMEOUT", "0", "out of range"),
        ("HOOK_TIMEOUT", "-10m", "out of range"),
        ("HOOK_TIMEOUT", "1e9", "not a length of time"),
        ("HOOK_TIMEOUT", "1e9h", "not a length of time"),
        ("HOOK_TIMEOUT", "99999999999h", "out of range"),
        ("HOOK_TIMEOUT", "1s", "out of range"),
        ("DEADLINE", "20s", "must be 500ms below the hook timeout of 20s"),
        ("DEADLINE", "5 snapshots", "not a length of time"),
        ("DEADLINE", "0s", "too short"),
        ("COORDINATOR_TIMEOUT", "0s", "too short"),
        ("HOLD_MAX", "0s", "1s to 24h"),
        ("ON_DEADLINE", "maybe", "`go` nor `fail`"),
        ("ON_UNREACHABLE", "FAIL", "`go` nor `fail`"),
        ("POD_NAME", "DB_0", "DB_0"),
        ("POD_NAMESPACE", "a.b", "a.b"),
        ("POD_UID", "a_b", "a_b"),
        ("SNAPSHOT_GROUP", "not a label", "not a label"),
        ("KUBECONFIG", "/no/such/file", "/no/such/file"),
        ("KUBECONFIG", "/dev/null", "/dev/null"),
    ] {
        let ended = bed.hook("pre").env(variable, value).run().await;
        ended.check(2, &[variable, why, "exit code 2"]);
        let complaint = ended.output.lines().filter(|line| line.contains("exit code 2")).count();
        assert_eq!((complaint, ended.output.lines().count()), (1, 1), "one line is enough:\n{}", ended.output);
    }
    bed.hook("post").env("ON_UNREACHABLE", "never").run().await.check(2, &["ON_UNREACHABLE", "never"]);
    assert!(bed.asked().is_empty(), "something was done: {:?}", bed.asked());
}

#[tokio::test]
async fn outside_a_pod_it_says_what_is_missing() {
    let bed = Bed::start().await;
    let alone = |command: &str| {
        Hook::new()
            .arg(command)
            .env("TOKEN_FILE", crate::bed::path(&bed.path("token")))
            .env("PODINFO_DIR", crate::bed::path(&bed.path("podinfo")))
    };
    alone("pre").run().await.check(0, &["GOES ON WITHOUT A RELEASE", "KUBERNETES_SERVICE_HOST", "--kubeconfig"]);
    alone("pre").env("ON_UNREACHABLE", "fail").run().await.check(11, &["KUBERNETES_SERVICE_HOST"]);
    alone("post").env("ON_UNREACHABLE", "fail").run().await.check(11, &["KUBERNETES_SERVICE_HOST"]);
    let in_pod =
        |command: &str| alone(command).env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
    in_pod("post").env("ON_UNREACHABLE", "fail").run().await.check(11, &["no certificate authority at", "ca.crt"]);
    bed.write("ca.crt", "not a certificate");
    in_pod("post").env("ON_UNREACHABLE", "fail").run().await.check(11, &["holds no certificate"]);
}
