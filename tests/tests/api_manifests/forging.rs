//! May a pod write a Lease that is not its own? Not with the admission policy; without it RBAC lets it.

use std::time::Duration;

use axum::http::Request;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use testbed::control_plane::BoundPod;

use crate::cluster::{Installed, PATIENCE, SHOP, SHOP_ACCOUNT};

const POLICY: &str = "snapshot-groups-own-leases-only";
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";

/// Another namespace, whose pod is called like one of the shop's.
const ELSEWHERE: &str = "default";

/// What the API server said to a write.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    /// The policy refused, in these words.
    Policy(String),
    /// RBAC refused.
    Rbac,
}

/// One way to write a Lease.
#[derive(Clone, Copy, Debug)]
enum Write {
    Create,
    /// As the hook-agent registers.
    Apply,
    /// As the hook-agent changes what it registered.
    Merge,
}

fn lease(name: &str, role: Option<&str>) -> Value {
    let labels = role.map(|role| json!({"snapshot-group.velero.io/role": role}));
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "labels": labels.unwrap_or_else(|| json!({}))},
        "spec": {"holderIdentity": "somebody"},
    })
}

async fn write(client: &Client, how: Write, lease: &Value, dry_run: bool) -> Answer {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{SHOP}/leases");
    let name = lease["metadata"]["name"].as_str().expect("a name");
    let dry = if dry_run { "&dryRun=All" } else { "" };
    let (method, path, content_type) = match how {
        Write::Create => ("POST", format!("{path}?fieldManager=test{dry}"), "application/json"),
        Write::Apply => ("PATCH", format!("{path}/{name}?fieldManager=test&force=true{dry}"), APPLY),
        Write::Merge => ("PATCH", format!("{path}/{name}?fieldManager=test{dry}"), MERGE),
    };
    let request = Request::builder().method(method).uri(path).header("Content-Type", content_type);
    match client.request_text(request.body(lease.to_string().into_bytes()).expect("a request")).await {
        Ok(_) => Answer::Taken,
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains(POLICY) => {
            Answer::Policy(status.message)
        }
        Err(kube::Error::Api(status)) if status.code == 403 => Answer::Rbac,
        Err(error) => panic!("{how:?} {name}: {error}"),
    }
}

/// Writes without effect until the answer is as expected: policies and bindings are followed at a little distance.
async fn until(client: &Client, how: Write, lease: &Value, expected: impl Fn(&Answer) -> bool) -> Answer {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = write(client, how, lease, true).await;
        if expected(&answer) {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "{how:?} {lease}: still {answer:?} after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Installed {
    /// A client with the projected token of a pod.
    async fn as_pod(&self, namespace: &str, pod: &str, account: &str) -> Client {
        let found = Api::<Pod>::namespaced(self.client.clone(), namespace).get(pod).await.expect("the pod");
        let uid = found.uid().expect("a uid");
        let bound = Some(BoundPod { name: pod, uid: &uid });
        let token = self.control_plane.token(namespace, account, bound).await.expect("a token");
        self.control_plane.client_with_token(&token).await
    }

    /// A pod `db-0` in another namespace, whose account may write the shop's Leases as the shop's own may.
    async fn namesake_elsewhere(&self) -> Client {
        let post = PostParams::default();
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": SHOP_ACCOUNT}})).expect("one");
        Api::namespaced(self.client.clone(), ELSEWHERE).create(&post, &account).await.expect("an account");
        let pod = json!({
            "metadata": {"name": "db-0"},
            "spec": {"serviceAccountName": SHOP_ACCOUNT, "containers": [{"name": "db", "image": "none"}]},
        });
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        Api::namespaced(self.client.clone(), ELSEWHERE).create(&post, &pod).await.expect("a pod");
        let binding = json!({
            "metadata": {"name": "wide"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hook-agent-register"},
            "subjects": [{"kind": "ServiceAccount", "name": SHOP_ACCOUNT, "namespace": ELSEWHERE}],
        });
        let binding: RoleBinding = serde_json::from_value(binding).expect("a binding");
        Api::namespaced(self.client.clone(), SHOP).create(&post, &binding).await.expect("bound");
        self.as_pod(ELSEWHERE, "db-0", SHOP_ACCOUNT).await
    }
}

/// Pod `db-1` against its sibling `db-0` and the group; both exist.
pub async fn check(installed: &Installed) {
    let forger = installed.as_pod(SHOP, "db-1", SHOP_ACCOUNT).await;
    let sibling = lease("snapshot-member-db-0", Some("member"));
    let by_policy = |answer: &Answer| matches!(answer, Answer::Policy(_));
    until(&forger, Write::Apply, &sibling, by_policy).await;

    // A sibling's registration, a group's release, and both under other names.
    write(&installed.client, Write::Apply, &sibling, false).await;
    write(&installed.client, Write::Apply, &lease("snapshot-group-taken", Some("group")), false).await;
    for (how, forged) in [
        (Write::Apply, sibling.clone()),
        (Write::Merge, sibling.clone()),
        (
            Write::Merge,
            json!({"metadata": {"name": "snapshot-member-db-0", "labels": {"snapshot-group.velero.io/role": null}}}),
        ),
        (Write::Create, lease("snapshot-member-db-7", Some("member"))),
        (Write::Create, lease("snapshot-member-db-1x", None)),
        (Write::Merge, lease("snapshot-group-taken", Some("group"))),
        (Write::Create, lease("snapshot-group-new", Some("group"))),
        (Write::Apply, lease("snapshot-group-applied", None)),
        (Write::Create, lease("any-name", Some("group"))),
        (Write::Create, lease("snapshot-budget", Some("budget"))),
        (Write::Create, lease("snapshot-limiter", None)),
        (Write::Create, lease("snapshot-coordinator", None)),
    ] {
        match write(&forger, how, &forged, false).await {
            Answer::Policy(said) => {
                assert!(said.contains("pod db-1 may write snapshot-member-db-1 alone"), "{how:?}: {said}");
            }
            other => panic!("{how:?} {forged} was not refused by the policy: {other:?}"),
        }
    }
    // Its own it may write, and what is none of this product's business too.
    let own = lease("snapshot-member-db-1", Some("member"));
    assert_eq!(write(&forger, Write::Apply, &own, false).await, Answer::Taken);
    assert_eq!(write(&forger, Write::Merge, &own, false).await, Answer::Taken);
    assert_eq!(write(&forger, Write::Create, &lease("own-leader-election", None), false).await, Answer::Taken);

    // A token that was given to no pod names none.
    let unbound = installed.control_plane.client_as_service_account(SHOP, SHOP_ACCOUNT).await.expect("a client");
    match write(&unbound, Write::Apply, &own, false).await {
        Answer::Policy(said) => assert!(said.contains("given to no pod; mount the pod's own"), "{said}"),
        other => panic!("an unbound token was not refused by the policy: {other:?}"),
    }
    // A pod of the same name in another namespace is another pod.
    let namesake = installed.namesake_elsewhere().await;
    until(&namesake, Write::Apply, &sibling, by_policy).await;

    // It is the policy that refuses: RBAC alone lets a pod write its sibling's Lease.
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(installed.client.clone());
    let binding = bindings.get(POLICY).await.expect("the binding");
    bindings.delete(POLICY, &DeleteParams::default()).await.expect("deleted");
    until(&forger, Write::Apply, &sibling, |answer| *answer == Answer::Taken).await;
    let again = ValidatingAdmissionPolicyBinding { metadata: named(POLICY), spec: binding.spec };
    bindings.create(&PostParams::default(), &again).await.expect("put back");
    until(&forger, Write::Apply, &sibling, by_policy).await;
}

fn named(name: &str) -> kube::api::ObjectMeta {
    kube::api::ObjectMeta { name: Some(name.to_owned()), ..kube::api::ObjectMeta::default() }
}
