//! What is to be put into the cluster?

use std::collections::BTreeMap;
use std::time::Duration;

use crate::velero::hook_calls::HookPhase;
use crate::velero::object_name::ObjectName;

/// Who owns the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A `StatefulSet`: ordinal names, a claim per pod and template.
    StatefulSet,
    /// A `Deployment` with its `ReplicaSet`: one claim per volume name, shared by all replicas.
    Deployment,
    /// Nobody.
    None,
}

/// A workload to be created; made by one of the three constructors and the methods that follow them.
#[derive(Clone, Debug)]
pub struct Workload {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) replicas: u32,
    pub(super) ordinals_start: Option<u32>,
    pub(super) claims: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) claim_labels: BTreeMap<String, String>,
    pub(super) claim_annotations: BTreeMap<String, String>,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, EnvValue)>,
    pub(super) service_account: String,
    pub(super) has_token: bool,
    pub(super) node: Option<String>,
}

/// Value of a container's variable.
#[derive(Clone, Debug)]
pub(super) enum EnvValue {
    Plain(String),
    Field(String),
}

/// What was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The pods, in order of their ordinals.
    pub pods: Vec<MadePod>,
}

/// One pod and its claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadePod {
    /// Its name.
    pub name: ObjectName,
    /// Its uid.
    pub uid: String,
    /// Its claims, in the order of its volumes.
    pub claims: Vec<ObjectName>,
}

impl Made {
    /// The pods' names.
    pub fn names(&self) -> std::collections::BTreeSet<ObjectName> {
        self.pods.iter().map(|pod| pod.name.clone()).collect()
    }

    /// `namespace/pod,namespace/pod`: what `orderedResources.pods` wants, without spaces.
    pub fn ordered(&self) -> String {
        self.pods.iter().map(|pod| pod.name.to_string()).collect::<Vec<_>>().join(",")
    }
}

impl Workload {
    /// A `StatefulSet` of `replicas` pods, each with one claim `data-<name>-<ordinal>`.
    pub fn stateful_set(namespace: &str, name: &str, replicas: u32) -> Self {
        Self::new(namespace, name, Owner::StatefulSet, replicas).claims(&["data"])
    }

    /// A `Deployment` of one pod with one claim `<name>-data`.
    pub fn deployment(namespace: &str, name: &str) -> Self {
        Self::new(namespace, name, Owner::Deployment, 1).claims(&["data"])
    }

    /// One pod that nobody owns, without a claim.
    pub fn bare_pod(namespace: &str, name: &str) -> Self {
        Self::new(namespace, name, Owner::None, 1)
    }

    fn new(namespace: &str, name: &str, owner: Owner, replicas: u32) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            owner,
            replicas,
            ordinals_start: None,
            claims: vec![],
            labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            annotations: BTreeMap::new(),
            claim_labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            claim_annotations: BTreeMap::new(),
            command: vec![],
            env: vec![],
            service_account: "default".into(),
            has_token: false,
            node: None,
        }
    }

    /// How many pods.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// The names of the volumes that are claims, instead of `data` alone; none for a pod without.
    #[must_use]
    pub fn claims(mut self, volumes: &[&str]) -> Self {
        self.claims = volumes.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// `spec.ordinals.start` of a `StatefulSet`.
    #[must_use]
    pub fn ordinals_start(mut self, start: u32) -> Self {
        self.ordinals_start = Some(start);
        self
    }

    /// A label of the pods beside `app` and those that controllers set.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// An annotation of the pods.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// A label of the claims beside `app`.
    #[must_use]
    pub fn claim_label(mut self, key: &str, value: &str) -> Self {
        self.claim_labels.insert(key.into(), value.into());
        self
    }

    /// An annotation of the claims: the stand-in driver's faults, for example.
    #[must_use]
    pub fn claim_annotation(mut self, key: &str, value: &str) -> Self {
        self.claim_annotations.insert(key.into(), value.into());
        self
    }

    /// What the container runs, on a node whose kubelet runs commands; none: it is taken to run.
    #[must_use]
    pub fn command(mut self, argv: &[&str]) -> Self {
        self.command = argv.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// A variable of the container. A value below a mount path is mapped (see `velero::kubelet`).
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), EnvValue::Plain(value.into())));
        self
    }

    /// Whether its pods have a variable or an annotation of this name.
    pub fn says(&self, name: &str) -> bool {
        self.annotations.contains_key(name) || self.env.iter().any(|(known, _)| known == name)
    }

    /// A variable of the container with a downward-API field as its value.
    #[must_use]
    pub fn env_field(mut self, name: &str, path: &str) -> Self {
        self.env.push((name.into(), EnvValue::Field(path.into())));
        self
    }

    /// The service account, created when absent.
    #[must_use]
    pub fn service_account(mut self, name: &str) -> Self {
        self.service_account = name.into();
        self
    }

    /// Mounts a projected service account token and the namespace at [`super::TOKEN_PATH`].
    #[must_use]
    pub fn token(mut self) -> Self {
        self.has_token = true;
        self
    }

    /// On a node whose kubelet starts pods and says how they are: nobody plays its part, and each pod has its token as on every
    /// cluster.
    #[must_use]
    pub fn on_node(mut self, node: &str) -> Self {
        self.node = Some(node.into());
        self
    }

    /// A hook as annotations: argv, `on-error` (empty: none given) and time-out. Replaces an earlier one of the phase.
    #[must_use]
    pub fn hook(self, phase: HookPhase, command: &[&str], on_error: &str, timeout: Duration) -> Self {
        let key = |what: &str| format!("{}.hook.backup.velero.io/{what}", phase.as_str());
        let argv = serde_json::json!(command).to_string();
        let mut hooked = self
            .annotation(&key("command"), &argv)
            .annotation(&key("container"), super::CONTAINER)
            .annotation(&key("timeout"), &format!("{}ms", timeout.as_millis()));
        if on_error.is_empty() {
            hooked.annotations.remove(&key("on-error"));
            hooked
        } else {
            hooked.annotation(&key("on-error"), on_error)
        }
    }

    /// Pre and post as `/bin/sh -c` scripts with `on-error: Fail` and a minute's time-out.
    #[must_use]
    pub fn shell_hooks(self, pre: &str, post: &str) -> Self {
        let minute = Duration::from_mins(1);
        self.hook(HookPhase::Pre, &["/bin/sh", "-c", pre], "Fail", minute).hook(
            HookPhase::Post,
            &["/bin/sh", "-c", post],
            "Fail",
            minute,
        )
    }
}
