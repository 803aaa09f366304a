//! Which values are refused, and how they are named.

use super::*;
use crate::quiesce::plan::Plan;

fn pre(change: impl FnOnce(&mut PreArgs)) -> Result<PreSettings, SettingError> {
    let mut args = PreArgs::default();
    change(&mut args);
    args.try_into()
}

fn text(value: &str) -> String {
    value.to_owned()
}

#[test]
fn without_anything_the_defaults_fit_veleros() {
    let settings = pre(|_| ()).unwrap();
    assert_eq!(
        settings.limits,
        Limits {
            hook_timeout_ms: 30_000,
            deadline_ms: 27_000,
            silence_ms: 25_000,
            hold_s: 600,
            on_deadline: Policy::Go,
            on_unreachable: Policy::Go,
        }
    );
    assert_eq!(settings.names.labels_file, PathBuf::from("/etc/podinfo/labels"));
    assert_eq!(settings.access.ca_file, PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"));
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let empty = || Some(text(""));
    let settings = pre(|args| {
        args.hook_timeout = Some(text("  "));
        args.deadline = empty();
        args.on_deadline = empty();
        args.hold = empty();
        args.coordinator_timeout = empty();
        args.common.pod_name = empty();
        args.common.pod_uid = empty();
        args.common.group = empty();
        args.common.kubeconfig = empty();
        args.common.token_file = empty();
        args.common.labels_file = empty();
    })
    .unwrap();
    assert_eq!(settings, pre(|_| ()).unwrap());
}

#[test]
fn files_follow_the_folder_that_is_named() {
    let settings = pre(|args| {
        args.common.podinfo_dir = Some(text("/p"));
        args.common.token_file = Some(text("/t/token"));
    })
    .unwrap();
    assert_eq!(settings.names.labels_file, PathBuf::from("/p/labels"));
    assert_eq!(settings.access.ca_file, PathBuf::from("/t/ca.crt"));
    assert!(settings.access.token_file_given);
}

/// One wrong value each; the message must name the setting and say each of the parts.
#[track_caller]
fn refused(change: impl FnOnce(&mut PreArgs), parts: &[&str]) {
    let message = pre(change).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn wrong_durations_are_named() {
    for (value, why) in [("300", "no unit"), ("-5s", "out of range"), ("1e9", "not a length"), ("ten", "not a length")]
    {
        refused(|a| a.hook_timeout = Some(text(value)), &["--hook-timeout (HOOK_TIMEOUT)", value, why]);
        refused(|a| a.deadline = Some(text(value)), &["--deadline (DEADLINE)", value, why]);
        refused(|a| a.coordinator_timeout = Some(text(value)), &["COORDINATOR_TIMEOUT", value, why]);
        refused(|a| a.hold = Some(text(value)), &["--hold (HOLD_MAX)", value, why]);
    }
    refused(|a| a.hook_timeout = Some(text("0")), &["HOOK_TIMEOUT", "0 ms is out of range"]);
    refused(|a| a.hook_timeout = Some(text("2999ms")), &["HOOK_TIMEOUT", "out of range"]);
    refused(|a| a.hook_timeout = Some(text("5h")), &["HOOK_TIMEOUT", "out of range"]);
    refused(|a| a.deadline = Some(text("0s")), &["DEADLINE", "too short"]);
    refused(|a| a.coordinator_timeout = Some(text("0s")), &["COORDINATOR_TIMEOUT", "too short"]);
    refused(|a| a.hold = Some(text("0s")), &["HOLD_MAX", "1s to 24h"]);
    refused(|a| a.hold = Some(text("25h")), &["HOLD_MAX", "1s to 24h"]);
}

#[test]
fn a_deadline_that_velero_would_cut_off_is_refused() {
    refused(|a| a.deadline = Some(text("30s")), &["DEADLINE", "30s", "default hook timeout"]);
    refused(|a| a.deadline = Some(text("29501ms")), &["DEADLINE", "500ms below"]);
    refused(
        |a| {
            a.hook_timeout = Some(text("1m"));
            a.deadline = Some(text("60s"));
        },
        &["DEADLINE", "1m", "Velero ends first"],
    );
    let fits = pre(|a| {
        a.hook_timeout = Some(text("1m"));
        a.deadline = Some(text("59s"));
    });
    assert_eq!(fits.unwrap().limits.deadline_ms, 59_000);
}

/// Hooks of `inject` and of generated Schedules name a deadline; which plan the pod's annotation has is not theirs to know.
#[test]
fn a_deadline_gives_way_to_what_the_steps_may_take() {
    let limits = |timeout: &str, deadline: Option<&str>| {
        let made = pre(|a| {
            a.hook_timeout = Some(text(timeout));
            a.deadline = deadline.map(str::to_owned);
        });
        made.unwrap().limits
    };
    let plan = |timeout: &str| {
        let steps = format!(
            "[{{session: {{command: [c], before: [b], ready: r, timeout: {timeout}}}}}, {{fsfreeze: [/data]}}]"
        );
        Plan::parse(&steps).unwrap()
    };
    for given in [None, Some("585s")] {
        let deadline_ms = |timeout| deadline_for(&plan(timeout), &limits("10m", given)).unwrap();
        assert_eq!((deadline_ms("1s"), deadline_ms("20s"), deadline_ms("2m")), (585_000, 568_500, 468_500));
    }
    for given in [None, Some("27s")] {
        let refused = deadline_for(&plan("20s"), &limits("30s", given)).unwrap_err();
        let said = crate::lines::chain(&refused);
        assert!(said.contains("may take 30s") && said.contains("raise --hook-timeout"), "{said}");
    }
    assert_eq!(deadline_for(&plan("20s"), &limits("10m", Some("5s"))).unwrap(), 5_000, "what is short stays");
    assert_eq!(deadline_for(&Plan::default(), &limits("10m", None)).unwrap(), 585_000);
}

#[test]
fn wrong_words_and_names_are_named() {
    refused(|a| a.on_deadline = Some(text("maybe")), &["--on-deadline (ON_DEADLINE)", "maybe", "`go` nor `fail`"]);
    refused(|a| a.common.on_unreachable = Some(text("GO")), &["--on-unreachable (ON_UNREACHABLE)", "GO"]);
    refused(|a| a.common.pod_name = Some(text("DB_0")), &["--pod-name (POD_NAME)", "DB_0"]);
    refused(|a| a.common.pod_namespace = Some(text("a.b")), &["--pod-namespace (POD_NAMESPACE)", "a.b"]);
    refused(|a| a.common.pod_uid = Some(text("a_b")), &["--pod-uid (POD_UID)", "a_b"]);
    refused(|a| a.common.group = Some("g".repeat(300)), &["--group (SNAPSHOT_GROUP)", "300 characters"]);
}

#[test]
fn a_hold_is_rounded_up_to_whole_seconds() {
    assert_eq!(pre(|a| a.hold = Some(text("1500ms"))).unwrap().limits.hold_s, 2);
    assert_eq!(pre(|a| a.hold = Some(text("1h"))).unwrap().limits.hold_s, 3_600);
}

#[test]
fn post_checks_the_same_values() {
    let mut args = PostArgs::default();
    args.common.on_unreachable = Some(text("fail"));
    assert_eq!(PostSettings::try_from(args.clone()).unwrap().on_unreachable, Policy::Fail);
    args.common.pod_name = Some(text("-"));
    assert!(PostSettings::try_from(args).unwrap_err().to_string().contains("POD_NAME"));
}
