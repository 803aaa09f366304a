//! How is a real Velero started, watched and killed?

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::bed::RealBed;
use super::follow::Follower;
use super::process::Process;
use super::{cluster, phases};
use crate::coordinator_process::eventually;
use crate::velero::backup::{Phase, VELERO_NAMESPACE, backup_resource};
use crate::velero::snapshotter::Snapshotter;
use crate::velero::truth::{Fact, Timeline, TruthLog, TruthTimeout};
use crate::velero::{VeleroSettings, VolumeMode};

/// From the server's start to workers that take Backups. Seen: 2 to 4 s; the rest is for a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// Its metrics; fixed, because the machine is the test's own.
pub const METRICS_ADDRESS: &str = "127.0.0.1:8085";

/// Its profiler.
const PROFILER_ADDRESS: &str = "127.0.0.1:6060";

/// A server at work has some hundred goroutines of a few KB each.
const GOROUTINES_BYTES_MAX: u64 = 32 << 20;

/// Settings beside those that the simulator has too.
#[derive(Clone, Debug)]
pub struct RealSettings {
    /// `CSI_SNAPSHOT_EARLY_FREQUENT_POLLING`: looks for a handle each second for ten seconds, instead of each fifth. Saves time, and
    /// fails at random where a handle takes longer than ten seconds.
    pub early_polling: bool,
    /// Whether a quick stand-in cuts CSI snapshots; without it whoever the test starts does ([`super::SnapshotChain`]).
    pub quick_snapshotter: bool,
    /// Further flags of `velero server`.
    pub flags: Vec<String>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
}

impl Default for RealSettings {
    fn default() -> Self {
        Self { early_polling: true, quick_snapshotter: true, flags: vec![], variables: vec![] }
    }
}

/// A real server, and the stand-ins that cut its snapshots. Of [`VeleroSettings`] it obeys the workers, the concurrent Backups, the
/// volume mode, the poll of operations, and the cloud's times; the rest is as it is in the real one.
pub struct RealVelero {
    bed: Arc<RealBed>,
    client: Client,
    truth: TruthLog,
    follower: Arc<Follower>,
    settings: VeleroSettings,
    real: RealSettings,
    process: Mutex<Option<Process>>,
    snapshotter: Option<JoinHandle<()>>,
    tasks: [JoinHandle<()>; 2],
}

impl std::fmt::Debug for RealVelero {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealVelero").field("bed", &self.bed).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Drop for RealVelero {
    fn drop(&mut self) {
        self.tasks.iter().chain(&self.snapshotter).for_each(JoinHandle::abort);
        self.follower.look();
    }
}

impl RealVelero {
    /// Starts a server and waits until it takes Backups.
    pub async fn start(bed: Arc<RealBed>, settings: VeleroSettings, real: RealSettings) -> anyhow::Result<Self> {
        let client = bed.control_plane.client().await;
        let truth = settings.truth.clone();
        let follower = Follower::new(truth.clone(), bed.exec_log(), server_log(&bed), Arc::clone(&bed.mounts));
        let follower = Arc::new(follower);
        let backups = Api::namespaced_with(client.clone(), VELERO_NAMESPACE, &backup_resource());
        let tasks =
            [tokio::spawn(Arc::clone(&follower).follow()), tokio::spawn(phases::record(backups, truth.clone()))];
        let process = Mutex::new(None);
        let mut velero = Self { bed, client, truth, follower, settings, real, process, snapshotter: None, tasks };
        velero.run().await?;
        Ok(velero)
    }

    /// Kills the server and starts one with changed settings. Hooks that run are not touched by it.
    pub async fn restart(&mut self, change: impl FnOnce(&mut VeleroSettings, &mut RealSettings)) -> anyhow::Result<()> {
        self.kill().await;
        change(&mut self.settings, &mut self.real);
        self.run().await
    }

    /// Ends the server and its plugins as `kill -9` does. A second call does nothing.
    pub async fn kill(&self) {
        let Some(mut process) = self.process().take() else { return };
        let ended = tokio::task::spawn_blocking(move || process.kill()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "the server cannot be killed");
        }
        self.follower.server_ended();
        self.truth.record(Fact::ServerKilled);
    }

    /// All that has happened so far, of all Backups.
    pub fn timeline(&self) -> Timeline {
        self.follower.look();
        self.truth.timeline()
    }

    /// The log behind the timeline.
    pub fn truth(&self) -> TruthLog {
        self.truth.clone()
    }

    /// Creates a Backup with this `spec`.
    pub async fn submit(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let object = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "spec": spec,
            "metadata": {"name": name, "namespace": VELERO_NAMESPACE}});
        let backups: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), VELERO_NAMESPACE, &backup_resource());
        let object = serde_json::from_value(object).with_context(|| format!("Backup {name}: the spec is none"))?;
        backups.create(&PostParams::default(), &object).await.with_context(|| format!("creating Backup {name}"))?;
        Ok(())
    }

    /// Waits for a phase of a Backup that Velero will not leave again; returns it with what happened in that Backup.
    pub async fn finished(&self, name: &str, limit: Duration) -> Result<(Phase, Timeline), TruthTimeout> {
        let last = |timeline: &Timeline| timeline.last_phase(name).filter(|phase| phase.is_final());
        let what = format!("Backup {name} is finished");
        let timeline = self.truth.wait_until(&what, limit, |timeline| last(timeline).is_some()).await?;
        // The condition held, so there is one.
        let phase = last(&timeline).unwrap_or(Phase::Failed);
        // What the kubelet wrote before the phase may not have been read yet.
        Ok((phase, self.timeline().of_backup(name)))
    }

    /// Waits until Velero calls its storage location available.
    pub async fn location_available(&self, limit: Duration) -> anyhow::Result<()> {
        cluster::location_available(&self.client, limit).await
    }

    /// How the server stands, for whoever waited for it in vain: its last words if it has ended by itself, else a file with what each of its
    /// threads does, by its own profiler.
    pub async fn autopsy(&self) -> String {
        if let Some(Err(ended)) = self.process().as_mut().map(Process::check) {
            return format!("{ended:#}");
        }
        let path = self.bed.folder().join("velero-goroutines.txt");
        let written = match goroutines().await {
            Ok(text) => std::fs::write(&path, text).map_err(anyhow::Error::from),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => format!("the server runs; what it does is in {}", path.display()),
            Err(error) => format!("the server runs, and does not say what it does: {error:#}"),
        }
    }

    /// The server's own log, of all its lives.
    pub fn log(&self) -> PathBuf {
        server_log(&self.bed)
    }

    /// The cluster that it stands in.
    pub fn bed(&self) -> &RealBed {
        &self.bed
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        if let Some(snapshotter) = self.snapshotter.take() {
            snapshotter.abort();
        }
        if self.settings.volume_mode == VolumeMode::Csi && self.real.quick_snapshotter {
            let snapshotter = Snapshotter::new(self.client.clone(), &self.settings).of_all();
            self.snapshotter = Some(tokio::spawn(snapshotter.serve()));
        }
        let lives = started_workers(&server_log(&self.bed));
        self.truth.record(Fact::ServerStarted);
        *self.process() = Some(self.spawn()?);
        let log = server_log(&self.bed);
        let ended = eventually("Velero's workers", START_TIMEOUT, || {
            let failed = self.process().as_mut().and_then(|process| process.check().err());
            failed.map(Err).or_else(|| (started_workers(&log) > lives).then_some(Ok(())))
        });
        ended.await?;
        cluster::location_available(&self.client, START_TIMEOUT).await
    }

    fn spawn(&self) -> anyhow::Result<Process> {
        let folder = self.bed.folder().join("velero");
        let (plugins, temporary) = (folder.join("plugins"), folder.join("tmp"));
        for part in [&plugins, &temporary] {
            std::fs::create_dir_all(part).with_context(|| format!("making {}", part.display()))?;
        }
        let link = plugins.join("velero-plugin-for-aws");
        if !link.exists() {
            std::os::unix::fs::symlink(&self.bed.programs.plugin, &link)
                .with_context(|| format!("making {}", link.display()))?;
        }
        let credentials = folder.join("credentials");
        std::fs::write(&credentials, "[default]\naws_access_key_id=testbed\naws_secret_access_key=testbed\n")
            .with_context(|| format!("writing {}", credentials.display()))?;
        let kubeconfig = self.bed.control_plane.kubeconfig();
        let mut variables: Vec<(&str, &OsStr)> = vec![
            ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_os_str()),
            ("AWS_EC2_METADATA_DISABLED", "true".as_ref()),
            ("AWS_REGION", cluster::REGION.as_ref()),
            ("HOME", folder.as_os_str()),
            ("TMPDIR", temporary.as_os_str()),
            // Up to 1.14 the flag does not reach Velero's plugin processes (seen: every Backup failed at once).
            ("KUBECONFIG", kubeconfig.as_os_str()),
        ];
        if self.real.early_polling {
            variables.push(("CSI_SNAPSHOT_EARLY_FREQUENT_POLLING", "true".as_ref()));
        }
        variables.extend(self.real.variables.iter().map(|(name, value)| (name.as_str(), OsStr::new(value))));
        let log = server_log(&self.bed);
        Process::start("velero", &self.bed.programs.velero, self.arguments(&plugins)?, &variables, &log)
    }

    fn arguments(&self, plugins: &std::path::Path) -> anyhow::Result<Vec<OsString>> {
        let VeleroSettings { item_block_workers, concurrent_backups, volume_mode, item_operation_poll, .. } =
            &self.settings;
        let mut arguments: Vec<OsString> = vec!["server".into(), "--kubeconfig".into()];
        arguments.push(self.bed.control_plane.kubeconfig().into());
        arguments.extend(["--plugin-dir".into(), plugins.into()]);
        let flags = [
            format!("--namespace={VELERO_NAMESPACE}"),
            format!("--features={}", if *volume_mode == VolumeMode::Csi { "EnableCSI" } else { "" }),
            "--log-format=json".to_owned(),
            format!("--metrics-address={METRICS_ADDRESS}"),
            format!("--profiler-address={PROFILER_ADDRESS}"),
            "--default-backup-storage-location=default".to_owned(),
            "--store-validation-frequency=30s".to_owned(),
            format!("--item-operation-sync-frequency={}ms", item_operation_poll.as_millis()),
        ];
        arguments.extend(flags.iter().chain(&self.real.flags).map(OsString::from));
        for (flag, count) in
            [("--item-block-worker-count", *item_block_workers), ("--concurrent-backups", *concurrent_backups)]
        {
            arguments.extend(self.bed.programs.server_flag(flag, count)?.map(OsString::from));
        }
        Ok(arguments)
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All goroutines with their stacks, from net/http/pprof.
async fn goroutines() -> anyhow::Result<Vec<u8>> {
    let asked = async {
        let mut stream = TcpStream::connect(PROFILER_ADDRESS).await?;
        stream.write_all(b"GET /debug/pprof/goroutine?debug=2 HTTP/1.0\r\n\r\n").await?;
        let mut text = Vec::new();
        stream.take(GOROUTINES_BYTES_MAX).read_to_end(&mut text).await?;
        anyhow::Ok(text)
    };
    tokio::time::timeout(START_TIMEOUT, asked).await?
}

fn server_log(bed: &RealBed) -> PathBuf {
    bed.folder().join("velero.log")
}

/// How often the workers that run Backups have been started, by the server's log.
fn started_workers(log: &std::path::Path) -> usize {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter(|line| line.contains("Starting workers") && line.contains("\"controller\":\"backup\"")).count()
}
