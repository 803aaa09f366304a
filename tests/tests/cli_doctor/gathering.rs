//! What is gathered from an API server: kinds that cannot be had, pages, objects that are none.

use serde_json::{Value, json};

use super::Ended;
use super::canned::{Canned, Said};

pub const PODS: &str = "/api/v1/pods";
pub const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
const OWN_DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/velero/deployments";
const SETS: &str = "/apis/apps/v1/statefulsets";
const CLAIMS: &str = "/api/v1/persistentvolumeclaims";
pub const SCHEDULES: &str = "/apis/velero.io/v1/namespaces/velero/schedules";
const CLASSES: &str = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

pub fn velero() -> Value {
    json!({"metadata": {"name": "velero", "namespace": "velero"}, "spec": {"template": {"spec": {"containers": [
        {"name": "velero", "image": "velero/velero:v1.18.3", "args": ["server", "--features=EnableCSI"]}]}}}})
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "labels": {"velero.io/snapshot-group": "group-1"}},
        "spec": {"containers": [{"name": "db", "image": "postgres:17"}]}, "status": {"phase": "Running"}})
}

pub async fn look(server: &Canned) -> Ended {
    let kubeconfig = server.kubeconfig().to_str().expect("a path of ASCII").to_owned();
    let looked = tokio::task::spawn_blocking(move || super::doctor(&["--kubeconfig", &kubeconfig, "-o", "json"], ""));
    looked.await.expect("it ends")
}

/// The findings that say what could not be had, as `check subject`.
fn not_had(ended: &Ended) -> Vec<String> {
    let of =
        ["not-allowed-to-look", "not-looked-at", "kind-absent", "velero-absent", "snapshot-kinds-absent", "unreadable"];
    let findings = ended.findings();
    let mut named: Vec<_> = findings
        .iter()
        .map(|it| (it["check"].as_str().unwrap_or_default(), it["subject"].as_str().unwrap_or_default()))
        .filter(|(check, _)| of.contains(check))
        .map(|(check, subject)| format!("{check} {subject}"))
        .collect();
    named.sort();
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_in_which_a_kind_cannot_be_had_is_its_own_finding() {
    let page = |path: &str| format!("{path}?limit=500");
    let said = Said::default()
        .refuses(&page(PODS), 403, "Forbidden")
        .refuses(&page(SETS), 404, "NotFound")
        .answer(&page(CLAIMS), 200, "<html>a login page</html>")
        .refuses(&page(SCHEDULES), 404, "NotFound")
        .refuses(&page(CLASSES), 404, "NotFound")
        .list(DEPLOYMENTS, &[velero()]);
    let server = Canned::start(said).await;
    let ended = look(&server).await;
    assert_eq!(
        not_had(&ended),
        [
            "kind-absent statefulsets.apps",
            "not-allowed-to-look pods",
            "not-looked-at persistentvolumeclaims",
            "snapshot-kinds-absent volumesnapshotclasses.snapshot.storage.k8s.io",
            "velero-absent schedules.velero.io",
        ]
    );
    assert_eq!(ended.code, Some(11));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_every_kind_is_there_has_nothing_of_the_sort() {
    let server = Canned::start(Said::default().list(DEPLOYMENTS, &[velero()])).await;
    let ended = look(&server).await;
    assert!(not_had(&ended).is_empty(), "{}", ended.stdout);
}

/// The coordinator's own account may list Deployments beside Velero only.
#[tokio::test(flavor = "multi_thread")]
async fn deployments_of_velero_s_namespace_will_do() {
    let refused = Said::default().refuses(&format!("{DEPLOYMENTS}?limit=500"), 403, "Forbidden");
    let server = Canned::start(refused.clone().list(OWN_DEPLOYMENTS, &[velero()])).await;
    let ended = look(&server).await;
    assert!(
        not_had(&ended).is_empty() && !ended.checks().contains(&"velero-server-absent".to_owned()),
        "{}",
        ended.stdout
    );
    let neither = Canned::start(refused.refuses(&format!("{OWN_DEPLOYMENTS}?limit=500"), 403, "Forbidden")).await;
    let ended = look(&neither).await;
    assert_eq!(not_had(&ended), ["not-allowed-to-look deployments.apps"]);
    assert!(!ended.checks().contains(&"velero-server-absent".to_owned()), "what nobody saw is not absent");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_read_and_what_is_no_pod_is_said() {
    let said = Said::default()
        .page(
            &format!("{PODS}?limit=500"),
            &[pod("db-0"), json!({"metadata": {"name": "odd"}, "spec": {"containers": 3}})],
            Some("abc"),
        )
        .page(&format!("{PODS}?limit=500&continue=abc"), &[pod("db-1")], None);
    let server = Canned::start(said).await;
    let ended = look(&server).await;
    let asked = server.asked();
    assert!(asked.contains(&format!("{PODS}?limit=500&continue=abc")), "{asked:?}");
    let without_agent = ended.findings().iter().filter(|it| it["check"] == "agent-missing").count();
    assert_eq!((without_agent, not_had(&ended).len()), (2, 1), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nothing_is_one_error_and_no_findings() {
    let kinds = [PODS, CLAIMS, "/api/v1/persistentvolumes", SETS, DEPLOYMENTS, SCHEDULES, CLASSES, BINDINGS];
    let ill = |said: Said, path: &str| said.refuses(&format!("{path}?limit=500"), 500, "InternalError");
    let server = Canned::start(kinds.into_iter().fold(Said::default(), ill)).await;
    let ended = look(&server).await;
    assert!(
        ended.code == Some(4) && ended.stdout.is_empty() && ended.stderr.contains("InternalError, on purpose"),
        "{:?} {} {}",
        ended.code,
        ended.stdout,
        ended.stderr
    );
}

/// Another install's `kubectl apply -k` took a binding away.
#[tokio::test(flavor = "multi_thread")]
async fn bindings_are_held_against_the_install_where_they_may_be_listed() {
    let coordinator = json!({"metadata": {"name": "snapshot-coordinator", "namespace": "velero"},
        "spec": {"template": {"spec": {"containers": [{"name": "coordinator", "image": "x/coordinator:0.1.0"}]}}}});
    let installed = Said::default().list(DEPLOYMENTS, &[velero(), coordinator]);
    let bound_to = |namespace: &str| {
        json!({"metadata": {"name": "snapshot-coordinator-label-pods"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "snapshot-coordinator-label-pods"},
            "subjects": [{"kind": "ServiceAccount", "name": "snapshot-coordinator", "namespace": namespace}]})
    };
    let elsewhere = async |said: Said| {
        let ended = look(&Canned::start(said).await).await;
        let found = ended.findings().into_iter().find(|it| it["check"] == "bindings-elsewhere");
        (found, not_had(&ended))
    };
    let (found, not_had) = elsewhere(installed.clone().list(BINDINGS, &[bound_to("backup")])).await;
    let found = found.expect("it is bound to another one");
    assert_eq!((&found["severity"], not_had.len()), (&json!("error"), 0), "{found}");
    let fix = found["fix"].as_str().expect("a command");
    let command = "kubectl set subject clusterrolebinding snapshot-coordinator-label-pods --serviceaccount=velero:snapshot-coordinator";
    assert!(fix.starts_with(command), "{fix}");
    assert_eq!(elsewhere(installed.clone().list(BINDINGS, &[bound_to("velero")])).await, (None, vec![]));
    let refused = installed.refuses(&format!("{BINDINGS}?limit=500"), 403, "Forbidden");
    let may_not = vec!["not-allowed-to-look clusterrolebindings.rbac.authorization.k8s.io".to_owned()];
    assert_eq!(elsewhere(refused).await, (None, may_not));
}
