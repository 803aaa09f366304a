//! One bed for a test or the demo: an API server, a coordinator, a Velero whose hooks are the hook-agent, and what they leave behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::identity::GroupKey;
use shared::names::{BUDGET_LEASE, FIELD_MANAGER_AGENT, LABEL_SNAPSHOT_GROUP, group_lease};
use shared::receipt::Receipt;

use super::any_velero::AnyVelero;
use super::hooks::HookPlan;
use super::place::Place;
use super::receipts::{self, ReceiptError};
use crate::api::ApiServer;
use crate::coordinator_process::{CoordinatorProcess, coordinator_command};
use crate::real_velero::{RealSettings, RealVelero};
use crate::velero::backup::Phase;
use crate::velero::cluster::{self, Made, Workload};
use crate::velero::kubelet::TokenSource;
use crate::velero::object_name::ObjectName;
use crate::velero::truth::{Timeline, TruthVerdict, truth_verdict};
use crate::velero::{Velero, VeleroSettings};

/// Whatever a test waits for comes within this, or never: rounds take seconds, two cores may be busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// From request to cut, and from there to readiness, with a real Velero: EBS needs about as long.
const REAL_CUT_DELAY: Duration = Duration::from_millis(200);

/// How often a real Velero looks whether snapshots are ready; its default of 10 s only makes tests longer.
const REAL_OPERATION_POLL: Duration = Duration::from_secs(1);

/// How a pair is set up.
#[derive(Clone, Debug)]
pub struct PairOptions {
    /// Names its log files.
    pub name: String,
    /// Flags of `coordinator run` beside those that say where it is.
    pub coordinator: Vec<String>,
    /// Velero and the cloud behind it.
    pub velero: VeleroSettings,
    /// A real Velero, beside that.
    pub real: RealSettings,
}

impl PairOptions {
    /// Short polls, and a budget of `budget` volumes.
    pub fn new(name: &str, budget: u32) -> Self {
        let velero = VeleroSettings { csi_poll: Duration::from_millis(300), ..VeleroSettings::quick() };
        // One machine has one clock; what is left is the resolution of the times that are written down.
        let coordinator = ["--max-concurrent-snapshots", &budget.to_string(), "--clock-error", "1ms"];
        let (name, coordinator) = (name.to_owned(), coordinator.map(str::to_owned).to_vec());
        Self { name, coordinator, velero, real: RealSettings::default() }
    }

    /// The same for a real Velero, whose polls are its own; the cloud takes its time.
    pub fn real(name: &str, budget: u32) -> Self {
        let mut options = Self::new(name, budget);
        options.velero.cut_delay = REAL_CUT_DELAY;
        options.velero.ready_delay = REAL_CUT_DELAY;
        options.velero.item_operation_poll = REAL_OPERATION_POLL;
        options
    }

    /// With these flags of the coordinator too.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.coordinator.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With this many item block workers in Velero. Hooks then return side by side; the first cut must come after the last return, or
    /// the truth log, which dates a quiesce from its hook's end, could not tell what the members' own word could.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.velero.item_block_workers = workers;
        self.velero.cut_delay = Duration::from_millis(400);
        self.velero.csi_poll = Duration::from_secs(1);
        self
    }
}

/// The pair, and all that it needs. Everything ends when this is dropped.
pub struct Pair {
    /// The administrator.
    pub client: Client,
    /// The coordinators that run, the first one first.
    pub coordinators: Vec<CoordinatorProcess>,
    /// Velero.
    pub velero: AnyVelero,
    place: Place,
    options: PairOptions,
    folder: PathBuf,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("place", &self.place).field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// One Backup and what was left of it.
#[derive(Clone, Debug)]
pub struct Night {
    /// The Backup.
    pub backup: String,
    /// Its last phase.
    pub phase: Phase,
    /// What really happened.
    pub seen: Timeline,
}

impl Pair {
    /// On an embedded API server. Prints where logs are; the test harness shows that when the test fails.
    pub async fn start(options: PairOptions) -> anyhow::Result<Self> {
        let pair = Self::start_on(Place::embedded().await?, options).await?;
        println!("what the coordinators say, and what really happens, will be in {}", pair.folder.display());
        Ok(pair)
    }

    /// On any.
    pub async fn start_on(place: Place, options: PairOptions) -> anyhow::Result<Self> {
        let client = place.client().await;
        cluster::prepare(&client).await.context("preparing the cluster")?;
        let folder = new_folder(&options.name)?;
        let velero = start_velero(&place, &client, &folder, &options).await?;
        let mut pair = Self { client, coordinators: vec![], velero, place, options, folder };
        pair.start_coordinator("coordinator-a").await?;
        Ok(pair)
    }

    /// In the machine of its own that [`crate::isolated::run`] gives a test, with a real Velero.
    pub async fn start_real(options: PairOptions) -> anyhow::Result<Self> {
        Self::start_on(Place::bed().await?, options).await
    }

    /// Starts one more coordinator and waits until it serves.
    pub async fn start_coordinator(&mut self, identity: &str) -> anyhow::Result<()> {
        let command = self.coordinator_command(identity)?;
        let coordinator = CoordinatorProcess::spawn(command);
        coordinator.line("synced", PATIENCE, |_| true).await;
        self.coordinators.push(coordinator);
        Ok(())
    }

    fn coordinator_command(&self, identity: &str) -> anyhow::Result<Command> {
        let system = self.place.system_namespace();
        let mut command = coordinator_command();
        command.args(["run", "--http-address", "127.0.0.1:0", "--identity", identity]);
        command.args(["--namespace", system, "--velero-namespace", system, "--kubeconfig"]);
        command.arg(self.place.kubeconfig(&self.folder, identity)?).args(&self.options.coordinator);
        let errors = self.folder.join(format!("{identity}.stderr"));
        command.stderr(std::fs::File::create(&errors).with_context(|| format!("making {}", errors.display()))?);
        Ok(command)
    }

    /// A kubeconfig for another program, as a user of this name.
    pub fn kubeconfig(&self, user: &str) -> anyhow::Result<PathBuf> {
        self.place.kubeconfig(&self.folder, user)
    }

    /// The first coordinator.
    ///
    /// # Panics
    /// When there is none.
    pub fn coordinator(&self) -> &CoordinatorProcess {
        self.coordinators.first().expect("a pair has a coordinator until a test takes it away")
    }

    /// The embedded API server, for faults and counters.
    ///
    /// # Panics
    /// On a real one.
    pub fn server(&self) -> &ApiServer {
        match &self.place {
            Place::Embedded(server) => server,
            Place::Real { .. } | Place::Bed(_) => panic!("only the embedded API server can be asked for that"),
        }
    }

    /// The namespace of Velero and of the coordinator.
    pub fn system_namespace(&self) -> &str {
        self.place.system_namespace()
    }

    /// The namespace that this test calls `name`.
    pub fn namespace(&self, name: &str) -> String {
        self.place.namespace(name)
    }

    /// Puts a workload in whose hooks are the hook-agent, and waits until the coordinator has put its pods into groups: those of a
    /// `StatefulSet` and those with claims.
    pub async fn with(&self, workload: Workload, hooks: &HookPlan) -> anyhow::Result<Made> {
        let workload = self.dressed(workload, hooks);
        let made = cluster::create(&self.client, &workload).await.context("putting a workload in")?;
        for pod in &made.pods {
            if let Place::Bed(bed) = &self.place {
                bed.mounts.add(&pod.name, &pod.claims);
            }
            self.place.allow_hooks(&self.client, &pod.name.namespace).await?;
            if !pod.claims.is_empty() {
                self.labelled(&pod.name).await?;
            }
        }
        Ok(made)
    }

    /// The workload as [`Pair::with`] puts it in.
    pub fn dressed(&self, workload: Workload, hooks: &HookPlan) -> Workload {
        self.place.dressed(workload, hooks)
    }

    /// Waits until a pod is in a group, and says in which.
    pub async fn labelled(&self, pod: &ObjectName) -> anyhow::Result<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let label = |pod: &Pod| pod.labels().get(LABEL_SNAPSHOT_GROUP).cloned();
        let labelled = await_condition(pods, &pod.name, |pod: Option<&Pod>| pod.and_then(label).is_some());
        let found = tokio::time::timeout(PATIENCE, labelled).await;
        let found = found.with_context(|| format!("pod {pod} was not put into a group within {PATIENCE:?}"))??;
        found.as_ref().and_then(label).context("it was there a moment ago")
    }

    /// Kills Velero and starts it again, with its settings changed: hooks that run go on.
    pub async fn restart_velero(&mut self, change: impl FnOnce(&mut VeleroSettings)) -> anyhow::Result<()> {
        change(&mut self.options.velero);
        let wanted = &self.options.velero;
        put_deployment(&self.client, self.place.system_namespace(), wanted.item_block_workers).await?;
        self.velero.restart(wanted).await
    }

    /// How Velero is set up now.
    pub fn velero_settings(&self) -> &VeleroSettings {
        &self.options.velero
    }

    /// Submits a Backup and waits for its end.
    pub async fn back_up(&self, backup: &str, spec: Value) -> anyhow::Result<Night> {
        self.velero.submit(backup, spec).await?;
        self.finished(backup).await
    }

    /// Waits for a Backup's end.
    pub async fn finished(&self, backup: &str) -> anyhow::Result<Night> {
        self.finished_within(backup, PATIENCE).await
    }

    /// The same, with a limit.
    pub async fn finished_within(&self, backup: &str, limit: Duration) -> anyhow::Result<Night> {
        let (phase, seen) = self.velero.finished(backup, limit).await?;
        Ok(Night { backup: backup.to_owned(), phase, seen })
    }

    /// Waits for the receipt that a group left on a Backup.
    pub async fn receipt(&self, backup: &str, group: &GroupKey) -> Result<Receipt, ReceiptError> {
        self.receipt_within(backup, group, PATIENCE).await
    }

    /// The same, with a limit.
    pub async fn receipt_within(
        &self,
        backup: &str,
        group: &GroupKey,
        limit: Duration,
    ) -> Result<Receipt, ReceiptError> {
        receipts::on_backup(&self.client, self.place.system_namespace(), backup, group, limit).await
    }

    /// The receipts of a group that the first coordinator wrote into its log.
    pub fn logged_receipts(&self, group: &GroupKey) -> Vec<Value> {
        receipts::logged(self.coordinator(), group)
    }

    /// What the coordinator says to a group.
    pub async fn group(&self, key: &GroupKey) -> anyhow::Result<Option<GroupLease>> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), key.namespace.as_str());
        let lease = leases.get_opt(group_lease(&key.group).as_str()).await?;
        Ok(lease.as_ref().map(GroupLease::decode).transpose()?)
    }

    /// The budget as it is written down.
    pub async fn budget(&self) -> anyhow::Result<Option<BudgetLease>> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), self.place.system_namespace());
        let lease = leases.get_opt(BUDGET_LEASE).await?;
        Ok(lease.as_ref().map(BudgetLease::decode).transpose()?)
    }

    /// Waits until nothing is granted any more.
    pub async fn nothing_granted(&self) -> anyhow::Result<()> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), self.place.system_namespace());
        let is_free = |lease: Option<&Lease>| {
            lease.and_then(|lease| BudgetLease::decode(lease).ok()).is_some_and(|budget| budget.grants.is_empty())
        };
        let free = tokio::time::timeout(PATIENCE, await_condition(leases, BUDGET_LEASE, is_free)).await;
        free.with_context(|| format!("some of the budget was still granted after {PATIENCE:?}"))??;
        Ok(())
    }
}

impl Night {
    /// What is true of the cuts of these pods.
    pub fn truth(&self, made: &Made) -> TruthVerdict {
        truth_verdict(&self.seen, &made.names(), None)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for (index, coordinator) in self.coordinators.iter_mut().enumerate() {
            coordinator.kill();
            let lines: Vec<String> = coordinator.lines().iter().map(ToString::to_string).collect();
            let text = lines.join("\n");
            // Evidence for a test that failed; one that passed does not miss it.
            let _ = std::fs::write(self.folder.join(format!("coordinator-{index}.log")), text);
        }
        let _ = std::fs::write(self.folder.join("truth.log"), self.velero.timeline().to_string());
    }
}

/// A folder for logs and kubeconfigs. It stays as evidence until the same test runs again.
fn new_folder(name: &str) -> anyhow::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let root = std::env::temp_dir().join("testbed-pair");
    let prefix = format!("{name}.");
    for old in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        let file = old.file_name();
        let pid = file.to_str().and_then(|file| file.strip_prefix(&prefix)?.split('.').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another process may have been faster.
            let _ = std::fs::remove_dir_all(old.path());
        }
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = root.join(format!("{prefix}{}.{count}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

async fn start_velero(
    place: &Place,
    client: &Client,
    folder: &Path,
    options: &PairOptions,
) -> anyhow::Result<AnyVelero> {
    let mut settings = options.velero.clone();
    if let Place::Bed(bed) = place {
        put_deployment(client, &settings.namespace, settings.item_block_workers).await?;
        let velero = RealVelero::start(Arc::clone(bed), settings, options.real.clone()).await?;
        return Ok(AnyVelero::Real(Box::new(velero)));
    }
    place.system_namespace().clone_into(&mut settings.namespace);
    if matches!(settings.tokens, TokenSource::TokenRequest) {
        settings.tokens = place.tokens();
    }
    // Its user is not used: the pod's own token goes before it.
    let kubeconfig = place.kubeconfig(folder, FIELD_MANAGER_AGENT)?;
    settings.pass_env.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
    put_deployment(client, &settings.namespace, settings.item_block_workers).await?;
    Ok(AnyVelero::Simulated(Velero::start(client.clone(), settings).await?))
}

/// The object from which the coordinator reads how many workers Velero has.
async fn put_deployment(client: &Client, namespace: &str, workers: usize) -> anyhow::Result<()> {
    let workers = format!("--item-block-worker-count={workers}");
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "velero", "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "velero"}}, "template": {
            "metadata": {"labels": {"app": "velero"}},
            "spec": {"containers": [{"name": "velero", "image": "example.invalid/velero:1", "command": ["/velero"],
                "args": ["server", workers]}]}}},
    });
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(client.clone(), namespace);
    deployments.patch("velero", &PatchParams::apply("testbed").force(), &Patch::Apply(object)).await?;
    Ok(())
}
