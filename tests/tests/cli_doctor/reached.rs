//! Metrics through the API server's proxy, and what its authorizer says of rights.

use serde_json::{Value, json};

use super::canned::{Canned, Reviews, Said};
use super::gathering::{DEPLOYMENTS, PODS, SCHEDULES, look, velero};

const OURS: &str = "/api/v1/namespaces/velero/services/snapshot-coordinator:http/proxy/metrics";
const CHART_S: &str = "/api/v1/namespaces/velero/services/velero:http-monitoring/proxy/metrics";
const KUSTOMIZE_S: &str = "/api/v1/namespaces/velero/services/velero-metrics:metrics/proxy/metrics";

fn coordinator() -> Value {
    json!({"metadata": {"name": "snapshot-coordinator", "namespace": "velero"},
        "spec": {"template": {"spec": {"containers": [{"name": "coordinator", "image": "x/coordinator:0.1.0"}]}}}})
}

fn installed() -> Said {
    Said::default().list(DEPLOYMENTS, &[velero(), coordinator()])
}

/// Findings of metrics or of rights, as `check subject`.
async fn found(said: Said) -> Vec<String> {
    let server = Canned::start(said).await;
    let ended = look(&server).await;
    let of = [
        "claims-not-labelled",
        "metrics-unreachable",
        "metrics-not-asked",
        "no-role-binding",
        "right-missing",
        "rights-unknown",
        "rights-not-asked",
    ];
    let findings = ended.findings();
    let named = |it: &Value| {
        format!("{} {}", it["check"].as_str().unwrap_or_default(), it["subject"].as_str().unwrap_or_default())
    };
    let mut named: Vec<_> =
        findings.iter().filter(|it| of.iter().any(|check| it["check"] == *check)).map(named).collect();
    named.sort();
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_both_are_asked_for_where_either_install_puts_them() {
    assert!(found(installed().answer(OURS, 200, "x 1").answer(CHART_S, 200, "y 1")).await.is_empty());
    assert!(found(installed().answer(OURS, 200, "x 1").answer(KUSTOMIZE_S, 200, "y 1")).await.is_empty());
    assert_eq!(found(installed().answer(OURS, 200, "x 1")).await, ["metrics-unreachable Service velero/velero"]);
    assert_eq!(
        found(installed().refuses(OURS, 503, "ServiceUnavailable").refuses(CHART_S, 403, "Forbidden")).await,
        ["metrics-not-asked Service velero/velero", "metrics-unreachable Service velero/snapshot-coordinator"]
    );
    assert!(found(Said::default()).await.is_empty(), "nobody is there whose metrics could be asked for");
}

fn with_a_pod() -> Said {
    let pod = json!({"metadata": {"name": "db-0", "namespace": "shop", "labels": {"velero.io/snapshot-group": "group-1"}},
        "spec": {"serviceAccountName": "db", "containers": [{"name": "db", "image": "postgres:17"}]}, "status": {"phase": "Running"}});
    installed().list(PODS, &[pod]).answer(OURS, 200, "x 1").answer(CHART_S, 200, "y 1")
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_told_of_whom_they_concern() {
    for (reviews, findings) in [
        (Reviews::Allow, &[][..]),
        (Reviews::NoPatchForAgents, &["no-role-binding ServiceAccount shop/db"]),
        (Reviews::ToGroups, &[]),
        (
            Reviews::OfOneselfOnly,
            &["right-missing ServiceAccount velero/snapshot-coordinator", "rights-not-asked rights"],
        ),
        (Reviews::OfSomebody, &["rights-unknown rights"]),
        (Reviews::Broken, &["rights-unknown rights"]),
    ] {
        assert_eq!(found(Said { reviews, ..with_a_pod() }).await, findings, "{reviews:?}");
    }
}

/// What is advised is what `components/workload-access` gives, bound to the account that lacks it.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_and_its_binding_are_the_component_s() {
    let server = Canned::start(Said { reviews: Reviews::NoPatchForAgents, ..with_a_pod() }).await;
    let found = look(&server).await.findings().into_iter().find(|it| it["check"] == "no-role-binding");
    let found = found.expect("agents may not patch");
    let advice: Vec<Value> = serde_saphyr::from_multiple(found["fix"].as_str().expect("YAML")).expect("YAML");
    let [role, bound] = advice.as_slice() else { panic!("{advice:?}") };
    let component = include_str!("../../../manifests/components/workload-access/hook-agent-register.yaml");
    let component: Value = serde_saphyr::from_str(component).expect("a Role");
    assert_eq!((&role["rules"], &role["metadata"]["name"]), (&component["rules"], &component["metadata"]["name"]));
    assert_eq!((&role["metadata"]["namespace"], &bound["metadata"]["namespace"]), (&json!("shop"), &json!("shop")));
    assert_eq!((&bound["roleRef"]["kind"], &bound["roleRef"]["name"]), (&json!("Role"), &role["metadata"]["name"]));
    assert_eq!(bound["subjects"], json!([{"kind": "ServiceAccount", "name": "db", "namespace": "shop"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_are_too_many_to_ask_about_are_said() {
    let pod = |n: usize| {
        json!({"metadata": {"name": "db-0", "namespace": format!("n{n}"), "labels": {"velero.io/snapshot-group": "group-1"}},
            "spec": {"containers": [{"name": "db", "image": "postgres:17"}]}, "status": {"phase": "Running"}})
    };
    let pods: Vec<Value> = (0..201).map(pod).collect();
    let said = Said::default().list(DEPLOYMENTS, &[velero()]).list(PODS, &pods).answer(CHART_S, 200, "y 1");
    assert_eq!(found(said).await, ["rights-not-asked rights"]);
}

/// Only where a Schedule of this product rests on native snapshots is the right needed, and asked about.
#[tokio::test(flavor = "multi_thread")]
async fn claims_that_cannot_be_labelled_are_told_where_snapshots_are_native() {
    let schedule = |namespace: &str, key: Option<&str>, manager: &str| {
        json!({"metadata": {"name": format!("auto-{namespace}"), "namespace": "velero", "labels": {"app.kubernetes.io/managed-by": manager,
                "snapshot-group.velero.io/namespace": namespace, "velero.io/snapshot-group": "group-1"}},
            "spec": {"schedule": "0 1 * * *", "template": {"volumeGroupSnapshotLabelKey": key}}})
    };
    let (ours, key) = ("snapshot-scheduler", Some("velero.io/snapshot-group"));
    let schedules = [schedule("shop", key, ours), schedule("csi", None, ours), schedule("others", key, "somebody")];
    let said = with_a_pod().list(SCHEDULES, &schedules);
    assert!(found(said.clone()).await.is_empty());
    assert_eq!(
        found(Said { reviews: Reviews::NoPatchOfClaims, ..said }).await,
        ["claims-not-labelled ServiceAccount velero/snapshot-coordinator"]
    );
}
