//! Which commands does Velero exec in a pod, before and after the cut?
//!
//! Rules: Velero `internal/hook/item_hook_handler.go` and `pkg/podexec/pod_command_executor.go`. An annotation hook wins
//! over the Backup's own hooks, phase by phase; a spec may give many, and the first that fails with `Fail` stops the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::core::{Selector, SelectorExt};

use super::backup::{ExecSpec, HookSpec};
use super::go_duration::GoDuration;
use super::inventory::PodItem;
use super::selection::Filter;

/// What applies when no timeout is given (`pod_command_executor.go`: `defaultTimeout`).
pub const HOOK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Before or after the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookPhase {
    /// Before the first cut of the block.
    Pre,
    /// After the last cut of the block.
    Post,
}

impl HookPhase {
    /// `pre` or `post`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
        }
    }
}

/// What a failing hook does to its pod. Every failure makes the Backup `PartiallyFailed`, whatever stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The pod's remaining hooks do not run, its post hooks neither; its volumes are cut all the same.
    Fail,
    /// All goes on.
    Continue,
    /// Nothing (or nothing known) was given: Velero logs `Fail` and behaves as `Continue`.
    Unset,
}

impl OnError {
    fn parse(text: &str) -> Self {
        match text {
            "Fail" => Self::Fail,
            "Continue" => Self::Continue,
            _ => Self::Unset,
        }
    }

    /// What Velero writes into its log as `hookOnError`.
    pub fn as_logged(self) -> &'static str {
        match self {
            Self::Continue => "Continue",
            Self::Fail | Self::Unset => "Fail",
        }
    }
}

/// How long Velero waits for an exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookTimeout {
    /// This long; the process is not ended when it has passed.
    After(Duration),
    /// For ever: what a negative timeout means up to 1.18.
    Never,
}

/// Where a hook comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookSource {
    /// The pod's annotations.
    Annotation,
    /// The Backup's `spec.hooks`.
    Spec,
}

/// One exec that Velero will ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCall {
    /// Where it comes from.
    pub source: HookSource,
    /// Name of the spec's entry; `<from-annotation>` otherwise.
    pub name: String,
    /// The container asked for; `None` takes the pod's first.
    pub container: Option<String>,
    /// argv, no shell.
    pub command: Vec<String>,
    /// What a failure does.
    pub on_error: OnError,
    /// How long Velero waits.
    pub timeout: HookTimeout,
}

/// Why Velero gives up on a hook before any exec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookRefused {
    /// Not among the ordinary containers: absent, an init container or a sidecar.
    #[error("no such container: {0:?}")]
    NoSuchContainer(String),
    /// The pod has none.
    #[error("need at least 1 container")]
    NoContainer,
    /// argv is empty.
    #[error("command is required")]
    NoCommand,
}

/// The hooks of one pod in one phase, in the order in which Velero runs them, and what it warns of while reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookCalls {
    /// To run one after another.
    pub calls: Vec<HookCall>,
    /// Warnings for the Backup's log.
    pub warnings: Vec<String>,
}

impl HookCall {
    /// The container to exec into, or why there is none.
    pub fn container_in<'a>(&'a self, pod: &'a PodItem) -> Result<&'a str, HookRefused> {
        let container = match &self.container {
            None => pod.containers.first().ok_or(HookRefused::NoContainer)?,
            Some(name) => {
                pod.containers.iter().find(|c| *c == name).ok_or_else(|| HookRefused::NoSuchContainer(name.clone()))?
            }
        };
        if self.command.is_empty() {
            return Err(HookRefused::NoCommand);
        }
        Ok(container)
    }
}

/// Finds the hooks of a pod for a phase.
pub fn hook_calls(pod: &PodItem, specs: &[HookSpec], phase: HookPhase) -> HookCalls {
    let mut warnings = Vec::new();
    let phased = from_annotations(&pod.annotations, &format!("{}.", phase.as_str()), &mut warnings);
    // The keys without a phase are the older spelling of "pre".
    let annotated = match (phased, phase) {
        (None, HookPhase::Pre) => from_annotations(&pod.annotations, "", &mut warnings),
        (found, _) => found,
    };
    if let Some(call) = annotated {
        return HookCalls { calls: vec![call], warnings };
    }
    let calls = specs
        .iter()
        .filter(|spec| applies_to(spec, pod))
        .flat_map(|spec| {
            let actions = match phase {
                HookPhase::Pre => &spec.pre,
                HookPhase::Post => &spec.post,
            };
            actions.iter().filter_map(|action| action.exec.as_ref()).map(|exec| from_spec(&spec.name, exec))
        })
        .collect();
    HookCalls { calls, warnings }
}

fn applies_to(spec: &HookSpec, pod: &PodItem) -> bool {
    let selects = |selector: Selector| selector.matches(&pod.labels);
    Filter::new(&spec.included_namespaces, &spec.excluded_namespaces).takes(&pod.name.namespace)
        && Filter::new(&spec.included_resources, &spec.excluded_resources).takes("pods")
        && spec.label_selector.clone().is_none_or(|s| Selector::try_from(s).is_ok_and(selects))
}

fn from_spec(name: &str, exec: &ExecSpec) -> HookCall {
    HookCall {
        source: HookSource::Spec,
        name: name.to_owned(),
        container: Some(exec.container.clone()).filter(|c| !c.is_empty()),
        command: exec.command.clone(),
        on_error: OnError::parse(&exec.on_error),
        timeout: timeout_of(exec.timeout),
    }
}

fn from_annotations(
    annotations: &BTreeMap<String, String>,
    prefix: &str,
    warnings: &mut Vec<String>,
) -> Option<HookCall> {
    let get = |key: &str| annotations.get(&format!("{prefix}hook.backup.velero.io/{key}")).map_or("", String::as_str);
    let command = get("command");
    if command.is_empty() {
        return None;
    }
    let timeout = match get("timeout") {
        "" => None,
        text => GoDuration::parse(text)
            .map_err(|e| warnings.push(format!("Unable to parse provided timeout {text}, using default: {e}")))
            .ok(),
    };
    Some(HookCall {
        source: HookSource::Annotation,
        name: "<from-annotation>".to_owned(),
        container: Some(get("container").to_owned()).filter(|c| !c.is_empty()),
        command: split_command(command),
        on_error: OnError::parse(get("on-error")),
        timeout: timeout_of(timeout),
    })
}

fn timeout_of(given: Option<GoDuration>) -> HookTimeout {
    match given {
        Some(given) if !given.is_zero() => given.positive().map_or(HookTimeout::Never, HookTimeout::After),
        _ => HookTimeout::After(HOOK_TIMEOUT_DEFAULT),
    }
}

/// A JSON array is argv; anything else is `argv[0]` as a whole, spaces included.
fn split_command(text: &str) -> Vec<String> {
    match text.strip_prefix('[') {
        Some(_) => serde_json::from_str(text).unwrap_or_else(|_| vec![text.to_owned()]),
        None => vec![text.to_owned()],
    }
}

#[cfg(test)]
#[path = "hook_calls_tests.rs"]
mod tests;
