//! What is installed: a control plane with an overlay applied, and an enrolled namespace with a workload.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use testbed::control_plane::ControlPlane;
use testbed::kubectl;

/// The longest that any condition is waited for: far more than each takes, so that a slow machine fails no test.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at the API server.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where the overlays put the coordinator.
pub const SYSTEM: &str = "velero";

/// The namespace that `overlays/workload-example` enrols, and its pods' ServiceAccount.
pub const SHOP: &str = "shop";
/// See [`SHOP`].
pub const SHOP_ACCOUNT: &str = "db";

/// A cluster with the product in it.
pub struct Installed {
    pub control_plane: ControlPlane,
    pub client: Client,
    pub folder: PathBuf,
}

impl Drop for Installed {
    fn drop(&mut self) {
        // Left behind it is a few small files in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Installed {
    /// Applies `overlay` and the example's access for a workload. `None` where kubectl or the control plane cannot be had;
    /// that was said.
    pub async fn start(overlay: &str) -> Option<Self> {
        if !kubectl::is_there("the manifests' tests") {
            return None;
        }
        let control_plane = ControlPlane::own().await?;
        let folder = std::env::temp_dir().join(format!("testbed-manifests-{}-{overlay}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let client = control_plane.client().await;
        let installed = Self { control_plane, client, folder };
        installed.enforce_restricted().await;
        testbed::velero::cluster::prepare(&installed.client).await.expect("a prepared cluster");
        installed.make_shop().await;
        let kubeconfig = installed.control_plane.kubeconfig();
        kubectl::apply(&kubeconfig, &installed.folder, overlay).await;
        kubectl::apply(&kubeconfig, &installed.folder, "workload-example").await;
        // The authorizer learns of roles by a watch. The last right that was applied being known, all are.
        let last = ResourceAttributes {
            namespace: Some(SHOP.to_owned()),
            resource: Some("pods".to_owned()),
            verb: Some("get".to_owned()),
            ..ResourceAttributes::default()
        };
        installed.until_allowed(&account(SHOP, SHOP_ACCOUNT), &last, true).await;
        Some(installed)
    }

    /// Velero's namespace refuses pods that Pod Security's strictest level refuses.
    async fn enforce_restricted(&self) {
        let patch = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.patch(SYSTEM, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("labelled");
    }

    async fn make_shop(&self) {
        let post = PostParams::default();
        let namespace = serde_json::from_value(json!({"metadata": {"name": SHOP}})).expect("a namespace");
        Api::<Namespace>::all(self.client.clone()).create(&post, &namespace).await.expect("created");
        let account = serde_json::from_value(json!({"metadata": {"name": SHOP_ACCOUNT}})).expect("an account");
        Api::<ServiceAccount>::namespaced(self.client.clone(), SHOP).create(&post, &account).await.expect("created");
    }

    /// Waits until the API server's authorizer answers as expected: it follows the roles at a little distance.
    pub async fn until_allowed(&self, user: &str, what: &ResourceAttributes, expected: bool) {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(user.to_owned()),
                resource_attributes: Some(what.clone()),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = reviews.create(&PostParams::default(), &review).await.expect("an answer").status;
            let SubjectAccessReviewStatus { allowed, .. } = answer.expect("a status");
            if allowed == expected {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{user} {what:?}: allowed is {allowed}, for {PATIENCE:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Writes a file of this test.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, text).expect("the folder can be written");
        path
    }
}

/// How RBAC names a ServiceAccount.
pub fn account(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}
