//! Native snapshots: the right of `components/native-snapshots` is needed to label claims, and is enough.

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use testbed::kubectl::{self, manifests};

use crate::cluster::{Installed, PATIENCE, SYSTEM, account, text};
use crate::needed::{put_back, take};
use crate::programs::{says_nothing_of_403, stop};

/// A namespace that nothing was said about.
const NAMESPACE: &str = "bank";

/// Adds the component to the overlay `default`, as a user's own overlay does.
async fn add(installed: &Installed) {
    let folder = installed.folder.canonicalize().expect("it is there").join("native");
    std::fs::create_dir_all(&folder).expect("a folder");
    let to = |part: &str| {
        let up = folder.components().skip(1).map(|_| "../").collect::<String>();
        format!("{up}{}", text(&manifests().join(part).canonicalize().expect(part)).trim_start_matches('/'))
    };
    let (overlay, component) = (to("overlays/default"), to("components/native-snapshots"));
    let kustomization = format!("resources: [{overlay}]\ncomponents: [{component}]\n");
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("written");
    let kubeconfig = installed.control_plane.kubeconfig();
    let said =
        kubectl::say_to(&kubeconfig, &installed.folder, &["--warnings-as-errors", "apply", "-k", text(&folder)]).await;
    assert!(said.worked, "{}", said.text);
}

/// Adds the component, and tries it without its rule and with it.
pub async fn check(installed: &Installed) {
    add(installed).await;
    let label_claims = ResourceAttributes {
        namespace: Some(NAMESPACE.to_owned()),
        resource: Some("persistentvolumeclaims".to_owned()),
        verb: Some("patch".to_owned()),
        ..ResourceAttributes::default()
    };
    let list_schedules = ResourceAttributes {
        namespace: Some(SYSTEM.to_owned()),
        group: Some("velero.io".to_owned()),
        resource: Some("schedules".to_owned()),
        verb: Some("list".to_owned()),
        ..ResourceAttributes::default()
    };
    for right in [label_claims, list_schedules] {
        installed.until_allowed(&account(SYSTEM, "snapshot-coordinator"), &right, true).await;
    }
    installed.workload_in(NAMESPACE, "db").await;

    let taken = take(installed, "snapshot-coordinator-label-claims", 0).await;
    let coordinator = installed.coordinator().await;
    let refused = |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.contains("(403)") && m.contains("may not patch persistentvolumeclaims"))
    };
    coordinator.line("claim_label_failed", PATIENCE, refused).await;
    stop(coordinator).await;
    put_back(installed, taken).await;

    let coordinator = installed.coordinator().await;
    coordinator
        .line("claim_labelled", PATIENCE, |line| line["claim"] == "data-db-0" && line["namespace"] == NAMESPACE)
        .await;
    says_nothing_of_403(&coordinator);
    stop(coordinator).await;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(installed.client.clone(), NAMESPACE);
    let claim = claims.get("data-db-0").await.expect("the claim");
    let label = claim.labels().get("velero.io/snapshot-group").expect("the group's label");
    assert_eq!(claim.annotations().get("snapshot-group.velero.io/labelled-as"), Some(label));
}
