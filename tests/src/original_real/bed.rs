//! Where does the original run? On a real cluster with a real Velero, and with nothing of this product.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use shared::identity::{GroupId, Namespace};
use shared::names::LABEL_SNAPSHOT_GROUP;

use super::backup;
use super::cron_job::{CronJob, Job};
use super::measured::Measured;
use super::scripts::{self, Scripts};
use crate::original::{Reading, Scenario};
use crate::real_velero::{NODE, RealBed, RealSettings, RealVelero};
use crate::velero::VeleroSettings;
use crate::velero::backup::{Phase, VELERO_NAMESPACE};
use crate::velero::cluster::{self, Made, Workload};
use crate::velero::truth::Timeline;

/// Backups of different namespaces may run side by side: what they wait for is their own hooks.
const CONCURRENT_BACKUPS: usize = 8;

/// Velero looks for a cut every 5 s.
const EACH_CUT_AT_MOST: Duration = Duration::from_secs(10);

/// What a Backup takes beyond its hooks' time-outs and its cuts.
const MARGIN: Duration = Duration::from_mins(2);

/// The workload's name.
const SET: &str = "db";

/// A bed without any of our programs.
pub struct OriginalBed {
    /// Velero, with its own polls.
    pub velero: RealVelero,
    scripts: Scripts,
    bed: Arc<RealBed>,
    client: Client,
    _cron_job: CronJob,
}

impl std::fmt::Debug for OriginalBed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OriginalBed").field("velero", &self.velero).finish_non_exhaustive()
    }
}

impl OriginalBed {
    /// Inside of [`crate::isolated::run`]. `workers` is Velero's `--item-block-worker-count`; the coordinator runs as often as said.
    pub async fn start(workers: usize, coordinator_every: Duration) -> anyhow::Result<Self> {
        let scripts = Scripts::chosen()?;
        let bed = Arc::new(RealBed::start().await?);
        let client = bed.control_plane.client().await;
        let settings = VeleroSettings {
            item_block_workers: workers,
            concurrent_backups: CONCURRENT_BACKUPS,
            ready_delay: Duration::from_millis(200),
            ..VeleroSettings::default()
        };
        let real = RealSettings { early_polling: false, ..RealSettings::default() };
        let velero = RealVelero::start(Arc::clone(&bed), settings, real).await?;
        let job = Job {
            script: scripts.coordinator.clone(),
            kubeconfig: bed.control_plane.kubeconfig(),
            home: bed.folder().join("original"),
            log: bed.folder().join("original.log"),
        };
        let cron_job = CronJob::start(job, coordinator_every)?;
        Ok(Self { velero, scripts, bed, client, _cron_job: cron_job })
    }

    /// Where its scripts come from.
    pub fn source(&self) -> &str {
        &self.scripts.source
    }

    /// Puts a group in: a namespace with one `StatefulSet` of that many pods, to which a reading grants what it says.
    ///
    /// # Errors
    /// Also when a group as it is installed comes after others: then its pods would have the scripts.
    pub async fn put(&self, namespace: &str, members: u32, reading: Reading) -> anyhow::Result<Made> {
        let image = self.bed.image();
        if reading == Reading::AsInstalled {
            let pre = image.join(scripts::PRE.trim_start_matches('/'));
            ensure!(!pre.exists(), "{namespace}: the scripts are in the image already; put this group in first");
        } else {
            self.scripts.put_into(&image)?;
            self.allow_markers(namespace).await?;
        }
        let group = group(namespace)?;
        let workload = Workload::stateful_set(namespace, SET, members)
            .label(LABEL_SNAPSHOT_GROUP, group.as_str())
            .env("PATH", &scripts::path(reading))
            .token()
            .on_node(NODE);
        let made = cluster::create(&self.client, &workload).await.context("putting a workload in")?;
        for pod in &made.pods {
            self.bed.mounts.add(&pod.name, &pod.claims);
        }
        Ok(made)
    }

    /// Leaves a marker "completed" of a pod that is no more, as an earlier backup of a group may.
    pub async fn leave_completed(&self, namespace: &str) -> anyhow::Result<()> {
        let group = group(namespace)?;
        let marker: ConfigMap = serde_json::from_value(json!({"metadata": {
            "name": format!("snapshot-complete-{}-{namespace}-gone", group.as_str()),
            "labels": {"app": "velero-snapshot-complete", "group": group.as_str()}},
            "data": {"status": "completed"}}))?;
        let markers: Api<ConfigMap> = Api::namespaced(self.client.clone(), VELERO_NAMESPACE);
        markers.create(&PostParams::default(), &marker).await.context("leaving a marker")?;
        Ok(())
    }

    /// Backs a group up, with the scenario's layout and time-out, and waits for the end.
    pub async fn back_up(&self, name: &str, made: &Made, scenario: &Scenario) -> anyhow::Result<Measured> {
        let namespace = made.pods.first().context("a group has pods")?.name.namespace.clone();
        let pre_timeout = Duration::from_secs(scenario.pre_timeout_s);
        let spec = backup::of_layout(made, &namespace, scenario.layout, pre_timeout);
        let each = pre_timeout + EACH_CUT_AT_MOST;
        let limit = each * u32::try_from(made.pods.len()).unwrap_or(u32::MAX) + MARGIN;
        let (phase, seen) = self.run(name, spec, limit).await?;
        Measured::of(&seen, made, phase).with_context(|| format!("Backup {name}"))
    }

    /// Backs a group up as the original's own Schedule would; returns what was seen.
    pub async fn back_up_as_scheduled(&self, name: &str, namespace: &str) -> anyhow::Result<(Phase, Timeline)> {
        self.run(name, backup::as_scheduled(namespace, SET), MARGIN).await
    }

    async fn run(&self, name: &str, spec: Value, limit: Duration) -> anyhow::Result<(Phase, Timeline)> {
        self.velero.submit(name, spec).await?;
        Ok(self.velero.finished(name, limit).await?)
    }

    /// Lets the pods of a namespace write markers into Velero's.
    async fn allow_markers(&self, namespace: &str) -> anyhow::Result<()> {
        let name = format!("markers-{namespace}");
        let role: Role = serde_json::from_value(json!({"metadata": {"name": name}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "update", "patch", "delete"]}]}))?;
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role.name_any()},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group",
                "name": format!("system:serviceaccounts:{namespace}")}]}))?;
        let post = PostParams::default();
        Api::namespaced(self.client.clone(), VELERO_NAMESPACE).create(&post, &role).await.context("a Role")?;
        Api::namespaced(self.client.clone(), VELERO_NAMESPACE)
            .create(&post, &binding)
            .await
            .context("a RoleBinding")?;
        Ok(())
    }
}

fn group(namespace: &str) -> anyhow::Result<GroupId> {
    let namespace = Namespace::new(namespace).map_err(|error| anyhow::anyhow!("{namespace}: {error}"))?;
    Ok(GroupId::for_stateful_set(&namespace, SET))
}
