//! What a pod needs so that Velero's hooks run the agent in it.

use super::names::{
    HOOKS_PATH, IMAGE_PROGRAM, INSTALL, MOUNTED_PROGRAM, PODINFO, PODINFO_PATH, SIDECAR, TOKEN, TOKEN_PATH, VOLUME,
    hook_of,
};
use super::options::{How, Options};
use super::value::Value;

/// What a container mounts where the agent looks for the pod's labels and annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Podinfo {
    /// Nothing.
    None,
    /// The labels alone: the plan for holding still, an annotation, cannot be read.
    Labels,
    /// Both.
    LabelsAndAnnotations,
}

/// What has to be known of a pod template.
#[derive(Debug)]
pub struct Facts {
    /// The workload's container.
    pub container: String,
    /// What is mounted at `/etc/podinfo` already.
    pub podinfo: Podinfo,
    /// It mounts no token by itself.
    pub needs_token: bool,
    /// The mounts of claims that the workload's container has, for a sidecar.
    pub claims: Vec<Value>,
    /// Its plan for holding still freezes file systems.
    pub freezes: bool,
    /// Which of Velero's hooks somebody wrote who runs the agent in them: what their annotations begin with.
    pub kept_hooks: Vec<&'static str>,
}

/// What is put into a pod template.
#[derive(Debug, Default)]
pub struct Pieces {
    /// Into `metadata.annotations`.
    pub annotations: Vec<(String, Value)>,
    /// Into the workload's container's `volumeMounts`.
    pub mounts: Vec<Value>,
    /// Into `spec.containers`.
    pub containers: Vec<Value>,
    /// Into `spec.initContainers`.
    pub init_containers: Vec<Value>,
    /// Into `spec.volumes`.
    pub volumes: Vec<Value>,
}

impl Pieces {
    /// What a pod with these `facts` needs.
    pub fn of(facts: &Facts, options: &Options) -> Self {
        let mut pieces = Self::default();
        let mut mounts = Vec::new();
        let image = || Value::text(&options.image);
        let sidecar = options.how == How::Sidecar;
        match options.how {
            How::InitContainer => {
                pieces.init_containers.push(Value::map([
                    ("name", Value::text(INSTALL)),
                    ("image", image()),
                    ("args", Value::texts(["install", "--to", HOOKS_PATH])),
                    ("resources", Value::map([("requests", copying()), ("limits", copying())])),
                    ("securityContext", unprivileged()),
                    ("volumeMounts", Value::List(vec![mount(VOLUME, HOOKS_PATH, false)])),
                ]));
                pieces.volumes.push(volume(VOLUME, "emptyDir", Value::map([])));
                mounts.push(mount(VOLUME, HOOKS_PATH, true));
            }
            How::ImageVolume => {
                pieces.volumes.push(volume(VOLUME, "image", Value::map([("reference", image())])));
                mounts.push(mount(VOLUME, HOOKS_PATH, true));
            }
            How::Sidecar => {}
        }
        if sidecar || facts.podinfo == Podinfo::None {
            pieces.volumes.push(podinfo());
            mounts.push(mount(PODINFO, PODINFO_PATH, true));
        }
        if facts.needs_token {
            pieces.volumes.push(token());
            mounts.push(mount(TOKEN, TOKEN_PATH, true));
        }
        if sidecar {
            mounts.extend(facts.claims.iter().cloned());
            pieces.containers.push(Value::map([
                ("name", Value::text(SIDECAR)),
                ("image", image()),
                ("args", Value::texts(["sidecar"])),
                ("securityContext", if facts.freezes { freezing() } else { unprivileged() }),
                ("volumeMounts", Value::List(mounts)),
            ]));
            pieces.annotations = annotations(SIDECAR, IMAGE_PROGRAM, options);
        } else {
            pieces.mounts = mounts;
            pieces.annotations = annotations(&facts.container, MOUNTED_PROGRAM, options);
        }
        pieces.annotations.retain(|(name, _)| hook_of(name).is_none_or(|hook| !facts.kept_hooks.contains(&hook)));
        pieces
    }
}

/// The same as the hooks of generated Schedules, which Velero leaves out for pods that have annotations.
fn annotations(container: &str, program: &str, options: &Options) -> Vec<(String, Value)> {
    let Options { hook_timeout, deadline, on_error, .. } = options;
    let command = |arguments: &[&str]| {
        serde_json::Value::from([&[program], arguments].concat()).to_string().replace("\",\"", "\", \"")
    };
    let pre = command(&["pre", "--hook-timeout", hook_timeout, "--deadline", deadline]);
    let post = command(&["post"]);
    [
        ("pre.hook.backup.velero.io/container", container),
        ("pre.hook.backup.velero.io/command", &pre),
        ("pre.hook.backup.velero.io/timeout", hook_timeout),
        ("pre.hook.backup.velero.io/on-error", on_error),
        ("post.hook.backup.velero.io/container", container),
        ("post.hook.backup.velero.io/command", &post),
        // Above the agent's own limit (`shared::deadline::POST_DEADLINE_MS`).
        ("post.hook.backup.velero.io/timeout", "30s"),
        ("post.hook.backup.velero.io/on-error", "Continue"),
    ]
    .map(|(name, value)| (name.to_owned(), Value::text(value)))
    .into()
}

fn mount(name: &str, path: &str, read_only: bool) -> Value {
    let mut entries = vec![("name".to_owned(), Value::text(name)), ("mountPath".to_owned(), Value::text(path))];
    if read_only {
        entries.push(("readOnly".to_owned(), Value::Flag(true)));
    }
    Value::Map(entries)
}

fn volume(name: &str, source: &str, value: Value) -> Value {
    Value::map([("name", Value::text(name)), (source, value)])
}

/// Labels name the group, annotations how the pod is held still. Name and namespace are in the token.
fn podinfo() -> Value {
    let item = |field: &str| {
        let from = Value::map([("fieldPath", Value::text(format!("metadata.{field}")))]);
        Value::map([("path", Value::text(field)), ("fieldRef", from)])
    };
    volume(PODINFO, "downwardAPI", Value::map([("items", Value::List(vec![item("labels"), item("annotations")]))]))
}

/// What `automountServiceAccountToken` gives.
fn token() -> Value {
    let authority = Value::map([("key", Value::text("ca.crt")), ("path", Value::text("ca.crt"))]);
    let sources = vec![
        Value::map([("serviceAccountToken", Value::map([("path", Value::text("token"))]))]),
        Value::map([(
            "configMap",
            Value::map([("name", Value::text("kube-root-ca.crt")), ("items", Value::List(vec![authority]))]),
        )]),
    ];
    volume(TOKEN, "projected", Value::map([("sources", Value::List(sources))]))
}

/// Enough for copying ten MB. Requests and limits are the same, so that a pod of the class Guaranteed stays one; a namespace with a quota wants both. What
/// an init container asks for adds nothing to what the pod's containers ask for together, unless that is less.
fn copying() -> Value {
    Value::map([("cpu", Value::text("100m")), ("memory", Value::text("64Mi"))])
}

/// What the Pod Security Standard `restricted` asks for, whatever user the pod's other containers are. The user is the image's own.
fn unprivileged() -> Value {
    Value::map([
        ("runAsUser", Value::Number(65532)),
        ("runAsNonRoot", Value::Flag(true)),
        ("allowPrivilegeEscalation", Value::Flag(false)),
        ("readOnlyRootFilesystem", Value::Flag(true)),
        ("capabilities", Value::map([("drop", Value::texts(["ALL"]))])),
        ("seccompProfile", Value::map([("type", Value::text("RuntimeDefault"))])),
    ])
}

/// Freezing asks for root and one capability.
fn freezing() -> Value {
    Value::map([
        ("runAsUser", Value::Number(0)),
        ("runAsNonRoot", Value::Flag(false)),
        ("capabilities", Value::map([("add", Value::texts(["SYS_ADMIN"]))])),
    ])
}
