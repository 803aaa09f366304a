//! What flags and environment say about holding still, checked: limits that fit together, one word that accepts a risk.

use std::path::{Path, PathBuf};

use shared::duration::format_ms;
use shared::identity::shorten;

use super::{DEADLINE_MIN_MS, Limits, Policy, SettingError, duration, policy, set, wrong};
use crate::cli::{CommonArgs, QuiesceArgs};
use crate::keeper::alarm::CONTAINER_LOG;
use crate::lines::chain;
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

/// How the pod is held still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuiesceSettings {
    /// The plan as flag or environment say it.
    pub plan: Option<String>,
    /// The downward API's annotations file, which may say it too.
    pub annotations_file: PathBuf,
    /// How long it is held at most, ms.
    pub max_ms: u64,
    /// What happens when it cannot be held still.
    pub on_failure: Policy,
    /// Whether the user accepts in writing that a frozen file system outlives its container.
    pub freeze_accepted: bool,
    /// Whether the deadline is the user's own, and so not ours to shorten.
    pub deadline_given: bool,
    /// Where the keeper's private folder goes.
    pub state_dir: Option<PathBuf>,
    /// Where the keeper cries for help.
    pub alarm_file: PathBuf,
}

/// What is left before Velero's timeout for reporting and ending, after waiting and holding still, ms: the keeper's start, one
/// write, the last lines.
const AFTER_QUIESCE_MS: u64 = 1_500;

impl QuiesceSettings {
    /// The deadline of the wait that leaves enough time to hold still by `plan` before Velero's timeout, ms.
    pub fn deadline_for(&self, plan: &Plan, limits: &Limits) -> Result<u64, SettingError> {
        if plan.is_empty() {
            return Ok(limits.deadline_ms);
        }
        let needs_ms = plan.quiesce_ms_max() + AFTER_QUIESCE_MS;
        let latest_ms = limits.hook_timeout_ms.saturating_sub(needs_ms);
        if latest_ms >= limits.deadline_ms {
            return Ok(limits.deadline_ms);
        }
        if latest_ms < DEADLINE_MIN_MS || self.deadline_given {
            let keeps = if self.deadline_given { limits.deadline_ms } else { DEADLINE_MIN_MS };
            return Err(wrong(
                "--quiesce (QUIESCE)",
                format!(
                    "its steps may take {} by their timeouts, and with the wait of {} that does not fit into the hook timeout of {}: raise --hook-timeout and Velero's to {}, or lower the steps' timeouts",
                    format_ms(plan.quiesce_ms_max()),
                    format_ms(keeps),
                    format_ms(limits.hook_timeout_ms),
                    format_ms(needs_ms + keeps)
                ),
            ));
        }
        Ok(latest_ms)
    }
}

/// Checks what flags and environment say about holding still.
pub fn settings(
    args: QuiesceArgs,
    common: &CommonArgs,
    limits: &Limits,
    deadline_given: bool,
    podinfo_dir: &Path,
) -> Result<QuiesceSettings, SettingError> {
    let QuiesceArgs { quiesce, quiesce_max, on_quiesce_failure, fsfreeze_without_resident } = args;
    let plan = set(quiesce);
    if let Some(text) = &plan {
        Plan::parse(text).map_err(|e| wrong("--quiesce (QUIESCE)", chain(&e)))?;
    }
    let given_ms = duration(MAX, quiesce_max)?;
    let max_ms = given_ms.unwrap_or_else(|| QUIESCE_MAX_MS.min(u64::from(limits.hold_s) * 1_000));
    if !(QUIESCE_MAX_MS_LOWEST..=QUIESCE_MAX_MS_HIGHEST).contains(&max_ms) {
        let (low, high) = (format_ms(QUIESCE_MAX_MS_LOWEST), format_ms(QUIESCE_MAX_MS_HIGHEST));
        return Err(wrong(MAX, format!("{} is out of range: it must be from {low} to {high}", format_ms(max_ms))));
    }
    let hold_ms = u64::from(limits.hold_s) * 1_000;
    if max_ms > hold_ms {
        let (max, hold) = (format_ms(max_ms), format_ms(hold_ms));
        return Err(wrong(
            MAX,
            format!(
                "{max} is longer than --hold (HOLD_MAX) of {hold}: the pod would be held still after its share of the budget was given back"
            ),
        ));
    }
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
        on_failure: policy("--on-quiesce-failure (ON_QUIESCE_FAILURE)", on_quiesce_failure)?,
        freeze_accepted,
        deadline_given,
        state_dir: state_dir(common)?,
        alarm_file: PathBuf::from(set(common.alarm_file.clone()).unwrap_or_else(|| CONTAINER_LOG.to_owned())),
    })
}

/// Where the keeper's private folder goes, if the user says so.
pub fn state_dir(args: &CommonArgs) -> Result<Option<PathBuf>, SettingError> {
    let Some(dir) = set(args.state_dir.clone()).map(PathBuf::from) else { return Ok(None) };
    if dir.is_absolute() {
        return Ok(Some(dir));
    }
    Err(wrong("--state-dir (STATE_DIR)", format!("`{}` is not an absolute path", dir.display())))
}
