//! Which pre hooks run our agent, as a pod's annotations and a Backup's `spec.hooks` announce them.
//!
//! The rules are Velero's (`internal/hook/item_hook_handler.go`): a pre hook in a pod's annotations takes the place of the
//! Backup's own; the annotations without a phase are the older spelling of the pre hook's.

use std::collections::BTreeMap;

use coordinator_core::objects::{HookScope, PreHook};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;

use super::selector;

/// A command that has this in any of its words runs our agent, directly or through a shell.
const AGENT: &str = "hook-agent";

/// The annotations that hold a pre hook's command, in the order in which Velero looks.
const COMMAND_ANNOTATIONS: [&str; 2] = ["pre.hook.backup.velero.io/command", "hook.backup.velero.io/command"];

/// `spec.hooks` of a Backup.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct BackupHooks {
    resources: Option<Vec<HookResource>>,
}

/// `spec.hooks.resources[]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HookResource {
    included_namespaces: Option<Vec<String>>,
    excluded_namespaces: Option<Vec<String>>,
    included_resources: Option<Vec<String>>,
    excluded_resources: Option<Vec<String>>,
    label_selector: Option<LabelSelector>,
    pre: Option<Vec<Hook>>,
    /// The older spelling of `pre`.
    hooks: Option<Vec<Hook>>,
}

/// One hook.
#[derive(Clone, Debug, Deserialize)]
struct Hook {
    exec: Option<Exec>,
}

/// `exec` of a hook.
#[derive(Clone, Debug, Deserialize)]
struct Exec {
    command: Option<Vec<String>>,
}

impl Hook {
    fn is_ours(&self) -> bool {
        let words = self.exec.iter().flat_map(|exec| exec.command.iter().flatten());
        words.into_iter().any(|word| word.contains(AGENT))
    }
}

/// What a pod's annotations say.
pub fn of_pod(annotations: &BTreeMap<String, String>) -> PreHook {
    let command = COMMAND_ANNOTATIONS.iter().filter_map(|key| annotations.get(*key)).find(|text| !text.is_empty());
    match command {
        None => PreHook::None,
        Some(text) if text.contains(AGENT) => PreHook::Ours,
        Some(_) => PreHook::Other,
    }
}

/// The entries of a Backup that run our agent in pods.
pub fn of_backup(hooks: BackupHooks) -> Vec<HookScope> {
    let scope = |resource: HookResource| {
        let HookResource {
            included_namespaces,
            excluded_namespaces,
            included_resources,
            excluded_resources,
            label_selector,
            pre,
            hooks,
        } = resource;
        let ours = pre.iter().chain(&hooks).flatten().any(Hook::is_ours);
        let pods = lets_pods_in(included_resources.as_deref(), excluded_resources.as_deref());
        (ours && pods).then(|| HookScope {
            included_namespaces: included_namespaces.unwrap_or_default(),
            excluded_namespaces: excluded_namespaces.unwrap_or_default(),
            selector: label_selector.map(selector::reduce).unwrap_or_default(),
        })
    };
    hooks.resources.unwrap_or_default().into_iter().filter_map(scope).collect()
}

/// Whether resource filters let pods in. Velero takes any name that the API server's discovery knows.
pub fn lets_pods_in(included: Option<&[String]>, excluded: Option<&[String]>) -> bool {
    let named = |list: &[String]| list.iter().any(|name| matches!(name.as_str(), "*" | "pods" | "pod" | "po"));
    included.is_none_or(|list| list.is_empty() || named(list)) && !excluded.is_some_and(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(annotations: &[(&str, &str)], expected: PreHook) {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(of_pod(&annotations), expected, "{annotations:?}");
    }

    #[test]
    fn a_pods_annotations_name_our_agent_or_somebody_elses_hook() {
        let (pre, old) = (COMMAND_ANNOTATIONS[0], COMMAND_ANNOTATIONS[1]);
        check(&[], PreHook::None);
        check(&[(pre, "")], PreHook::None);
        check(&[(pre, r#"["/snapshot/hook-agent","pre"]"#)], PreHook::Ours);
        check(&[(pre, r#"["sh","-c","exec /snapshot/hook-agent pre"]"#)], PreHook::Ours);
        check(&[(old, "/hook-agent")], PreHook::Ours);
        check(&[(pre, r#"["/sbin/fsfreeze"]"#), (old, "/hook-agent")], PreHook::Other);
        check(&[("post.hook.backup.velero.io/command", "/hook-agent")], PreHook::None);
    }

    fn scopes(resource: &Value) -> usize {
        of_backup(serde_json::from_value(json!({"resources": [resource]})).unwrap()).len()
    }

    #[test]
    fn a_backups_hooks_count_where_they_run_our_agent_in_pods() {
        let exec = json!([{"exec": {"container": "main", "command": ["/hook-agent", "pre"]}}]);
        assert_eq!(scopes(&json!({"name": "a", "pre": exec})), 1);
        assert_eq!(scopes(&json!({"name": "a", "hooks": exec, "labelSelector": {"matchLabels": {"a": "b"}}})), 1);
        assert_eq!(scopes(&json!({"name": "a", "post": exec})), 0);
        assert_eq!(scopes(&json!({"name": "a", "pre": exec, "excludedResources": ["pods"]})), 0);
        assert_eq!(scopes(&json!({"name": "a", "pre": [{"exec": {"command": ["sync"]}}, {}]})), 0);
        assert!(of_backup(BackupHooks::default()).is_empty());
    }

    #[test]
    fn resource_filters() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(lets_pods_in(None, None) && lets_pods_in(Some(&[]), Some(&[])));
        assert!(lets_pods_in(Some(&list(&["configmaps", "po"])), None));
        assert!(!lets_pods_in(Some(&list(&["configmaps"])), None));
        assert!(!lets_pods_in(Some(&list(&["*"])), Some(&list(&["pods"]))));
    }
}
