//! One coordinator against the real kube-apiserver: what the embedded one could be wrong about.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::PostParams;
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

/// One after the other: two coordinators of different namespaces would both release the groups of all namespaces.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_on_the_real_api_server() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    labels_rounds_leadership_and_status(control_plane).await;
    a_namespace_that_refuses_labels_is_asked_once_in_a_while(control_plane).await;
}

async fn labels_rounds_leadership_and_status(control_plane: &ControlPlane) {
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

/// Where the right to patch pods is missing, thousands of pods must not be tried again and again.
async fn a_namespace_that_refuses_labels_is_asked_once_in_a_while(control_plane: &ControlPlane) {
    const PODS: u32 = 60;
    let client = control_plane.client().await;
    let namespace = control_plane.namespace("coordinator-refused").await;
    prepare(&client).await.unwrap();
    bind_all_but_labels(&client, &namespace).await.unwrap();
    let token = control_plane.token(&namespace, "coordinator", None).await.unwrap();
    let folder = std::env::temp_dir().join(format!("testbed-coordinator-real-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let place = Place { client, namespace, kubeconfig: folder.join("kubeconfig") };
    control_plane.write_kubeconfig(&place.kubeconfig, &token).unwrap();
    create(&place.client, &place.set("db").replicas(PODS)).await.unwrap();

    let coordinator = place.coordinator();
    let refused = coordinator.line("write_failed", SOON, |_| true).await;
    assert!(refused["message"].as_str().unwrap().contains("we may not patch pods"), "{refused}");
    let not_tried = |line: &serde_json::Value| line["message"].as_str().unwrap().contains("--resource-label-selector");
    coordinator.line("write_failed", SOON, not_tried).await;
    // Each pod had its turn more than once.
    let begin = Instant::now();
    while coordinator.metric("snapshot_coordinator_api_write_failures_total").await < f64::from(3 * PODS) {
        assert!(begin.elapsed() < SOON, "writes fail on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let metrics = coordinator.get("/metrics").await.body;
    let asked = metrics.lines().find(|line| line.contains("verb=\"patch\",resource=\"pods\",code=\"403\""));
    let asked: u32 = asked.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap();
    assert!(asked < PODS, "{asked} requests: at most those under way when the first was refused");
    let lines = coordinator.lines_of("write_failed").into_iter().filter(not_tried).count();
    assert!(lines <= 2, "{lines} lines say the same");
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn bind_all_but_labels(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let allow = |group: &str, resources: &[&str], verbs: &[&str]| serde_json::json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let (read, all) = (["list", "watch"], ["get", "list", "watch", "create", "update", "delete"]);
    let rules = [
        allow("", &["pods", "persistentvolumeclaims", "persistentvolumes"], &read),
        allow("apps", &["statefulsets", "deployments"], &read),
        allow("velero.io", &["backups"], &read),
        allow("snapshot.storage.k8s.io", &["volumesnapshots", "volumesnapshotcontents"], &read),
        allow("coordination.k8s.io", &["leases"], &all),
    ];
    let role = serde_json::from_value(serde_json::json!({"metadata": {"name": namespace}, "rules": rules}))?;
    let binding = serde_json::from_value(serde_json::json!({
        "metadata": {"name": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace},
        "subjects": [{"kind": "ServiceAccount", "name": "coordinator", "namespace": namespace}],
    }))?;
    let account = serde_json::from_value(serde_json::json!({"metadata": {"name": "coordinator"}}))?;
    let post = PostParams::default();
    Api::<ServiceAccount>::namespaced(client.clone(), namespace).create(&post, &account).await?;
    Api::<ClusterRole>::all(client.clone()).create(&post, &role).await?;
    Api::<ClusterRoleBinding>::all(client.clone()).create(&post, &binding).await?;
    Ok(())
}

async fn status(place: &Place) -> String {
    let mut command = coordinator_command();
    command.args(["status", "--namespace", &place.namespace, "--coordinator-namespace", &place.namespace]);
    command.env("KUBECONFIG", &place.kubeconfig);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
