//! One coordinator against the real kube-apiserver: what the embedded one could be wrong about.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use rustix::process::Signal;
use shared::names::LABEL_SNAPSHOT_GROUP;
use testbed::control_plane::ControlPlane;
use testbed::coordinator_bed::Member;
use testbed::coordinator_process::{CoordinatorProcess, coordinator_command};
use testbed::velero::cluster::{MadePod, Workload, create, delete_pod, prepare};

const SOON: Duration = Duration::from_secs(30);

/// Asks the API server again and again until it says what is waited for.
async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let begin = Instant::now();
    loop {
        if let Some(found) = ask().await.unwrap_or_else(|e| panic!("{what}: {e:#}")) {
            return found;
        }
        assert!(begin.elapsed() < SOON, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Place {
    client: Client,
    namespace: String,
    kubeconfig: PathBuf,
}

impl Place {
    fn coordinator(&self) -> CoordinatorProcess {
        let own_pods = format!("test={}", self.namespace);
        let flags = ["--namespace", &self.namespace, "--resource-label-selector", &own_pods, "--round-idle", "500ms"];
        CoordinatorProcess::start(&self.kubeconfig, "c-0", flags)
    }

    fn set(&self, name: &str) -> Workload {
        Workload::stateful_set(&self.namespace, name, 2).label("test", &self.namespace)
    }

    async fn label(&self, pod: &MadePod) -> anyhow::Result<Option<String>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let labels = pods.get(&pod.name.name).await?.metadata.labels.unwrap_or_default();
        Ok(labels.get(LABEL_SNAPSHOT_GROUP).cloned())
    }

    async fn leader(&self) -> anyhow::Result<Option<String>> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(leases.get("snapshot-coordinator").await?.spec.and_then(|spec| spec.holder_identity))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_rounds_leadership_and_status() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let namespace = control_plane.namespace("coordinator").await;
    let place = Place { client: control_plane.client().await, namespace, kubeconfig: control_plane.kubeconfig() };
    prepare(&place.client).await.unwrap();
    let by_hand = create(&place.client, &place.set("hand").label(LABEL_SNAPSHOT_GROUP, "by-hand")).await.unwrap();
    let mut coordinator = place.coordinator();
    coordinator.line("leading", SOON, |_| true).await;
    assert_eq!(place.leader().await.unwrap().as_deref(), Some("c-0"));

    // Labels by server-side apply, with the pod's uid in it; those set by hand stay.
    let made = create(&place.client, &place.set("db")).await.unwrap();
    let mut groups = Vec::new();
    for pod in &made.pods {
        groups.push(until("a label", || place.label(pod)).await);
    }
    assert_eq!(groups[0], groups[1]);
    assert_eq!(place.label(&by_hand.pods[0]).await.unwrap().as_deref(), Some("by-hand"));

    // A later pod of the same name is labelled as well.
    delete_pod(&place.client, &made.pods[1].name).await.unwrap();
    let made = create(&place.client, &place.set("db")).await.unwrap();
    assert_eq!(until("a label on the new pod", || place.label(&made.pods[1])).await, groups[0]);

    // A round.
    let mut members = Vec::new();
    for (pod, nonce) in made.pods.iter().zip(1..) {
        let mut member = Member::register_with(place.client.clone(), pod, &groups[0], nonce).await.unwrap();
        let epoch = until("admission", || member.admitted_by()).await;
        member.quiesce(epoch).await.unwrap();
        members.push(member);
    }
    for member in &mut members {
        member.finish().await.unwrap();
    }
    coordinator.line("group_receipt", SOON, |line| line["group_id"] == groups[0].as_str()).await;

    // The lead is given up, and taken again at once.
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ended(Duration::from_secs(5)).await.code(), Some(0));
    assert_eq!(place.leader().await.unwrap(), None);
    let again = place.coordinator();
    again.line("leading", SOON, |_| true).await;
    assert_eq!(place.leader().await.unwrap().as_deref(), Some("c-0"));
    for line in again.lines() {
        assert_ne!(line["event_type"], "write_failed", "{line}");
    }

    let status = status(&place).await;
    assert!(status.lines().any(|line| line.contains(&groups[0]) && line.contains("closed")), "{status}");
    assert!(status.contains("leader: c-0, renewed"), "{status}");
}

async fn status(place: &Place) -> String {
    let mut command = coordinator_command();
    command.args(["status", "--namespace", &place.namespace, "--coordinator-namespace", &place.namespace]);
    command.env("KUBECONFIG", &place.kubeconfig);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
