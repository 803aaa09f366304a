//! Does an API server take every overlay and every component? One that does not know the Prometheus Operator's kinds takes the rest;
//! one that does checks these by the operator's own definitions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use testbed::control_plane::ControlPlane;
use testbed::control_plane::shared::{is_ci, say};
use testbed::kubectl::{self, Said, manifests};

use crate::cluster::{SHOP, SYSTEM, text};
use crate::rendered::{ELSEWHERE, OVERLAYS};

const KINDS_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/prometheus-operator-kinds.sh");

/// Of the operator's kinds those that the manifests use.
const KINDS: [&str; 2] = ["servicemonitors", "prometheusrules"];

/// Components that belong into an overlay with the base; `workload-*` belong into a workload's.
const BESIDE_BASE: &str = "workload-";

/// The folder of the operator's definitions; `None` where they cannot be had, which was said.
fn operator_kinds() -> Option<PathBuf> {
    let output = Command::new(KINDS_SCRIPT).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    match output {
        Ok(output) if output.status.success() => Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        other => {
            assert!(!is_ci(), "{KINDS_SCRIPT}: {other:?} (CI=true: it must not be skipped)");
            say("SKIPPED: ServiceMonitor and PrometheusRule by the Prometheus Operator's own definitions (needs Go)");
            None
        }
    }
}

/// `to` as kustomize wants it: relative to `from`, an absolute folder without links.
pub fn relative(from: &Path, to: &Path) -> String {
    let up = from.components().skip(1).map(|_| "../").collect::<String>();
    format!("{up}{}", text(to).trim_start_matches('/'))
}

struct Bed {
    control_plane: ControlPlane,
    folder: PathBuf,
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Bed {
    async fn start() -> Option<Self> {
        if !kubectl::is_there("the manifests' tests") {
            return None;
        }
        let control_plane = ControlPlane::own().await?;
        let folder = std::env::temp_dir().join(format!("testbed-overlays-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let client = control_plane.client().await;
        testbed::velero::cluster::prepare(&client).await.expect("a prepared cluster");
        let shop: Namespace = serde_json::from_value(json!({"metadata": {"name": SHOP}})).expect("a namespace");
        Api::<Namespace>::all(client).create(&PostParams::default(), &shop).await.expect("created");
        Some(Self { control_plane, folder: folder.canonicalize().expect("it is there") })
    }

    async fn kubectl(&self, arguments: &[&str]) -> Said {
        kubectl::say_to(&self.control_plane.kubeconfig(), &self.folder, arguments).await
    }

    async fn applied(&self, folder: &Path) {
        let said = self.kubectl(&["--warnings-as-errors", "apply", "-k", text(folder)]).await;
        assert!(said.worked, "{}: {}", folder.display(), said.text);
    }

    /// A folder with a kustomization of its own.
    fn kustomization(&self, name: &str, content: &str) -> PathBuf {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("kustomization.yaml"), content).expect("written");
        folder
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_overlay_and_component_is_taken() {
    let Some(bed) = Bed::start().await else { return };
    let client = bed.control_plane.client().await;

    // Before the operator is there: it says what is missing, and all else is applied.
    let eks = manifests().join("overlays/eks");
    let said = bed.kubectl(&["apply", "-k", text(&eks)]).await;
    assert!(!said.worked, "{}", said.text);
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        assert!(said.text.contains(&format!("no matches for kind \"{kind}\"")), "{}", said.text);
    }
    assert!(said.text.contains("ensure CRDs are installed first"), "{}", said.text);
    Api::<Deployment>::namespaced(client.clone(), SYSTEM).get("snapshot-coordinator").await.expect("it is applied");

    let Some(kinds) = operator_kinds() else { return };
    for kind in KINDS {
        let file = kinds.join(format!("monitoring.coreos.com_{kind}.yaml"));
        let said = bed.kubectl(&["apply", "--server-side", "-f", text(&file)]).await;
        assert!(said.worked, "{}", said.text);
        let name = format!("crd/{kind}.monitoring.coreos.com");
        let said = bed.kubectl(&["wait", "--for=condition=Established", &name, "--timeout=60s"]).await;
        assert!(said.worked, "{}", said.text);
    }
    for overlay in OVERLAYS {
        bed.applied(&manifests().join("overlays").join(overlay)).await;
    }

    // All components at once, those that no overlay lists too.
    let components = std::fs::read_dir(manifests().join("components")).expect("components");
    let all: Vec<PathBuf> =
        components.map(|entry| entry.expect("an entry").path().canonicalize().expect("a folder")).collect();
    let beside_base = |path: &&PathBuf| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(BESIDE_BASE));
    let folder = bed.folder.join("all");
    let base = relative(&folder, &manifests().join("base").canonicalize().expect("base"));
    let lines: Vec<String> = all.iter().filter(beside_base).map(|path| relative(&folder, path)).collect();
    bed.kustomization("all", &json!({"resources": [base], "components": lines}).to_string());
    bed.applied(&folder).await;
    Api::<DaemonSet>::namespaced(client.clone(), "velero-logs").get("velero-filebeat").await.expect("it is applied");

    // Velero's side, on what `velero install` prints.
    let patches = manifests().join("velero/kustomize").canonicalize().expect("patches");
    let folder = bed.folder.join("velero");
    let component = relative(&folder, &patches);
    bed.kustomization("velero", &format!("resources: [velero.yaml]\ncomponents: [{component}]\n"));
    let installed = include_str!("../../velero/velero-install-1.18.3.yaml");
    std::fs::write(folder.join("velero.yaml"), installed).expect("written");
    bed.applied(&folder).await;
    let velero = Api::<Deployment>::namespaced(client.clone(), SYSTEM).get("velero").await.expect("Velero");
    let container = velero.spec.expect("a spec").template.spec.expect("a pod").containers.remove(0);
    let args = container.args.expect("arguments");
    assert!(
        ["server", "--features=EnableCSI", "--log-format=json"].iter().all(|arg| args.iter().any(|a| a == arg)),
        "{args:?}"
    );
    let names: Vec<String> = container.env.expect("variables").into_iter().map(|variable| variable.name).collect();
    assert!(
        names.iter().any(|name| name == "AWS_RETRY_MODE") && !names.iter().any(|n| n.contains("POLLING")),
        "{names:?}"
    );

    // Velero in another namespace: one line, and what is cluster-wide is taken as well.
    let elsewhere: Namespace = serde_json::from_value(json!({"metadata": {"name": ELSEWHERE}})).expect("a namespace");
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &elsewhere).await.expect("created");
    let folder = bed.folder.join("elsewhere");
    let overlay = relative(&folder, &manifests().join("overlays/default").canonicalize().expect("the overlay"));
    bed.kustomization("elsewhere", &format!("namespace: {ELSEWHERE}\nresources: [{overlay}]\n"));
    bed.applied(&folder).await;
    Api::<Deployment>::namespaced(client.clone(), ELSEWHERE).get("snapshot-coordinator").await.expect("it is applied");

    // The definitions do check: what they know nothing of is refused.
    let wrong = bed.folder.join("wrong.yaml");
    let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: wrong, namespace: velero}\n\
                   spec: {selector: {}, endpoints: [{port: http, interval: soon}]}\n";
    std::fs::write(&wrong, monitor).expect("written");
    let said = bed.kubectl(&["apply", "-f", text(&wrong)]).await;
    assert!(!said.worked && said.text.contains("interval"), "{}", said.text);
}
