//! Are hooks found, read and ordered as Velero does?

use super::*;
use crate::velero::object_name::ObjectName;

fn pod(annotations: &[(&str, &str)]) -> PodItem {
    PodItem {
        name: ObjectName::new("db", "db-0"),
        labels: BTreeMap::from([("app".to_owned(), "db".to_owned())]),
        annotations: annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        phase: "Running".into(),
        containers: vec!["main".into(), "other".into()],
        claims: vec![],
        deleting: false,
    }
}

fn specs(json: serde_json::Value) -> Vec<HookSpec> {
    serde_json::from_value(json).unwrap()
}

fn commands(pod: &PodItem, specs: &[HookSpec], phase: HookPhase) -> Vec<String> {
    hook_calls(pod, specs, phase).calls.into_iter().map(|call| call.command.join(" ")).collect()
}

#[test]
fn an_annotation_wins_in_its_own_phase_only() {
    let spec = specs(
        serde_json::json!([{"pre": [{"exec": {"command": ["spec-pre"]}}], "post": [{"exec": {"command": ["spec-post"]}}]}]),
    );
    let pod = pod(&[("pre.hook.backup.velero.io/command", "annotated")]);
    assert_eq!(commands(&pod, &spec, HookPhase::Pre), ["annotated"]);
    assert_eq!(commands(&pod, &spec, HookPhase::Post), ["spec-post"]);
}

#[test]
fn annotations_without_phase_are_pre() {
    let pod = pod(&[("hook.backup.velero.io/command", "old")]);
    assert_eq!(commands(&pod, &[], HookPhase::Pre), ["old"]);
    assert_eq!(commands(&pod, &[], HookPhase::Post), Vec::<String>::new());
}

#[test]
fn many_hooks_of_the_spec_keep_their_order() {
    let spec = specs(serde_json::json!([
        {"labelSelector": {"matchLabels": {"app": "db"}}, "pre": [{"exec": {"command": ["a"]}}, {"exec": {"command": ["b"]}}]},
        {"labelSelector": {"matchLabels": {"app": "web"}}, "pre": [{"exec": {"command": ["not for it"]}}]},
        {"excludedNamespaces": ["db"], "pre": [{"exec": {"command": ["nor this"]}}]},
        {"includedNamespaces": ["d*"], "includedResources": ["pods"], "pre": [{"exec": {"command": ["c"]}}]},
    ]));
    assert_eq!(commands(&pod(&[]), &spec, HookPhase::Pre), ["a", "b", "c"]);
}

fn check_annotation(key: &str, value: &str, check: impl Fn(&HookCall) -> bool, warnings: usize) {
    let key = format!("pre.hook.backup.velero.io/{key}");
    let mut pod = pod(&[("pre.hook.backup.velero.io/command", "x")]);
    pod.annotations.insert(key, value.to_owned());
    let found = hook_calls(&pod, &[], HookPhase::Pre);
    assert!(check(&found.calls[0]), "{value}: {found:?}");
    assert_eq!(found.warnings.len(), warnings, "{value}: {found:?}");
}

#[test]
fn timeouts() {
    let after = |s| HookTimeout::After(Duration::from_secs(s));
    check_annotation("timeout", "300s", |call| call.timeout == after(300), 0);
    check_annotation("timeout", "300", |call| call.timeout == after(30), 1);
    check_annotation("timeout", "0", |call| call.timeout == after(30), 0);
    check_annotation("timeout", "-1s", |call| call.timeout == HookTimeout::Never, 0);
    check_annotation("container", "other", |call| call.timeout == after(30), 0);
}

#[test]
fn on_error() {
    check_annotation("on-error", "Fail", |call| call.on_error == OnError::Fail, 0);
    check_annotation("on-error", "Continue", |call| call.on_error == OnError::Continue, 0);
    check_annotation("on-error", "fail", |call| call.on_error == OnError::Unset, 0);
    check_annotation("container", "main", |call| call.on_error == OnError::Unset, 0);
    assert_eq!(OnError::Unset.as_logged(), "Fail");
}

#[test]
fn a_command_is_split_only_as_json() {
    check_annotation("command", r#"["/bin/sh", "-c", "a b"]"#, |call| call.command == ["/bin/sh", "-c", "a b"], 0);
    check_annotation("command", "/bin/sh -c true", |call| call.command == ["/bin/sh -c true"], 0);
    check_annotation("command", "[/bin/sh]", |call| call.command == ["[/bin/sh]"], 0);
}

#[test]
fn the_container_must_be_an_ordinary_one() {
    let pod = pod(&[]);
    let mut call = from_spec("h", &ExecSpec { command: vec!["x".into()], ..ExecSpec::default() });
    assert_eq!(call.container_in(&pod), Ok("main"));
    call.container = Some("other".into());
    assert_eq!(call.container_in(&pod), Ok("other"));
    call.container = Some("sidecar".into());
    assert_eq!(call.container_in(&pod), Err(HookRefused::NoSuchContainer("sidecar".into())));
    call.container = None;
    call.command.clear();
    assert_eq!(call.container_in(&pod), Err(HookRefused::NoCommand));
}
