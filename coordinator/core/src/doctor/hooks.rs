//! Do hooks say all that Velero leaves to chance? Container, on-error, timeout with a unit; in pods and in Schedules.

use shared::duration::parse_ms;

use super::facts::{Exec, Facts, Hook, Pod};
use super::finding::Finding;

/// Where the two phases' annotations begin.
const PHASES: [&str; 2] = ["pre", "post"];

/// Velero's default timeout of a hook, which is too short for a group that waits for its turn.
const TIMEOUT_DEFAULT: &str = "30s";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    for pod in facts.pods.iter().filter(|pod| pod.lives()) {
        of_pod(pod, findings);
    }
    for schedule in &facts.schedules {
        let subject = format!("Schedule {}/{}", schedule.metadata.namespace, schedule.metadata.name);
        for resource in &schedule.spec.template.hooks.resources {
            for (phase, hooks) in PHASES.into_iter().zip([&resource.pre, &resource.post]) {
                for exec in hooks.iter().filter_map(|Hook { exec }| exec.as_ref()) {
                    let Exec { container, on_error, timeout, command: _ } = exec;
                    let place = format!("{subject} hook {}", resource.name);
                    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                    look(
                        &Said {
                            subject: &place,
                            phase,
                            container: known(container),
                            on_error: known(on_error),
                            timeout: known(timeout),
                            of: Of::Schedule,
                        },
                        findings,
                    );
                }
            }
        }
    }
}

fn of_pod(pod: &Pod, findings: &mut Vec<Finding>) {
    let subject = pod.subject();
    for phase in PHASES {
        let get =
            |field: &str| pod.metadata.annotations.get(&format!("{phase}.hook.backup.velero.io/{field}")).cloned();
        if get("command").is_none_or(|command| command.is_empty()) {
            continue;
        }
        let container = get("container");
        if let Some(name) = container.as_ref().filter(|name| !pod.spec.containers.iter().any(|it| it.name == **name)) {
            let there: Vec<&str> = pod.spec.containers.iter().map(|it| it.name.as_str()).collect();
            findings.push(Finding::error(
                "hook-container-unknown",
                &subject,
                format!("the {phase} hook runs in the container `{name}`, and there are: {}", there.join(", ")),
                format!("{phase}.hook.backup.velero.io/container: {}", there.first().copied().unwrap_or_default()),
            ));
        }
        // With one container there is no choice to be made.
        let container = container.or_else(|| (pod.spec.containers.len() == 1).then(String::new));
        look(
            &Said {
                subject: &subject,
                phase,
                container,
                on_error: get("on-error"),
                timeout: get("timeout"),
                of: Of::Pod,
            },
            findings,
        );
    }
}

/// Where a hook stands, and so how its fields are spelled.
#[derive(Clone, Copy)]
enum Of {
    Pod,
    Schedule,
}

/// What a hook says.
struct Said<'a> {
    subject: &'a str,
    phase: &'static str,
    container: Option<String>,
    on_error: Option<String>,
    timeout: Option<String>,
    of: Of,
}

impl Said<'_> {
    /// The line that says `field`.
    fn line(&self, field: &str, value: &str) -> String {
        let phase = self.phase;
        match (self.of, field) {
            (Of::Pod, _) => format!("{phase}.hook.backup.velero.io/{field}: {value}"),
            (Of::Schedule, "on-error") => format!("exec: {{onError: {value}}}"),
            (Of::Schedule, _) => format!("exec: {{{field}: {value}}}"),
        }
    }
}

fn look(said: &Said<'_>, findings: &mut Vec<Finding>) {
    let phase = said.phase;
    let (timeout, on_error) = if phase == "pre" { ("10m", "Fail") } else { ("30s", "Continue") };
    if said.container.is_none() {
        findings.push(Finding::warning(
            "hook-without-container",
            said.subject,
            format!("the {phase} hook names no container: Velero takes the pod's first one, which a sidecar injector may have changed"),
            said.line("container", "NAME"),
        ));
    }
    match said.on_error.as_deref() {
        Some("Fail" | "Continue") => {}
        None => findings.push(Finding::warning(
            "hook-without-on-error",
            said.subject,
            format!("the {phase} hook says nothing of errors, which behaves as Continue, whatever Velero's documentation says"),
            said.line("on-error", on_error),
        )),
        Some(other) => findings.push(Finding::warning(
            "hook-without-on-error",
            said.subject,
            format!("the {phase} hook's on-error `{other}` is neither Fail nor Continue, spelled so: Velero drops it, which behaves as Continue"),
            said.line("on-error", on_error),
        )),
    }
    let unread = match said.of {
        Of::Pod => format!("Velero ignores it, and {TIMEOUT_DEFAULT} hold"),
        Of::Schedule => "Velero cannot read this Schedule, nor, while it is there, any other when it starts".to_owned(),
    };
    match &said.timeout {
        None => findings.push(Finding::warning(
            "hook-without-timeout",
            said.subject,
            format!("the {phase} hook has no timeout, so Velero's {TIMEOUT_DEFAULT} holds; what it cuts short goes on in the container and its output is lost"),
            said.line("timeout", timeout),
        )),
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => findings.push(Finding::error(
            "hook-timeout-without-unit",
            said.subject,
            format!("the {phase} hook's timeout `{text}` has no unit: {unread}"),
            said.line("timeout", &format!("{text}s")),
        )),
        Some(text) if parse_ms(text).is_err() => findings.push(Finding::error(
            "hook-timeout-unreadable",
            said.subject,
            format!("the {phase} hook's timeout `{text}` is no duration such as 10m: {unread}"),
            said.line("timeout", timeout),
        )),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{found, pod, with};
    use super::*;
    use serde_json::{Value, json};

    fn spoilt(field: &str, value: Option<&str>) -> Vec<&'static str> {
        let mut object = pod();
        let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
        annotations.remove(field);
        if let Some(value) = value {
            annotations.insert(field.to_owned(), Value::from(value));
        }
        object["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "other", "image": "x"}));
        found(&with([object]), check)
    }

    #[test]
    fn a_pods_hooks() {
        let pre = "pre.hook.backup.velero.io";
        assert!(spoilt("none", None).is_empty());
        assert_eq!(spoilt(&format!("{pre}/container"), None), ["hook-without-container"]);
        assert_eq!(spoilt(&format!("{pre}/container"), Some("nobody")), ["hook-container-unknown"]);
        assert_eq!(spoilt(&format!("{pre}/on-error"), None), ["hook-without-on-error"]);
        assert_eq!(spoilt("post.hook.backup.velero.io/on-error", None), ["hook-without-on-error"]);
        assert_eq!(spoilt(&format!("{pre}/on-error"), Some("fail")), ["hook-without-on-error"], "in small letters");
        assert!(spoilt(&format!("{pre}/on-error"), Some("Continue")).is_empty());
        assert_eq!(spoilt(&format!("{pre}/timeout"), None), ["hook-without-timeout"]);
        assert_eq!(spoilt(&format!("{pre}/timeout"), Some("600")), ["hook-timeout-without-unit"]);
        assert_eq!(spoilt(&format!("{pre}/timeout"), Some("soon")), ["hook-timeout-unreadable"]);
    }

    #[test]
    fn a_schedules_hooks() {
        let schedule = |exec: Value| {
            found(
                &with([
                    json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"namespace": "velero", "name": "s"},
                "spec": {"template": {"hooks": {"resources": [{"name": "db", "pre": [{"exec": exec}]}]}}}}),
                ]),
                check,
            )
        };
        assert!(schedule(json!({"container": "db", "command": ["x"], "onError": "Fail", "timeout": "10m"})).is_empty());
        assert_eq!(
            schedule(json!({"command": ["x"]})),
            ["hook-without-container", "hook-without-on-error", "hook-without-timeout"]
        );
        let without_unit = json!({"container": "db", "command": ["x"], "onError": "Fail", "timeout": "600"});
        assert_eq!(schedule(without_unit), ["hook-timeout-without-unit"]);
    }
}
