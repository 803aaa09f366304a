//! All of it as a user installs it: the default overlay applied, the coordinator as a pod of its Deployment, a database whose manifest
//! `hook-agent inject` has changed, and the Backup that the generated Schedule makes. Nothing here has more rights than the manifests give.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use kube::api::DynamicObject;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use testbed::binaries;
use testbed::coordinator_process::{coordinator_command, eventually};
use testbed::kubectl;
use testbed::pair::group_of_set;
use testbed::programs::finished;
use testbed::real_velero::{Image, RealBed, RealSettings, RealVelero};
use testbed::velero::VeleroSettings;
use testbed::velero::backup::Phase;
use testbed::velero::cluster::{self, Made, MadePod};
use testbed::velero::object_name::ObjectName;
use testbed::velero::schedule::schedules;
use testbed::velero::truth::{Consistency, truth_verdict};

use crate::run::isolated;

/// What each step takes at most: seconds, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A change settles for ten seconds, and plans are half a minute apart.
const PLANNED: Duration = Duration::from_mins(2);

/// What overlays/default calls the coordinator's image.
const COORDINATOR_IMAGE: &str = "registry.example.com/velero-snapshot-groups/coordinator:0.1.0";
/// What the user puts into a pod.
const AGENT_IMAGE: &str = "registry.example.com/backup/hook-agent:0.1.0";
/// The database's; nothing of ours is in it.
const DATABASE_IMAGE: &str = "example.invalid/database:1";

/// Velero's Deployment, the namespace of a team, and its ServiceAccount: what is there before the product is.
const BEFORE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: velero, namespace: velero}
spec:
  selector: {matchLabels: {deploy: velero}}
  template:
    metadata: {labels: {deploy: velero}}
    spec:
      containers: [{name: velero, image: 'velero/velero:v1.18.3', command: [/velero], args: [server, --features=EnableCSI]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: db, namespace: shop}
";

/// A database as its team wrote it, with the annotation that says how it is held: a session, as the recipes for real servers open one, whose
/// steps may take longer than the hook leaves them beside the longest wait. It writes down what is asked of it. The stand-in kubelet's
/// containers share the machine's `/dev/shm`, which a pod has for itself: so the state folder is another one.
const DATABASE: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}
  template:
    metadata:
      labels: {app: db}
      annotations:
        snapshot-group.velero.io/quiesce: |
          - session:
              command: [sh]
              before: [echo lock >>/tmp/moments, echo held]
              ready: held
              after: [echo unlock >>/tmp/moments, echo over]
              done: over
              timeout: 30s
    spec:
      serviceAccountName: db
      containers:
      - name: db
        image: example.invalid/database:1
        env: [{name: STATE_DIR, value: /}]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: ebs, resources: {requests: {storage: 10Gi}}}
";

#[test]
fn the_default_overlay_and_an_injected_database_come_to_a_proven_backup() {
    isolated(async || {
        if !kubectl::is_there("the whole install") {
            return Ok(());
        }
        let agent = binaries::shipped_hook_agent()?;
        let image =
            |name: &str, program: Option<&Path>| Image { name: name.to_owned(), program: program.map(PathBuf::from) };
        let images = [
            image(COORDINATOR_IMAGE, Some(binaries::coordinator())),
            image(AGENT_IMAGE, Some(&agent)),
            image(DATABASE_IMAGE, None),
        ];
        let bed = Arc::new(RealBed::start_with(&images).await?);
        let user = User { kubeconfig: bed.control_plane.kubeconfig(), folder: bed.folder().join("user") };
        std::fs::create_dir_all(&user.folder)?;
        let client = bed.control_plane.client().await;
        user.apply("before.yaml", BEFORE).await?;
        let velero = RealVelero::start(Arc::clone(&bed), settings(), RealSettings::default()).await?;

        kubectl::apply(&user.kubeconfig, &user.folder, "default").await;
        user.moves_the_port().await?;
        user.apply("db.yaml", &user.injected(&agent)?).await?;
        let deployment = ObjectName::new("velero", "snapshot-coordinator");
        let coordinator = cluster::replica(&client, &deployment, "snapshot-coordinator-6b5c8d7f9-x7k2p").await?;
        let log = Log::of(&bed, &coordinator);
        eventually("a leader", PATIENCE, || log.has("leading")).await;
        let made = cluster::roll_out(&client, &ObjectName::new("shop", "db")).await?;
        made.pods.iter().for_each(|pod| bed.mounts.add(&pod.name, &pod.claims));

        let schedule = generated(&client, &log, &made).await?;
        velero.submit("night", schedule["spec"]["template"].clone()).await?;
        let (phase, seen) = velero.finished("night", PATIENCE).await?;
        ensure!(phase == Phase::Completed && seen.is_one_block(), "{seen}");
        assert_eq!(truth_verdict(&seen, &made.names(), None).consistency, Consistency::GroupConsistent, "{seen}");

        let group = group_of_set("shop", "db");
        eventually("a receipt", PATIENCE, || {
            log.lines().into_iter().find(|line| line["event_type"] == "group_receipt")
        })
        .await;
        let receipts = user.coordinator(&["receipts", "--backup", "night", "-o", "json"])?;
        let said: Value = serde_json::from_str(&receipts)?;
        println!("{said:#}");
        ensure!(receipts.contains("group-consistent") && receipts.contains(group.group.as_str()), "{receipts}");
        user.coordinator(&["verify", "--backup", "night"])?;
        for pod in &made.pods {
            let moments = bed.container_root(&pod.name.namespace, &pod.uid, "db").join("tmp/moments");
            let moments = std::fs::read_to_string(&moments).with_context(|| moments.display().to_string())?;
            ensure!(moments == "lock\nunlock\n", "{}: {moments}", pod.name);
        }
        // Not the bare number: a timestamp has it now and then.
        let is_refusal = |line: &Value| line["code"] == 403 || line.to_string().to_lowercase().contains("forbidden");
        let refused: Vec<Value> = log.lines().into_iter().filter(is_refusal).collect();
        ensure!(refused.is_empty(), "{refused:#?}");
        user.is_told_nothing_to_mend()
    });
}

fn settings() -> VeleroSettings {
    VeleroSettings {
        cut_delay: Duration::from_millis(200),
        ready_delay: Duration::from_millis(200),
        item_operation_poll: Duration::from_secs(1),
        ..VeleroSettings::quick()
    }
}

/// The Schedule that the coordinator makes for the database, once it names all of its pods.
async fn generated(client: &Client, log: &Log, made: &Made) -> Result<Value> {
    let created = |line: &Value| line["event_type"] == "schedule_created";
    let line = eventually("a Schedule", PLANNED, || log.lines().into_iter().find(created)).await;
    let name = line["schedule"].as_str().with_context(|| format!("no name in {line}"))?;
    let schedules = schedules(client.clone(), "velero");
    let names_all = |schedule: Option<&DynamicObject>| {
        schedule.is_some_and(|it| it.data["spec"]["template"]["orderedResources"]["pods"] == made.ordered().as_str())
    };
    let schedule = tokio::time::timeout(PLANNED, await_condition(schedules, name, names_all)).await;
    let schedule = schedule.with_context(|| format!("{name} did not name {} within {PLANNED:?}", made.ordered()))??;
    Ok(serde_json::to_value(schedule)?)
}

/// What a container of the coordinator has written.
struct Log(PathBuf);

impl Log {
    fn of(bed: &RealBed, pod: &MadePod) -> Self {
        let root = bed.container_root(&pod.name.namespace, &pod.uid, "coordinator");
        Self(root.with_extension("log"))
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn has(&self, event: &str) -> Option<()> {
        self.lines().iter().any(|line| line["event_type"] == event).then_some(())
    }
}

/// Somebody with `cluster-admin`, kubectl, and the product's two programs.
struct User {
    kubeconfig: PathBuf,
    folder: PathBuf,
}

impl User {
    async fn apply(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        std::fs::write(&path, text)?;
        let path = path.to_str().context("a path of UTF-8")?;
        let said =
            kubectl::say_to(&self.kubeconfig, &self.folder, &["--warnings-as-errors", "apply", "-f", path]).await;
        ensure!(said.worked, "{}", said.text);
        Ok(())
    }

    /// All pods of this machine have one network, and something else has the port already.
    async fn moves_the_port(&self) -> Result<()> {
        let set = ["-n", "velero", "set", "env", "deployment/snapshot-coordinator", "HTTP_ADDRESS=127.0.0.1:18080"];
        let said = kubectl::say_to(&self.kubeconfig, &self.folder, &set).await;
        ensure!(said.worked, "{}", said.text);
        Ok(())
    }

    fn injected(&self, agent: &Path) -> Result<String> {
        let file = self.folder.join("plain.yaml");
        std::fs::write(&file, DATABASE)?;
        let mut command = Command::new(agent);
        command.args(["inject", "--image", AGENT_IMAGE, "--service-account-binding", "-f"]).arg(file);
        Ok(finished(&mut command)?)
    }

    fn coordinator(&self, arguments: &[&str]) -> Result<String> {
        Ok(finished(coordinator_command().args(arguments).arg("--kubeconfig").arg(&self.kubeconfig))?)
    }

    /// `coordinator doctor` has nothing to say of rights, hooks and agents. What it does say is true of this cluster: nothing serves
    /// metrics behind a Service here, a block of three takes its time, and the token's volume, which an API server elsewhere writes into pods,
    /// is added by the kubelet.
    fn is_told_nothing_to_mend(&self) -> Result<()> {
        let output =
            coordinator_command().args(["doctor", "-o", "json", "--kubeconfig"]).arg(&self.kubeconfig).output()?;
        let diagnosis: Value = serde_json::from_slice(&output.stdout)?;
        let findings = diagnosis["findings"].as_array().context("findings")?;
        let checks: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["check"].as_str()).collect();
        println!("{}", json!(findings));
        ensure!(
            checks == BTreeSet::from(["expected-hold", "metrics-unreachable", "token-not-mounted"]),
            "{findings:#?}"
        );
        Ok(())
    }
}
