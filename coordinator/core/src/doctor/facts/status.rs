//! The fields of `status` that the checks read: whether pods run, and the words of whoever keeps them from it.

use serde::Deserialize;

use super::objects::Pod;

/// The fields of a Pod's `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Its phase.
    pub phase: String,
    /// Whether it has a node, among others.
    pub conditions: Vec<Condition>,
    /// Its containers.
    pub container_statuses: Vec<ContainerStatus>,
    /// What runs before them.
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// One of `containerStatuses`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerStatus {
    /// What it is doing.
    pub state: ContainerState,
}

/// `state`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// Set while it does not run yet, or not again.
    pub waiting: Option<Waiting>,
}

/// What something waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// One word.
    pub reason: String,
    /// For people; may be empty.
    pub message: String,
}

/// One of `conditions`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// The fields of a Deployment's `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus {
    /// The generation that was looked at; nothing before its controller has.
    pub observed_generation: Option<u64>,
    /// Pods that are ready.
    pub ready_replicas: u32,
    /// Whether pods can be made at all, among others.
    pub conditions: Vec<Condition>,
}

impl Pod {
    /// What keeps it from running, in the words of the scheduler or the kubelet. A container that is just being started waits for nothing.
    pub fn waits_for(&self) -> Option<Waiting> {
        let unscheduled = self.status.conditions.iter().find(|it| it.kind == "PodScheduled" && it.status == "False");
        if let Some(Condition { reason, message, .. }) = unscheduled {
            return Some(Waiting { reason: reason.clone(), message: message.clone() });
        }
        let containers = self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let mut waiting = containers.filter_map(|it| it.state.waiting.clone());
        waiting.find(|it| !matches!(it.reason.as_str(), "" | "ContainerCreating" | "PodInitializing"))
    }
}
