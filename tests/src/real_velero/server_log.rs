//! What does a line of Velero's own log say that the truth needs? (`pkg/backup/backup.go`, `internal/hook`, `pkg/podexec`)
//!
//! Lines of a Backup go to the server's output as well as into the bucket. Lines about hooks name the Backup and the phase, but no
//! pod.

use serde_json::Value;

use crate::velero::hook_calls::HookPhase;
use crate::velero::object_name::ObjectName;
use crate::velero::truth::LogLevel;

/// One statement about a Backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A pod goes into the block that is being made.
    PodTaken(ObjectName),
    /// The block that was being made goes to a worker.
    BlockHanded,
    /// A hook is about to be started.
    HookAnnounced { phase: HookPhase, container: String, command: Vec<String> },
    /// Velero went on after a hook that failed, with this error.
    HookFailed { phase: HookPhase, error: String },
    /// Something to be kept.
    Logged { level: LogLevel, message: String },
}

/// Reads a line: the Backup, and what is said of it.
pub(super) fn read(line: &str) -> Option<(String, Vec<Said>)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let (_, backup) = text(&line, "backup").split_once('/')?;
    let mut said = Vec::new();
    let message = text(&line, "msg");
    if message == "Processing item" && text(&line, "resource") == "pods" {
        said.push(Said::PodTaken(ObjectName::new(text(&line, "namespace"), text(&line, "name"))));
    } else if let Some((namespace, name)) = message
        .strip_prefix("adding pods ")
        .and_then(|rest| rest.strip_suffix(" to ItemBlock"))
        .and_then(|pod| pod.split_once('/'))
    {
        said.push(Said::PodTaken(ObjectName::new(namespace, name)));
    } else if message.starts_with("Backing Up Item Block including ") {
        said.push(Said::BlockHanded);
    } else if message == "running exec hook" {
        said.extend(phase(&line).map(|phase| Said::HookAnnounced {
            phase,
            container: text(&line, "hookContainer").to_owned(),
            command: strings(&line["hookCommand"]),
        }));
    } else if message == "Error executing hook" {
        let error = error_of(&line).to_owned();
        said.extend(phase(&line).map(|phase| Said::HookFailed { phase, error }));
    }
    said.extend(kept(&line, message));
    Some((backup.to_owned(), said))
}

/// Warnings, errors, how hooks are run, and what they wrote.
fn kept(line: &Value, message: &str) -> Option<Said> {
    let level = match text(line, "level") {
        "error" => LogLevel::Error,
        "warning" => LogLevel::Warning,
        "info" if message == "running exec hook" => {
            let message = format!("{message} (hookOnError={})", text(line, "hookOnError"));
            return Some(Said::Logged { level: LogLevel::Info, message });
        }
        "info" if message.starts_with("stdout: ") || message.starts_with("stderr: ") => {
            return Some(Said::Logged { level: LogLevel::Info, message: message.to_owned() });
        }
        _ => return None,
    };
    // The form in which Velero puts them into a Backup's results.
    let (error, name) = (error_of(line), text(line, "name"));
    let given = |text: &str, form: String| if text.is_empty() { String::new() } else { form };
    let full = [
        given(name, format!("name: /{name} ")),
        format!("message: /{message}"),
        given(error, format!(" error: /{error}")),
    ]
    .concat();
    Some(Said::Logged { level, message: full })
}

/// An error that knows where it was made comes in parts (`pkg/util/logging/error_location_hook.go`).
fn error_of(line: &Value) -> &str {
    let whole = text(line, "error");
    if whole.is_empty() { text(line, "error.message") } else { whole }
}

fn phase(line: &Value) -> Option<HookPhase> {
    [HookPhase::Pre, HookPhase::Post].into_iter().find(|phase| phase.as_str() == text(line, "hookPhase"))
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_default()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a real server, shortened.
    #[test]
    fn an_error_is_read_in_both_its_forms() {
        let failed = |error: &str| Said::HookFailed { phase: HookPhase::Pre, error: error.to_owned() };
        for (key, error) in [("error", "command terminated with exit code 7"), ("error.message", "timed out after 15s")]
        {
            let line = serde_json::json!({"backup": "velero/b", key: error, "hookPhase": "pre", "level": "error",
                "msg": "Error executing hook"});
            let (backup, said) = read(&line.to_string()).expect("a Backup's line");
            assert_eq!(backup, "b");
            assert!(said.contains(&failed(error)), "{said:?}");
            let logged = |said: &Said| matches!(said, Said::Logged { message, .. } if message.ends_with(error));
            assert!(said.iter().any(logged), "{said:?}");
        }
    }
}
