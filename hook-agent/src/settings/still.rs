//! What flags and environment say about holding still, checked: limits that fit together, one word that accepts a risk.

use std::path::{Path, PathBuf};

use shared::duration::format_ms;
use shared::identity::shorten;

use super::{DEADLINE_MIN_MS, Limits, Policy, SettingError, duration, policy, set, wrong};
use crate::cli::{CommonArgs, QuiesceArgs};
use crate::keeper::alarm::CONTAINER_LOG;
use crate::lines::chain;
use crate::quiesce::choose::Said;
use crate::quiesce::plan::Plan;

/// How long a pod is held still at most when nothing is said, ms: twelve of Velero's 5 s polls, one for each volume of its block.
const QUIESCE_MAX_MS: u64 = 60_000;

/// The shortest limit of a hold, ms: below it not even a native snapshot is cut in time.
const QUIESCE_MAX_MS_LOWEST: u64 = 1_000;

/// The longest, ms: Velero's `csiSnapshotTimeout` default; a workload that stands still for longer is down, not quiesced.
const QUIESCE_MAX_MS_HIGHEST: u64 = 600_000;

/// What the user writes to accept that a frozen file system outlives its container.
const ACCEPT: &str = "accept";

const MAX: &str = "--quiesce-max (QUIESCE_MAX)";
const MAX_ANNOTATION: &str = "the pod's annotation snapshot-group.velero.io/quiesce-max";
const ON_FAILURE: &str = "--on-quiesce-failure (ON_QUIESCE_FAILURE)";
const ON_FAILURE_ANNOTATION: &str = "the pod's annotation snapshot-group.velero.io/on-quiesce-failure";

/// How the pod is held still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuiesceSettings {
    /// The plan as flag or environment say it.
    pub plan: Option<String>,
    /// The downward API's annotations file, which may say it too.
    pub annotations_file: PathBuf,
    /// How long it is held at most, ms.
    pub max_ms: u64,
    /// That limit, where a flag names it, ms.
    pub max_given_ms: Option<u64>,
    /// What happens when it cannot be held still.
    pub on_failure: Policy,
    /// That policy, where a flag names it.
    pub on_failure_given: Option<Policy>,
    /// Whether the user accepts in writing that a frozen file system outlives its container.
    pub freeze_accepted: bool,
    /// Where the keeper's private folder goes.
    pub state_dir: Option<PathBuf>,
    /// Where the keeper cries for help.
    pub alarm_file: PathBuf,
}

/// What is left before Velero's timeout for reporting and ending, after waiting and holding still, ms: the keeper's start, one
/// write, the last lines.
const AFTER_QUIESCE_MS: u64 = 1_500;

impl QuiesceSettings {
    /// The same with what the pod's annotations say; where a flag says something else, that is an error, as with the plan.
    pub fn with_annotations(&self, said: &Said, limits: &Limits) -> Result<Self, SettingError> {
        let mut merged = self.clone();
        if let Some(max_ms) = duration(MAX_ANNOTATION, said.max.clone())? {
            let max_ms = checked_max(MAX_ANNOTATION, max_ms, limits)?;
            if self.max_given_ms.is_some_and(|given_ms| given_ms != max_ms) {
                return Err(contradiction(MAX_ANNOTATION, &format_ms(max_ms), MAX, &format_ms(self.max_ms)));
            }
            merged.max_ms = max_ms;
        }
        if set(said.on_failure.clone()).is_some() {
            let on_failure = policy(ON_FAILURE_ANNOTATION, said.on_failure.clone())?;
            if self.on_failure_given.is_some_and(|given| given != on_failure) {
                let word = |policy| if policy == Policy::Go { "go" } else { "fail" };
                return Err(contradiction(ON_FAILURE_ANNOTATION, word(on_failure), ON_FAILURE, word(self.on_failure)));
            }
            merged.on_failure = on_failure;
        }
        Ok(merged)
    }
}

/// The deadline of the wait that leaves enough time to hold still by `plan` before Velero's timeout, ms. A deadline is how long to wait at
/// most, so one that a flag names gives way too: generated hooks name one and cannot know what the pod's annotation will ask for.
///
/// # Errors
/// When the shortest wait and the plan together are longer than Velero's timeout.
pub fn deadline_for(plan: &Plan, limits: &Limits) -> Result<u64, SettingError> {
    if plan.is_empty() {
        return Ok(limits.deadline_ms);
    }
    let needs_ms = plan.quiesce_ms_max() + AFTER_QUIESCE_MS;
    let latest_ms = limits.hook_timeout_ms.saturating_sub(needs_ms);
    if latest_ms < DEADLINE_MIN_MS {
        return Err(wrong(
            "--quiesce (QUIESCE)",
            format!(
                "its steps may take {} by their timeouts, and with the shortest wait, {}, that does not fit into the hook timeout of {}: raise --hook-timeout and Velero's to {}, or lower the steps' timeouts",
                format_ms(plan.quiesce_ms_max()),
                format_ms(DEADLINE_MIN_MS),
                format_ms(limits.hook_timeout_ms),
                format_ms(needs_ms + DEADLINE_MIN_MS)
            ),
        ));
    }
    Ok(latest_ms.min(limits.deadline_ms))
}

/// Checks what flags and environment say about holding still.
pub fn settings(
    args: QuiesceArgs,
    common: &CommonArgs,
    limits: &Limits,
    podinfo_dir: &Path,
) -> Result<QuiesceSettings, SettingError> {
    let QuiesceArgs { quiesce, quiesce_max, on_quiesce_failure, fsfreeze_without_resident } = args;
    let plan = set(quiesce);
    if let Some(text) = &plan {
        Plan::parse(text).map_err(|e| wrong("--quiesce (QUIESCE)", chain(&e)))?;
    }
    let given_ms = duration(MAX, quiesce_max)?;
    let max_ms = given_ms.unwrap_or_else(|| QUIESCE_MAX_MS.min(u64::from(limits.hold_s) * 1_000));
    let max_ms = checked_max(MAX, max_ms, limits)?;
    let on_failure = policy(ON_FAILURE, on_quiesce_failure.clone())?;
    let freeze_accepted = match set(fsfreeze_without_resident).as_deref() {
        None => false,
        Some(ACCEPT) => true,
        Some(other) => {
            return Err(wrong(
                "--fsfreeze-without-resident (FSFREEZE_WITHOUT_RESIDENT)",
                format!("`{}` is not `{ACCEPT}`, the only word that it takes", shorten(other)),
            ));
        }
    };
    Ok(QuiesceSettings {
        plan,
        annotations_file: podinfo_dir.join("annotations"),
        max_ms,
        max_given_ms: given_ms,
        on_failure_given: set(on_quiesce_failure).map(|_| on_failure),
        on_failure,
        freeze_accepted,
        state_dir: state_dir(common)?,
        alarm_file: PathBuf::from(set(common.alarm_file.clone()).unwrap_or_else(|| CONTAINER_LOG.to_owned())),
    })
}

/// A limit of a hold that is neither senseless nor longer than the pod's share of the budget lasts.
fn checked_max(setting: &'static str, max_ms: u64, limits: &Limits) -> Result<u64, SettingError> {
    if !(QUIESCE_MAX_MS_LOWEST..=QUIESCE_MAX_MS_HIGHEST).contains(&max_ms) {
        let (low, high) = (format_ms(QUIESCE_MAX_MS_LOWEST), format_ms(QUIESCE_MAX_MS_HIGHEST));
        return Err(wrong(setting, format!("{} is out of range: it must be from {low} to {high}", format_ms(max_ms))));
    }
    let hold_ms = u64::from(limits.hold_s) * 1_000;
    if max_ms > hold_ms {
        let (max, hold) = (format_ms(max_ms), format_ms(hold_ms));
        return Err(wrong(
            setting,
            format!(
                "{max} is longer than --hold (HOLD_MAX) of {hold}: the pod would be held still after its share of the budget was given back"
            ),
        ));
    }
    Ok(max_ms)
}

fn contradiction(setting: &'static str, says: &str, flag: &str, flag_says: &str) -> SettingError {
    wrong(setting, format!("says {says} and {flag} says {flag_says}: remove one"))
}

/// Where the keeper's private folder goes, if the user says so.
pub fn state_dir(args: &CommonArgs) -> Result<Option<PathBuf>, SettingError> {
    let Some(dir) = set(args.state_dir.clone()).map(PathBuf::from) else { return Ok(None) };
    if dir.is_absolute() {
        return Ok(Some(dir));
    }
    Err(wrong("--state-dir (STATE_DIR)", format!("`{}` is not an absolute path", dir.display())))
}
