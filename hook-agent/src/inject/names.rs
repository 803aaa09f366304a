//! What `inject` calls the things that it puts into a pod: by these names, and their form, they are known again.

use super::tree::Node;

/// The volume with the program.
pub const VOLUME: &str = "hook-agent";

/// The volume with the pod's labels and annotations.
pub const PODINFO: &str = "hook-agent-podinfo";

/// The volume with a token, for pods that mount none.
pub const TOKEN: &str = "hook-agent-token";

/// The init container that copies the program.
pub const INSTALL: &str = "hook-agent-install";

/// The sidecar.
pub const SIDECAR: &str = "hook-agent";

/// Where the program is mounted; generated Schedules look for it there (`--hook-command`).
pub const HOOKS_PATH: &str = "/hooks";

/// The program there.
pub const MOUNTED_PROGRAM: &str = "/hooks/hook-agent";

/// The program in its own image, where a sidecar's hooks run.
pub const IMAGE_PROGRAM: &str = "/hook-agent";

/// Where the pod's labels are mounted (`--podinfo-dir`).
pub const PODINFO_PATH: &str = "/etc/podinfo";

/// Where a token is looked for (`--token-file`).
pub const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What the names of Velero's hook annotations begin with.
const HOOKS: [&str; 2] = ["pre.hook.backup.velero.io/", "post.hook.backup.velero.io/"];

/// What they end with.
const HOOK_PARTS: [&str; 4] = ["container", "command", "timeout", "on-error"];

/// How documents that `inject` added are known: the value of `app.kubernetes.io/managed-by`.
pub const MANAGED_BY: &str = "hook-agent-inject";

/// Whether a pod's volume of one of these names is the one that `inject` puts there.
pub fn is_own_volume(volume: &Node) -> bool {
    let sources: &[&str] = match volume.text_at("name") {
        Some(VOLUME) => &["emptyDir", "image"],
        Some(PODINFO) => &["downwardAPI"],
        Some(TOKEN) => &["projected"],
        _ => return false,
    };
    sources.iter().any(|source| volume.get(source).is_some())
}

/// Whether a container, or an init container, is the one that `inject` puts there.
pub fn is_own_container(container: &Node) -> bool {
    let command = match container.text_at("name") {
        Some(INSTALL) => "install",
        Some(SIDECAR) => "sidecar",
        _ => return false,
    };
    let args = container.get("args").map(Node::items).unwrap_or_default();
    args.first().and_then(Node::text) == Some(command)
}

/// Which annotation, if `name` is one of Velero's hooks': what it begins with.
pub fn hook_of(name: &str) -> Option<&'static str> {
    HOOKS.into_iter().find(|hook| name.strip_prefix(hook).is_some_and(|part| HOOK_PARTS.contains(&part)))
}

/// Whether Velero's hook that begins with `hook` is, in `annotations`, as `inject` writes it: word for word but for its times.
pub fn is_own_hook(annotations: &Node, hook: &str) -> bool {
    let command = annotations.text_at(&format!("{hook}command"));
    let words: Vec<String> = command.and_then(|command| serde_json::from_str(command).ok()).unwrap_or_default();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [program, "pre", "--hook-timeout", _, "--deadline", _] | [program, "post"] => {
            matches!(*program, MOUNTED_PROGRAM | IMAGE_PROGRAM)
        }
        _ => false,
    }
}

/// Whether that hook runs the agent, in whatever words: with flags of somebody's own, or among other programs.
pub fn runs_agent(annotations: &Node, hook: &str) -> bool {
    annotations.text_at(&format!("{hook}command")).is_some_and(|command| command.contains("hook-agent"))
}

/// What somebody may have given one of the agent's containers that `inject` does not write. What the API server fills in by itself is not among it.
pub const NOT_OURS: [&str; 9] = [
    "command",
    "env",
    "envFrom",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "restartPolicy",
    "startupProbe",
];
