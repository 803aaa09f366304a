//! What does the stand-in kubelet say of an exec? Its log is written by the process that starts and reaps the hooks.

use jiff::Timestamp;
use serde::Deserialize;

use crate::velero::object_name::ObjectName;

/// One line about an exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExecLine {
    pub(super) at: Timestamp,
    pub(super) what: ExecEvent,
    pub(super) pod: ObjectName,
    pub(super) container: String,
    pub(super) command: Vec<String>,
    pub(super) pid: u32,
}

/// What happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExecEvent {
    /// Its process was started.
    Started,
    /// The process ended. A signal comes as 128 and its number.
    Ended { code: i32 },
    /// Nobody holds its output any more: now its client is told.
    Released { code: i32, stdout: String, stderr: String },
    /// Nothing was started.
    Refused { error: String },
}

#[derive(Deserialize)]
struct Raw {
    at_ns: i64,
    what: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    container: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    pid: u32,
    #[serde(default)]
    exit_code: Option<i32>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    stdout_tail: String,
    #[serde(default)]
    stderr_tail: String,
}

/// Reads a line; `None` for one that is not about an exec.
pub(super) fn read(line: &str) -> Option<ExecLine> {
    let raw: Raw = serde_json::from_str(line).ok()?;
    let code = raw.exit_code.unwrap_or(-1);
    let what = match raw.what.as_str() {
        "exec-start" => ExecEvent::Started,
        "exec-end" => ExecEvent::Ended { code },
        "exec-released" => ExecEvent::Released { code, stdout: raw.stdout_tail, stderr: raw.stderr_tail },
        "exec-refused" => ExecEvent::Refused { error: raw.error.unwrap_or_default() },
        _ => return None,
    };
    Some(ExecLine {
        at: Timestamp::from_nanosecond(i128::from(raw.at_ns)).ok()?,
        what,
        pod: ObjectName::new(raw.namespace, raw.pod),
        container: raw.container,
        command: raw.command,
        pid: raw.pid,
    })
}
