//! What the program needs, checked once: durations with units, policies, names that Kubernetes would accept.

mod rings;
mod still;

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::deadline::{COORDINATOR_SILENCE_MS, QUIESCED_LEASE_S, VELERO_HOOK_TIMEOUT_DEFAULT_MS, agent_deadline_ms};
use shared::duration::{format_ms, parse_ms};
use shared::identity::{GroupId, Namespace, PodName, PodUid, shorten};

use crate::cli::{CommonArgs, PostArgs, PreArgs};
pub use rings::{InstallSettings, ReadySettings, ResidentSettings};
use still::state_dir;
pub use still::{QuiesceSettings, deadline_for};

/// The shortest wait that makes sense, ms: below it even a free coordinator has no time to answer.
const DEADLINE_MIN_MS: u64 = 1_000;

/// How far below the hook timeout a deadline must be, ms: the last write and the last line come after it.
const DEADLINE_MARGIN_MS: u64 = 500;

/// The longest hold, ms: Velero's `csiSnapshotTimeout` is 10 minutes; a hold of a day or more would block a budget for ever.
const HOLD_MAX_MS: u64 = 24 * 3_600_000;

/// The original system's mount point of the downward API.
const PODINFO_DIR: &str = "/etc/podinfo";

/// Where a pod's token is projected.
const TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A flag or variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct SettingError {
    /// Flag and variable.
    pub setting: &'static str,
    /// What is wrong, with the value.
    pub problem: String,
}

/// What to do when the wait ends without a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Quiesce and go, and say so.
    Go,
    /// Exit with a code of its own.
    Fail,
}

/// How long `pre` waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Velero's timeout of the hook, ms.
    pub hook_timeout_ms: u64,
    /// When the agent stops waiting, ms after its start.
    pub deadline_ms: u64,
    /// How long nobody may answer, ms.
    pub silence_ms: u64,
    /// How long a quiesced pod counts without its post hook, s.
    pub hold_s: u32,
    /// What happens at the deadline.
    pub on_deadline: Policy,
    /// What happens when nobody answers.
    pub on_unreachable: Policy,
}

/// What flags and environment say about the pod, and where else to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The pod's namespace.
    pub namespace: Option<Namespace>,
    /// The pod's name.
    pub pod: Option<PodName>,
    /// The pod's uid.
    pub uid: Option<PodUid>,
    /// The pod's group.
    pub group: Option<GroupId>,
    /// Folder of downward API files.
    pub podinfo_dir: PathBuf,
    /// The downward API's labels file.
    pub labels_file: PathBuf,
}

/// What flags and environment say about how to reach the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessFlags {
    /// A kubeconfig (or several, separated as in PATH) instead of the pod's own access.
    pub kubeconfig: Option<String>,
    /// The token.
    pub token_file: PathBuf,
    /// Whether the token file was named by the user: then it goes before a kubeconfig's user.
    pub token_file_given: bool,
    /// The certificate authority.
    pub ca_file: PathBuf,
}

/// Everything that `pre` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreSettings {
    /// How long it waits.
    pub limits: Limits,
    /// How it holds still.
    pub quiesce: QuiesceSettings,
    /// Who it is.
    pub names: Names,
    /// Whom it asks.
    pub access: AccessFlags,
}

/// Everything that `post` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostSettings {
    /// What happens when nobody answers.
    pub on_unreachable: Policy,
    /// Where the keeper's private folder is.
    pub state_dir: Option<PathBuf>,
    /// Who it is.
    pub names: Names,
    /// Whom it asks.
    pub access: AccessFlags,
}

impl TryFrom<PreArgs> for PreSettings {
    type Error = SettingError;

    fn try_from(args: PreArgs) -> Result<Self, SettingError> {
        let PreArgs { hook_timeout, deadline, coordinator_timeout, on_deadline, hold, quiesce, common } = args;
        let hook_timeout_ms = duration("--hook-timeout (HOOK_TIMEOUT)", hook_timeout)?;
        let deadline = duration(DEADLINE, deadline)?;
        let limits = Limits {
            hook_timeout_ms: hook_timeout_ms.unwrap_or(VELERO_HOOK_TIMEOUT_DEFAULT_MS),
            deadline_ms: deadline_ms(hook_timeout_ms, deadline)?,
            silence_ms: silence_ms(duration(COORDINATOR_TIMEOUT, coordinator_timeout)?)?,
            hold_s: hold_s(duration(HOLD, hold)?)?,
            on_deadline: policy("--on-deadline (ON_DEADLINE)", on_deadline)?,
            on_unreachable: policy(ON_UNREACHABLE, common.on_unreachable.clone())?,
        };
        let names = names(&common)?;
        let quiesce = still::settings(quiesce, &common, &limits, &names.podinfo_dir)?;
        Ok(Self { limits, quiesce, names, access: access(&common) })
    }
}

impl TryFrom<PostArgs> for PostSettings {
    type Error = SettingError;

    fn try_from(args: PostArgs) -> Result<Self, SettingError> {
        let PostArgs { common } = args;
        Ok(Self {
            on_unreachable: policy(ON_UNREACHABLE, common.on_unreachable.clone())?,
            state_dir: state_dir(&common)?,
            names: names(&common)?,
            access: access(&common),
        })
    }
}

const DEADLINE: &str = "--deadline (DEADLINE)";
const COORDINATOR_TIMEOUT: &str = "--coordinator-timeout (COORDINATOR_TIMEOUT)";
const HOLD: &str = "--hold (HOLD_MAX)";
const ON_UNREACHABLE: &str = "--on-unreachable (ON_UNREACHABLE)";

/// A value that is there: downward API fields may be empty, and then count as not set.
fn set(value: Option<String>) -> Option<String> {
    value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn wrong(setting: &'static str, problem: impl Display) -> SettingError {
    SettingError { setting, problem: problem.to_string() }
}

fn duration(setting: &'static str, value: Option<String>) -> Result<Option<u64>, SettingError> {
    set(value).map(|text| parse_ms(&text).map_err(|e| wrong(setting, e))).transpose()
}

fn policy(setting: &'static str, value: Option<String>) -> Result<Policy, SettingError> {
    match set(value).as_deref() {
        None | Some("go") => Ok(Policy::Go),
        Some("fail") => Ok(Policy::Fail),
        Some(other) => Err(wrong(setting, format!("`{}` is neither `go` nor `fail`", shorten(other)))),
    }
}

fn deadline_ms(hook_timeout_ms: Option<u64>, deadline_ms: Option<u64>) -> Result<u64, SettingError> {
    let timeout_ms = hook_timeout_ms.unwrap_or(VELERO_HOOK_TIMEOUT_DEFAULT_MS);
    let own_ms = agent_deadline_ms(timeout_ms).map_err(|e| wrong("--hook-timeout (HOOK_TIMEOUT)", e))?;
    let Some(given_ms) = deadline_ms else { return Ok(own_ms) };
    let (given, timeout) = (format_ms(given_ms), format_ms(timeout_ms));
    if given_ms < DEADLINE_MIN_MS {
        return Err(wrong(
            DEADLINE,
            format!("{given} is too short: it must be at least {}", format_ms(DEADLINE_MIN_MS)),
        ));
    }
    if given_ms.saturating_add(DEADLINE_MARGIN_MS) > timeout_ms {
        let which = if hook_timeout_ms.is_some() { "the hook timeout" } else { "Velero's default hook timeout" };
        return Err(wrong(
            DEADLINE,
            format!("{given} must be {DEADLINE_MARGIN_MS}ms below {which} of {timeout}, or Velero ends first"),
        ));
    }
    Ok(given_ms)
}

fn silence_ms(given_ms: Option<u64>) -> Result<u64, SettingError> {
    match given_ms {
        Some(0) => Err(wrong(COORDINATOR_TIMEOUT, "0s is too short: nobody answers in no time")),
        given_ms => Ok(given_ms.unwrap_or(COORDINATOR_SILENCE_MS)),
    }
}

fn hold_s(given_ms: Option<u64>) -> Result<u32, SettingError> {
    match given_ms {
        None => Ok(QUIESCED_LEASE_S),
        // A Lease counts whole seconds and refuses 0.
        Some(ms @ 1..=HOLD_MAX_MS) => Ok(u32::try_from(ms.div_ceil(1_000)).unwrap_or(QUIESCED_LEASE_S)),
        Some(ms) => Err(wrong(HOLD, format!("{} is out of range: it must be from 1s to 24h", format_ms(ms)))),
    }
}

fn name<T>(setting: &'static str, value: Option<&String>) -> Result<Option<T>, SettingError>
where
    T: FromStr,
    T::Err: Display,
{
    set(value.cloned()).map(|text| text.parse().map_err(|e: T::Err| wrong(setting, e))).transpose()
}

fn names(args: &CommonArgs) -> Result<Names, SettingError> {
    let podinfo_dir = PathBuf::from(set(args.podinfo_dir.clone()).unwrap_or_else(|| PODINFO_DIR.to_owned()));
    Ok(Names {
        namespace: name("--pod-namespace (POD_NAMESPACE)", args.pod_namespace.as_ref())?,
        pod: name("--pod-name (POD_NAME)", args.pod_name.as_ref())?,
        uid: name("--pod-uid (POD_UID)", args.pod_uid.as_ref())?,
        group: name("--group (SNAPSHOT_GROUP)", args.group.as_ref())?,
        labels_file: set(args.labels_file.clone()).map_or_else(|| podinfo_dir.join("labels"), PathBuf::from),
        podinfo_dir,
    })
}

fn access(args: &CommonArgs) -> AccessFlags {
    let given = set(args.token_file.clone());
    let token_file = PathBuf::from(given.clone().unwrap_or_else(|| TOKEN_FILE.to_owned()));
    AccessFlags {
        kubeconfig: set(args.kubeconfig.clone()),
        token_file_given: given.is_some(),
        ca_file: set(args.ca_file.clone()).map_or_else(|| token_file.with_file_name("ca.crt"), PathBuf::from),
        token_file,
    }
}

#[cfg(test)]
mod tests;
