//! Do the commands of the documentation's pages work? Every `sh` block of a page is run, in its order, as it stands there, by bash with
//! kubectl and the hook-agent, against a real API server, in a folder that holds the manifests.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use testbed::control_plane::ControlPlane;
use testbed::kubectl;

use crate::cluster::{SHOP, SHOP_ACCOUNT};

/// All blocks of a page together: some twenty calls of kubectl, half a second each on a busy machine.
const PAGE_TIMEOUT: Duration = Duration::from_mins(5);

/// The page's blocks of shell, in their order.
fn blocks(page: &str) -> Vec<String> {
    let (mut blocks, mut open): (Vec<String>, bool) = (Vec::new(), false);
    for line in page.lines() {
        match (line, open) {
            ("```sh", _) => {
                blocks.push(String::new());
                open = true;
            }
            ("```", true) => open = false,
            (line, true) => {
                let block = blocks.last_mut().expect("one is open");
                block.push_str(line);
                block.push('\n');
            }
            (_, false) => {}
        }
    }
    blocks
}

/// Somebody with a shell in a folder with the manifests, and with a cluster.
pub struct Reader {
    control_plane: ControlPlane,
    folder: PathBuf,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Reader {
    /// A cluster of its own, with the namespace `shop` and its account; nothing where there is no kubectl or no control plane.
    pub async fn start(page: &str) -> Option<Self> {
        if !kubectl::is_there("the manifests' tests") {
            return None;
        }
        let control_plane = ControlPlane::own().await?;
        let folder = std::env::temp_dir().join(format!("testbed-page-{page}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let copied = Command::new("cp").arg("-r").arg(kubectl::manifests()).arg(folder.join("manifests")).status();
        assert!(copied.is_ok_and(|status| status.success()), "the manifests can be copied");
        let client = control_plane.client().await;
        testbed::velero::cluster::prepare(&client).await.expect("a prepared cluster");
        let post = PostParams::default();
        let shop: Namespace = serde_json::from_value(json!({"metadata": {"name": SHOP}})).expect("a namespace");
        Api::<Namespace>::all(client.clone()).create(&post, &shop).await.expect("created");
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": SHOP_ACCOUNT}})).expect("one");
        Api::<ServiceAccount>::namespaced(client, SHOP).create(&post, &account).await.expect("created");
        Some(Self { control_plane, folder })
    }

    /// Runs each block; the first command that fails fails the test with all that was said.
    async fn follow(&self, page: &'static str) {
        let blocks = blocks(page);
        assert!(blocks.len() > 3, "{blocks:?}");
        for block in blocks {
            let said = self.bash(&block).await;
            println!("{block}{said}");
        }
    }

    /// What a script says; it has to end well.
    pub async fn bash(&self, script: &str) -> String {
        let mut command = Command::new("bash");
        // errexit does not see a failing `! command`: every such line must hold by itself.
        let script = script.lines().map(|line| match line.strip_prefix("! ") {
            Some(refused) => format!("if {refused}; then exit 1; fi\n"),
            None => format!("{line}\n"),
        });
        command.args(["-euo", "pipefail", "-c", &script.collect::<String>()]).current_dir(&self.folder);
        command.env("KUBECONFIG", self.control_plane.kubeconfig()).env("HOME", &self.folder).stdin(Stdio::null());
        let agent = testbed::binaries::hook_agent().parent().expect("a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(agent).chain(std::env::split_paths(&path)));
        command.env("PATH", path.expect("a PATH"));
        let text = command.get_args().last().expect("the script").to_string_lossy().into_owned();
        let ran = tokio::task::spawn_blocking(move || command.output());
        let output = tokio::time::timeout(PAGE_TIMEOUT, ran).await.expect("it ends in time").expect("it ran");
        let output = output.expect("bash can be run");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}: {}\n{said}", output.status);
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_install_page_can_be_followed() {
    let Some(reader) = Reader::start("install").await else { return };
    reader.follow(include_str!("../../../docs/install.md")).await;
    // All that it put there is gone again, and Velero's namespace is not.
    let left = reader.bash("kubectl get all,roles,rolebindings,configmaps -n velero -l app.kubernetes.io/part-of=velero-snapshot-groups -o name").await;
    assert!(!left.contains("snapshot"), "{left}");
    reader.bash("kubectl get namespace velero shop").await;
}

/// What the original's install left in a cluster (its manifests, cut down to what the page touches).
const ORIGINAL: &str = "
kubectl -n velero create serviceaccount velero-scheduler
kubectl create clusterrole velero-scheduler --verb=get,list --resource=pods
kubectl create clusterrolebinding velero-scheduler --clusterrole=velero-scheduler --serviceaccount=velero:velero-scheduler
kubectl -n velero create deployment velero-scheduler --image=python:3.9-slim
kubectl -n velero create cronjob velero-snapshot-coordinator --image=bitnami/kubectl --schedule='* * * * *'
kubectl -n velero create configmap velero-filebeat-config --from-literal=filebeat.yml=none
kubectl apply -f - <<'EOF'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: velero-filebeat, namespace: velero}
spec:
  selector: {matchLabels: {app: velero-filebeat}}
  template:
    metadata: {labels: {app: velero-filebeat}}
    spec: {containers: [{name: filebeat, image: docker.elastic.co/beats/filebeat:7.17.0}]}
EOF
kubectl -n velero create job velero-pod-annotator-0a1b2c3d --image=bitnami/kubectl
kubectl -n velero create configmap velero-scheduler-code --from-literal=scheduler.py=pass
kubectl -n velero create configmap velero-backup-hooks --from-literal=pre-backup-hook.sh=true
kubectl -n velero create configmap snapshot-wait-group-0a1b2c3d-shop-db-0 --from-literal=status=waiting
kubectl -n velero create configmap snapshot-proceed-group-0a1b2c3d --from-literal=status=wait
kubectl -n velero create secret generic aws-credentials --from-literal=access-key=none
kubectl apply -f - <<'EOF'
apiVersion: velero.io/v1
kind: Schedule
metadata: {name: auto-shop-db, namespace: velero, labels: {created-by: velero-scheduler, snapshot-group: group-0a1b2c3d}}
spec: {schedule: 0 0 * * *, template: {includedNamespaces: [shop], ttl: 168h}}
---
apiVersion: velero.io/v1
kind: Schedule
metadata: {name: of-somebody-else, namespace: velero}
spec: {schedule: 0 3 * * *, template: {includedNamespaces: [shop]}}
EOF
";

#[tokio::test(flavor = "multi_thread")]
async fn the_upgrade_page_can_be_followed() {
    let Some(reader) = Reader::start("upgrade").await else { return };
    reader.bash(ORIGINAL).await;
    reader.follow(include_str!("../../../docs/upgrade.md")).await;
    let left = reader.bash("kubectl -n velero get deploy,daemonset,cronjob,job,configmap,secret,sa,schedules.velero.io -o name; kubectl get clusterroles,clusterrolebindings -o name").await;
    for gone in [
        "velero-scheduler",
        "velero-backup-hooks",
        "velero-pod-annotator",
        "snapshot-wait",
        "snapshot-proceed",
        "auto-shop-db",
        "aws-credentials",
        "velero-filebeat",
    ] {
        assert!(!left.contains(gone), "{gone} is left: {left}");
    }
    // What runs is the reader's image, not the placeholder of our overlays.
    let image = reader.bash("kubectl -n velero get deployment snapshot-coordinator -o jsonpath='{..image}'").await;
    assert!(image.starts_with("registry.example.com/backup/coordinator:"), "{image}");
    for kept in ["of-somebody-else", "deployment.apps/snapshot-coordinator"] {
        assert!(left.contains(kept), "{kept} is gone: {left}");
    }
}

#[test]
fn blocks_are_taken_as_they_stand() {
    let page = "a\n```sh\none\ntwo\n```\n```text\nnot\n```\n```sh\nthree\n```\n";
    assert_eq!(blocks(page), ["one\ntwo\n", "three\n"]);
}
