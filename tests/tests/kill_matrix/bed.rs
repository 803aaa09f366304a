//! What does a case stand on? An embedded API server, coordinators, two members with their folders, and a Velero by hand.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use shared::admission::RoundPhase;
use shared::identity::{GroupId, GroupKey, Namespace};
use shared::member_lease::MemberLease;
use shared::names::{VELERO_LABEL_BACKUP_NAME, group_lease, receipt_annotation};
use shared::receipt::Receipt;
use testbed::api::{Effect, Fault, FaultId, ServerOptions, Target, Verb};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::{CoordinatorProcess, within};
use testbed::velero::backup::backup_resource;
use testbed::velero::cluster::{MadePod, Workload};

use crate::case::Way;
use crate::hook::{Hook, Running};
use crate::truth::Words;

/// Whatever is waited for comes within this, or never: a member's Lease lasts 30 s, and dozens of cases run side by side.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// A receipt is there so long after a Backup's end, or none is to come: rounds end with their Backup.
const RECEIPT_WITHIN: Duration = Duration::from_secs(30);

const NAMESPACE: &str = "prod";
const BACKUP: &str = "nightly";

/// One member.
pub struct Pod {
    pub made: MadePod,
    dir: PathBuf,
    kubeconfig: PathBuf,
    plan: String,
    quiesce_max: String,
    resident: Mutex<Option<Running>>,
}

/// Everything that a case needs. All of it ends when this is dropped.
pub struct Bed {
    pub cluster: CoordinatorBed,
    pub pods: Vec<Pod>,
    pub coordinators: Mutex<Vec<CoordinatorProcess>>,
    pub group: GroupKey,
    way: Way,
}

/// The part of somebody who panicked is as good as any.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bed {
    /// A group of two, whose residents stand by where there are any.
    pub async fn start(way: Way, quiesce_max: &str) -> Self {
        let cluster = CoordinatorBed::start(ServerOptions::default()).await.expect("an API server");
        let made = cluster.workload(&Workload::stateful_set(NAMESPACE, "db", 2).token()).await;
        let namespace = Namespace::new(NAMESPACE).expect("a namespace");
        let group = GroupKey { group: GroupId::for_stateful_set(&namespace, "db"), namespace };
        let pods = made.pods.into_iter().map(|made| Pod::new(&cluster, made, &group, quiesce_max)).collect();
        let bed = Self { cluster, pods, coordinators: Mutex::default(), group, way };
        bed.start_coordinator();
        for pod in &bed.pods {
            assert!(eventually(|| bed.cluster.label(&pod.made)).await.is_some(), "{} is in no group", pod.made.name);
        }
        if way == Way::Lead {
            for pod in &bed.pods {
                pod.start_resident();
                bed.member_that(pod, "stands by", MemberLease::stands_by).await;
            }
        }
        bed
    }

    /// One more coordinator, as a Deployment starts one for another that is gone.
    pub fn start_coordinator(&self) {
        let mut running = lock(&self.coordinators);
        let mode = if self.way == Way::Lead { "lead" } else { "arrive-and-go" };
        let flags = ["--mode", mode, "--clock-error", "1ms", "--call-within", "5s"];
        let identity = format!("coordinator-{}", running.len());
        running.push(self.cluster.coordinator(&identity, flags));
    }

    /// Keeps the coordinator's word about the group back until the faults are removed: also the first, which no name in its path tells.
    pub fn hold_word_back(&self) -> [FaultId; 2] {
        let name = group_lease(&self.group.group).to_string();
        let leases = || Target::any().user("coordinator-0").resource("leases").namespace(NAMESPACE);
        [leases().name(&name), leases().verb(Verb::Create)]
            .map(|target| self.cluster.server.faults().add(Fault::new(target, Effect::Silence)))
    }

    /// Waits until a member's Lease is as wanted.
    pub async fn member_that(&self, pod: &Pod, what: &str, wanted: impl Fn(&MemberLease) -> bool) {
        let name = format!("snapshot-member-{}", pod.made.name.name);
        let read = || MemberLease::decode(&self.cluster.lease(NAMESPACE, &name)?).ok();
        let found = eventually(|| read().filter(&wanted)).await;
        assert!(found.is_some(), "no member Lease that {what}; it is {:?}", read());
    }

    /// The Backup in a phase of Velero's.
    pub async fn backup(&self, phase: &str) {
        let pods: Vec<String> = self.pods.iter().map(|pod| pod.made.name.to_string()).collect();
        self.write(
            "velero",
            &json!({
                "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": BACKUP},
                "spec": {"includedNamespaces": [NAMESPACE], "orderedResources": {"pods": pods.join(",")}},
                "status": {"phase": phase},
            }),
        )
        .await;
    }

    /// Cuts a member's volume: gives the moment, µs since 1970. It may be written down much later.
    pub async fn cut(&self, pod: &Pod) -> i64 {
        let claim = &pod.made.claims[0].name;
        self.write(
            NAMESPACE,
            &json!({
                "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
                "metadata": {"namespace": NAMESPACE, "name": claim, "labels": {VELERO_LABEL_BACKUP_NAME: BACKUP}},
                "spec": {"source": {"persistentVolumeClaimName": claim}, "volumeSnapshotClassName": "ebs"},
            }),
        )
        .await;
        let at = jiff::Timestamp::now();
        // A time of whole seconds would be read as a coarse one.
        let ns = i64::try_from(at.as_nanosecond()).expect("before 2262") | 1;
        self.write(
            "",
            &json!({
                "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
                "metadata": {"name": format!("content-{claim}")},
                "spec": {"driver": "ebs.csi.aws.com", "deletionPolicy": "Delete", "source": {"volumeHandle": claim},
                    "volumeSnapshotRef": {"namespace": NAMESPACE, "name": claim}},
                "status": {"snapshotHandle": format!("snap-{claim}"), "creationTime": ns, "readyToUse": true},
            }),
        )
        .await;
        at.as_microsecond()
    }

    /// Writes an object and its status without HTTP, as somebody does who was waited for; what others wrote into its metadata stays.
    async fn write(&self, namespace: &str, object: &Value) {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let server = &self.cluster.server;
        if server.get(text("apiVersion"), text("kind"), namespace, name).is_none() {
            server.put(object.clone()).unwrap_or_else(|e| panic!("{e:?}"));
            return;
        }
        let backups: Api<DynamicObject> = Api::namespaced_with(server.client(), namespace, &backup_resource());
        let patch = Patch::Merge(json!({"status": object["status"]}));
        let end = tokio::time::Instant::now() + PATIENCE;
        while let Err(e) = backups.patch(name, &PatchParams::default(), &patch).await {
            assert!(tokio::time::Instant::now() < end, "{name}: {e}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The receipt on the Backup, once nothing is to be said about the group any more; `None`: there is none.
    pub async fn receipt(&self) -> Option<Receipt> {
        let end = tokio::time::Instant::now() + RECEIPT_WITHIN;
        loop {
            let backup = self.cluster.server.get("velero.io/v1", "Backup", "velero", BACKUP).expect("the Backup");
            let text = backup.value["metadata"]["annotations"][receipt_annotation(&self.group)].as_str();
            let closed = self.cluster.group(&self.group).is_some_and(|group| group.phase == RoundPhase::Closed);
            if let Some(text) = text.filter(|_| closed) {
                return Some(serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")));
            }
            if tokio::time::Instant::now() >= end {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// For whoever reads about a case that failed.
    pub fn story(&self) -> String {
        let coordinators = lock(&self.coordinators);
        let lines = coordinators.iter().flat_map(|one| {
            let lines = one.lines().into_iter().map(|line| line.to_string());
            std::iter::once("-- a coordinator".to_owned()).chain(lines)
        });
        let pods = self.pods.iter().map(|pod| {
            let said = lock(&pod.resident).as_ref().map(Running::output).unwrap_or_default();
            format!("-- {}\n{:?}\n{said}", pod.made.name, pod.words())
        });
        lines.chain(pods).collect::<Vec<_>>().join("\n")
    }
}

impl Pod {
    fn new(cluster: &CoordinatorBed, made: MadePod, group: &GroupKey, quiesce_max: &str) -> Self {
        let name = &made.name.name;
        let dir = cluster.folder().join(name);
        std::fs::create_dir_all(dir.join("podinfo")).expect("a folder");
        let kubeconfig = cluster.kubeconfig(name);
        let token = cluster.server.token_for_pod(NAMESPACE, "default", name, &made.uid);
        std::fs::write(dir.join("token"), token).expect("a file");
        let labels = format!("velero.io/snapshot-group=\"{}\"\n", group.group);
        std::fs::write(dir.join("podinfo/labels"), labels).expect("a file");
        // Each program says when it begins, waits until it may go on, and says when it ends.
        let script = |begins: &str, may: &str, ends: &str| {
            let (log, may) = (dir.join("log"), dir.join(may));
            let say = |word: &str| format!("echo {word} $(date +%s%6N) >>{}", log.display());
            let wait = format!("while ! test -e {}; do sleep 0.05; done", may.display());
            json!(["/bin/sh", "-c", format!("{}; {wait}; {}", say(begins), say(ends))])
        };
        let (freeze, thaw) = (script("freezes", "may-freeze", "frozen"), script("thaws", "may-thaw", "thawed"));
        let plan = json!([{"exec": {"freeze": freeze, "thaw": thaw}}]).to_string();
        Self { made, dir, kubeconfig, plan, quiesce_max: quiesce_max.to_owned(), resident: Mutex::default() }
    }

    /// The plan's programs need not wait for this any more.
    pub fn allow(&self, may: &str) {
        std::fs::write(self.dir.join(may), "").expect("a file");
    }

    /// A command of the agent in this pod. Where a resident runs, it has the plan.
    pub fn hook(&self, command: &str, way: Way) -> Hook {
        let hook = Hook::new()
            .arg(command)
            .env("KUBECONFIG", path(&self.kubeconfig))
            .env("PODINFO_DIR", path(&self.dir.join("podinfo")))
            .env("TOKEN_FILE", path(&self.dir.join("token")))
            .env("STATE_DIR", path(&self.dir))
            .env("ALARM_FILE", path(&self.dir.join("alarm")));
        let hook = if command == "pre" { hook.env("HOOK_TIMEOUT", "90s") } else { hook };
        if command == "sidecar" || (command == "pre" && way == Way::ArriveAndGo) {
            return hook.env("QUIESCE", &self.plan).env("QUIESCE_MAX", &self.quiesce_max);
        }
        hook
    }

    pub fn start_resident(&self) {
        *lock(&self.resident) = Some(self.hook("sidecar", Way::Lead).start());
    }

    /// The resident's process.
    pub fn resident(&self) -> Option<u32> {
        lock(&self.resident).as_ref().map(Running::pid)
    }

    pub fn words(&self) -> Words {
        Words::read(&self.dir.join("log"))
    }

    /// Waits until the plan's programs have said a word.
    pub async fn says(&self, word: &str) -> bool {
        eventually(|| self.words().has(word).then_some(())).await.is_some()
    }

    fn place(&self) -> PathBuf {
        self.dir.join(format!("hook-agent-{}", rustix::process::geteuid().as_raw()))
    }

    /// This pod's processes that run `command`.
    pub fn processes(&self, command: &str) -> Vec<u32> {
        testbed::agent_processes::running(command, &self.place())
    }

    /// Waits until nobody holds, and nothing is written down as held.
    pub async fn nobody_is_left(&self) -> bool {
        let gone = || {
            let nobody = self.processes("keep").is_empty() && self.processes("guard").is_empty();
            (nobody && !self.place().join("held.json").exists()).then_some(())
        };
        eventually(gone).await.is_some()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}

/// Looks again and again until there is something, for [`PATIENCE`] at most.
pub async fn eventually<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    within(PATIENCE, Duration::from_millis(20), look).await
}
