//! Which hooks a generated Schedule runs in its group's pods.

use shared::duration::format_ms;
use shared::identity::GroupKey;

use super::object::{Exec, ExecHook, Hooks, LabelSelector, ResourceHooks};
use super::select;
use crate::inventory::Group;
use crate::inventory::finding::Finding;

/// What Velero does with a Backup whose pre hook failed. The snapshot is taken either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The pod's post hook is not run.
    Fail,
    /// The post hook is run.
    Continue,
}

impl OnError {
    /// As Velero writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Continue => "Continue",
        }
    }
}

/// What an operator may set about hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRecipe {
    /// The hook-agent's path in the workload's containers.
    pub command: String,
    /// Velero's timeout of the pre hook, ms.
    pub pre_timeout_ms: u64,
    /// When the agent itself ends, ms: below the timeout ([`shared::deadline::agent_deadline_ms`]).
    pub pre_deadline_ms: u64,
    /// Velero's timeout of the post hook, ms: above the agent's own ([`shared::deadline::POST_DEADLINE_MS`]).
    pub post_timeout_ms: u64,
    /// Of the pre hook.
    pub on_error: OnError,
}

/// The hooks of a group.
pub fn hooks(key: &GroupKey, group: &Group, recipe: &HookRecipe, findings: &mut Vec<Finding>) -> Hooks {
    let container = container(key, group, findings);
    let timeout = format_ms(recipe.pre_timeout_ms);
    let deadline = format_ms(recipe.pre_deadline_ms);
    let pre = ["pre", "--hook-timeout", &timeout, "--deadline", &deadline];
    let exec = |arguments: &[&str], on_error: OnError, timeout: String| ExecHook {
        exec: Exec {
            container: container.clone(),
            command: std::iter::once(recipe.command.as_str())
                .chain(arguments.iter().copied())
                .map(str::to_owned)
                .collect(),
            on_error: on_error.as_str(),
            timeout,
        },
    };
    Hooks {
        resources: vec![ResourceHooks {
            name: "snapshot-group".to_owned(),
            included_namespaces: vec![key.namespace.to_string()],
            included_resources: vec!["pods".to_owned()],
            label_selector: LabelSelector::from(select::by_group_label(key)),
            pre: vec![exec(&pre, recipe.on_error, as_go_writes(recipe.pre_timeout_ms))],
            post: vec![exec(&["post"], OnError::Continue, as_go_writes(recipe.post_timeout_ms))],
        }],
    }
}

/// A length of time as Go's `Duration.String` writes it (`10m0s`), ms cut off: hook timeouts are whole seconds to people.
fn as_go_writes(ms: u64) -> String {
    let seconds = ms / 1_000;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// The container that a person named, else the one that comes first in every pod. Where pods differ none is written, and Velero
/// takes each pod's first one, which is the same.
fn container(key: &GroupKey, group: &Group, findings: &mut Vec<Finding>) -> Option<String> {
    if let Some(wished) = &group.wishes.hook_container {
        if group.pods.values().all(|pod| pod.pattern.containers().iter().any(|container| **container == **wished)) {
            return Some(wished.clone());
        }
        findings.push(Finding::NoSuchContainer { group: key.clone(), container: wished.clone() });
    }
    let mut first = group.pods.values().map(|pod| pod.pattern.containers().first());
    let container = first.next()??;
    first.all(|other| other == Some(container)).then(|| container.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_go_writes_them() {
        for (ms, text) in
            [(30_000, "30s"), (600_000, "10m0s"), (3_600_000, "1h0m0s"), (5_430_000, "1h30m30s"), (3_999, "3s")]
        {
            assert_eq!(as_go_writes(ms), text);
        }
    }
}
