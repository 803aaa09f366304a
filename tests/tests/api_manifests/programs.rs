//! How does the coordinator run here? As its Deployment says, with the token of a pod made from its template.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, Event, Pod, PodTemplateSpec};
use kube::Api;
use kube::api::{DynamicObject, ListParams, ObjectMeta, PostParams};
use rustix::process::Signal;
use serde_json::{Value, json};
use testbed::control_plane::BoundPod;
use testbed::coordinator_process::{CoordinatorProcess, coordinator_command};
use testbed::velero::backup::{Phase, backup_resource};
use testbed::velero::bed::back_up;
use testbed::velero::cluster::{self, Made, Workload};
use testbed::velero::{Velero, VeleroSettings};

use crate::cluster::{Installed, PATIENCE, SHOP, SYSTEM, text};
use crate::hooks;

/// The Deployment, and what its pods and log lines are called after.
const COORDINATOR: &str = "snapshot-coordinator";

/// A replica of it.
const POD: &str = "snapshot-coordinator-6b5c8d7f9-x7k2p";

/// From the request of a snapshot to its cut, and from there to Velero's next look, at least: more than the clock error that
/// receipts allow for (50 ms on either side), so that a group can be proven consistent.
const CUT_MS: u64 = 150;

impl Installed {
    async fn template(&self) -> PodTemplateSpec {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), SYSTEM);
        deployments.get(COORDINATOR).await.expect("the Deployment").spec.expect("a spec").template
    }

    async fn container(&self) -> Container {
        let spec = self.template().await.spec.expect("a pod's spec");
        spec.containers.into_iter().next().expect("a container")
    }

    /// Makes the pod that the Deployment's controller would make. Its namespace enforces Pod Security `restricted`.
    pub async fn pod_is_restricted(&self) -> Pod {
        let PodTemplateSpec { metadata, spec } = self.template().await;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), SYSTEM);
        if let Some(made) = pods.get_opt(POD).await.expect("an answer") {
            return made;
        }
        let metadata = ObjectMeta { name: Some(POD.to_owned()), ..metadata.unwrap_or_default() };
        let pod = Pod { metadata, spec, status: None };
        pods.create(&PostParams::default(), &pod).await.expect("a pod as strict as `restricted` wants it")
    }

    /// The path of a probe of the Deployment.
    pub async fn probe_path(&self, which: &str) -> String {
        let Container { liveness_probe, readiness_probe, .. } = self.container().await;
        let probe = if which == "liveness" { liveness_probe } else { readiness_probe };
        probe.and_then(|probe| probe.http_get).and_then(|get| get.path).expect("an HTTP probe")
    }

    /// Starts a replica; waits until it leads.
    pub async fn coordinator(&self) -> CoordinatorProcess {
        let coordinator = self.start_coordinator().await;
        coordinator.line("leading", PATIENCE, |_| true).await;
        coordinator
    }

    /// Starts a replica with the Deployment's arguments and environment and its pod's token.
    pub async fn start_coordinator(&self) -> CoordinatorProcess {
        let pod = self.pod_is_restricted().await;
        let uid = pod.metadata.uid.expect("a uid");
        let account = pod.spec.and_then(|spec| spec.service_account_name).expect("a ServiceAccount");
        let bound = Some(BoundPod { name: POD, uid: &uid });
        let token = self.control_plane.token(SYSTEM, &account, bound).await.expect("a token");
        let kubeconfig = self.folder.join("coordinator.kubeconfig");
        self.control_plane.write_kubeconfig(&kubeconfig, &token).expect("written");
        let container = self.container().await;
        let mut command = coordinator_command();
        command.args(container.args.iter().flatten()).args(["--http-address", "127.0.0.1:0", "--log-level", "debug"]);
        command.envs(self.environment(&container).await).env("KUBECONFIG", text(&kubeconfig));
        CoordinatorProcess::spawn(command)
    }

    /// The container's variables, resolved as a kubelet resolves them.
    async fn environment(&self, container: &Container) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), SYSTEM);
        for source in container.env_from.iter().flatten() {
            let name = &source.config_map_ref.as_ref().expect("only ConfigMaps").name;
            environment.extend(maps.get(name).await.expect("the settings").data.expect("data"));
        }
        for variable in container.env.iter().flatten() {
            let source = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
            let value = match source.expect("only fields").field_path.as_str() {
                "metadata.name" => POD,
                "metadata.namespace" => SYSTEM,
                other => panic!("{} comes from {other}, which this test does not know", variable.name),
            };
            environment.insert(variable.name.clone(), value.to_owned());
        }
        environment
    }

    /// A simulated Velero with its own rights; hooks have those of their pods.
    pub async fn velero(&self) -> Velero {
        let cut = Duration::from_millis(CUT_MS);
        let settings = VeleroSettings {
            cut_delay: cut,
            csi_poll: cut * 2,
            pass_env: hooks::in_cluster(self),
            ..VeleroSettings::quick()
        };
        Velero::start(self.client.clone(), settings).await.expect("a Velero")
    }

    /// A `StatefulSet` of two in the enrolled namespace.
    pub async fn workload(&self, name: &str) -> Made {
        cluster::create(&self.client, &hooks::workload(name)).await.expect("a workload")
    }

    /// A `StatefulSet` of one, without hooks, in a namespace that is not enrolled.
    pub async fn workload_in(&self, namespace: &str, name: &str) -> Made {
        cluster::create(&self.client, &Workload::stateful_set(namespace, name, 1)).await.expect("a workload")
    }

    /// Backs the enrolled namespace's `db` up; returns when the simulated Velero is done.
    pub async fn back_up(&self, velero: &Velero, name: &str) {
        let spec = json!({
            "includedNamespaces": [SHOP],
            "labelSelector": {"matchLabels": {"app": "db"}},
            "orderedResources": {"pods": "shop/db-0,shop/db-1"},
        });
        let (phase, seen) = back_up(velero, name, spec).await.expect("a Backup that ends");
        assert_eq!(phase, Phase::Completed, "{seen}");
    }

    /// One whole round: pods are labelled, hooks register and are released, the receipt proves a group cut.
    pub async fn carry_through(&self, coordinator: &CoordinatorProcess, velero: &Velero, name: &str) {
        for pod in ["db-0", "db-1"] {
            coordinator.line("pod_labelled", PATIENCE, |line| line["pod"] == pod).await;
        }
        self.back_up(velero, name).await;
        let receipt = coordinator.line("group_receipt", PATIENCE, |line| line["backup"] == name).await;
        assert_eq!(receipt["verdict"], "group-consistent", "{receipt}");
        let backups: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), SYSTEM, &backup_resource());
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let backup = backups.get(name).await.expect("the Backup");
            let annotations = backup.metadata.annotations.unwrap_or_default();
            if annotations.keys().any(|key| key.starts_with("receipt.snapshot-group.velero.io/")) {
                break;
            }
            assert!(tokio::time::Instant::now() < end, "no receipt on Backup {name}: {annotations:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.is_told("velero.io/v1", "Backup", SYSTEM, name).await;
        self.is_told("apps/v1", "StatefulSet", SHOP, "db").await;
    }

    /// What `kubectl describe` shows of an object: its Events, found by its uid, hold the receipt.
    async fn is_told(&self, api_version: &str, kind: &str, namespace: &str, name: &str) {
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let of_object = format!("involvedObject.kind={kind},involvedObject.name={name},reason=SnapshotGroupConsistent");
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let told = events.list(&ListParams::default().fields(&of_object)).await.expect("Events").items;
            if let Some(event) = told.first() {
                assert_eq!(event.involved_object.api_version.as_deref(), Some(api_version), "{event:?}");
                assert!(event.involved_object.uid.is_some() && event.type_.as_deref() == Some("Normal"), "{event:?}");
                assert_eq!(event.reporting_component.as_deref(), Some(COORDINATOR), "{event:?}");
                return;
            }
            assert!(tokio::time::Instant::now() < end, "no Event about {kind} {namespace}/{name}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// No line, however unimportant, tells of a refusal.
pub fn says_nothing_of_403(coordinator: &CoordinatorProcess) {
    let refusal = |line: &Value| line["code"] == 403 || line["message"].as_str().is_some_and(|m| m.contains("(403)"));
    let refused: Vec<Value> = coordinator.lines().into_iter().filter(refusal).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Ends it as a kubelet does, so that it gives the lead up.
pub async fn stop(mut coordinator: CoordinatorProcess) {
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ended(Duration::from_secs(10)).await.code(), Some(0));
}
