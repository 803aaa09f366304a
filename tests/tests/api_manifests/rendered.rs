//! Are the rendered files what kustomize makes of the overlays, and do they ask for nothing that nobody should have?

use std::collections::BTreeSet;

use testbed::kubectl;

pub const OVERLAYS: [&str; 6] = ["default", "dry-run", "eks", "enrolled-namespaces", "minimal", "workload-example"];

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

#[test]
fn the_version_is_this_ones() {
    let version = env!("CARGO_PKG_VERSION");
    let text = kept("default");
    assert!(text.contains(&format!("app.kubernetes.io/version: {version}\n")), "label: {version} is not in it");
    assert!(text.contains(&format!("/coordinator:{version}\n")), "image: {version} is not in it");
}
