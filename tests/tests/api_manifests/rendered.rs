//! Are the rendered files what kustomize makes of the overlays, and do they ask for nothing that nobody should have?

use std::collections::BTreeSet;

use serde_json::Value;
use testbed::kubectl;

use crate::overlays::relative;

pub const OVERLAYS: [&str; 6] = ["default", "dry-run", "eks", "enrolled-namespaces", "minimal", "workload-example"];

/// A namespace that Velero may be in as well.
pub const ELSEWHERE: &str = "backup";

fn kept(overlay: &str) -> String {
    let path = kubectl::manifests().join("rendered").join(format!("{overlay}.yaml"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn documents(text: &str) -> BTreeSet<&str> {
    text.split("\n---\n").map(str::trim).collect()
}

#[test]
fn rendered_files_are_current() {
    if !kubectl::is_there("the manifests' tests") {
        return;
    }
    for overlay in OVERLAYS {
        let renew = format!("kubectl kustomize manifests/overlays/{overlay} > manifests/rendered/{overlay}.yaml");
        assert!(kubectl::render(overlay) == kept(overlay), "rendered/{overlay}.yaml is not current: {renew}");
    }
}

#[test]
fn every_overlay_is_kept_rendered() {
    let folders = std::fs::read_dir(kubectl::manifests().join("overlays")).expect("overlays");
    let names: BTreeSet<String> =
        folders.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names, OVERLAYS.map(str::to_owned).into());
}

#[test]
fn nobody_gets_wildcards_secrets_or_exec() {
    for overlay in OVERLAYS {
        let text = kept(overlay);
        for document in documents(&text) {
            let is_role = document.contains("\nkind: Role\n") || document.contains("\nkind: ClusterRole\n");
            for forbidden in ["*", "secrets", "pods/exec", "escalate", "impersonate", "bind\n", "nodes", "token"] {
                assert!(!is_role || !document.contains(forbidden), "{overlay}: {forbidden} in\n{document}");
            }
        }
    }
}

/// The default overlay is the other one, bound in every namespace, and with the scheduler: no other right is there that the other does not know.
#[test]
fn the_default_overlay_adds_three_bindings_and_the_scheduler_and_nothing_else() {
    let (default, enrolled) = (kept("default"), kept("enrolled-namespaces"));
    let is_rights = |document: &&&str| {
        ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]
            .iter()
            .any(|kind| document.contains(&format!("\nkind: {kind}\n")))
    };
    let (default, enrolled) = (documents(&default), documents(&enrolled));
    assert_eq!(enrolled.difference(&default).filter(is_rights).count(), 0);
    let added: Vec<&str> = default.difference(&enrolled).filter(is_rights).copied().collect();
    let (schedules, bindings): (Vec<&str>, Vec<&str>) =
        added.iter().partition(|document| document.contains("snapshot-coordinator-write-schedules"));
    assert_eq!((schedules.len(), bindings.len()), (2, 3), "{added:#?}");
    assert!(bindings.iter().all(|document| document.contains("kind: ClusterRoleBinding")), "{added:#?}");
}

/// An overlay with another `namespace:`, for a Velero that is elsewhere: whoever is bound is bound there.
#[test]
fn another_namespace_is_followed_by_every_subject() {
    if !kubectl::is_there("the manifests' tests") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("testbed-elsewhere-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let folder = folder.canonicalize().expect("it is there");
    let to = |part: &str| relative(&folder, &kubectl::manifests().join(part).canonicalize().expect(part));
    let lists = format!("resources: [{}]\ncomponents: [{}]\n", to("overlays/eks"), to("components/native-snapshots"));
    std::fs::write(folder.join("kustomization.yaml"), format!("namespace: {ELSEWHERE}\n{lists}")).expect("written");
    let text = kubectl::kustomize(&folder);
    std::fs::remove_dir_all(&folder).expect("removed");
    let mut bound = 0;
    for document in documents(&text) {
        let object: Value = serde_saphyr::from_str(document).expect("an object");
        for subject in object["subjects"].as_array().into_iter().flatten() {
            assert_eq!(subject["namespace"], ELSEWHERE, "{document}");
            bound += 1;
        }
        assert_ne!(object["metadata"]["namespace"], "velero", "{document}");
    }
    assert!(bound > 12, "{text}");
}

/// A drain waits for a budget that no pod can be taken from: also where an overlay has one replica.
#[test]
fn one_replica_keeps_no_node_from_being_drained() {
    for overlay in OVERLAYS {
        let text = kept(overlay);
        for document in documents(&text).into_iter().filter(|it| it.contains("\nkind: PodDisruptionBudget\n")) {
            assert!(document.contains("\n  maxUnavailable: 1\n") && !document.contains("minAvailable"), "{document}");
        }
    }
}

#[test]
fn the_version_is_this_ones() {
    let version = env!("CARGO_PKG_VERSION");
    let text = kept("default");
    assert!(text.contains(&format!("app.kubernetes.io/version: {version}\n")), "label: {version} is not in it");
    assert!(text.contains(&format!("/coordinator:{version}\n")), "image: {version} is not in it");
}
