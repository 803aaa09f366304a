//! The same hook against a real kube-apiserver: its own token, TLS and RBAC as in a pod, no kubeconfig.

use std::path::PathBuf;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use shared::admission::{AttemptVerdict, MemberPhase, RoundPhase};
use shared::group_lease::GroupLease;
use shared::identity::{AttemptId, GroupKey};
use shared::member_lease::MemberLease;
use testbed::control_plane::{BoundPod, ControlPlane};

use crate::bed::{GROUP, PATIENCE, POD, group, group_lease_name, path};
use crate::hook::Hook;
use crate::shipped::PEAK_RSS_KIB_MAX;

/// What the README tells users to allow.
const VERBS: [&str; 4] = ["get", "create", "patch", "watch"];

/// A pod in a namespace of its own, with its projected files in a folder.
struct RealBed {
    control_plane: &'static ControlPlane,
    client: kube::Client,
    namespace: String,
    dir: PathBuf,
}

impl Drop for RealBed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the object is of its kind")
}

impl RealBed {
    /// `None` where no control plane can be had; that was said.
    async fn start(test: &str, with_role: bool) -> Option<Self> {
        let control_plane = ControlPlane::shared().await?;
        let namespace = control_plane.namespace(test).await;
        let client = control_plane.client().await;
        let post = PostParams::default();
        let account = read(json!({"metadata": {"name": "db"}}));
        Api::<ServiceAccount>::namespaced(client.clone(), &namespace).create(&post, &account).await.expect("account");
        if with_role {
            let role = read(json!({"metadata": {"name": "hook-agent"}, "rules": [
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": VERBS},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
            ]}));
            Api::<Role>::namespaced(client.clone(), &namespace).create(&post, &role).await.expect("role");
            let binding = read(json!({
                "metadata": {"name": "hook-agent"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hook-agent"},
                "subjects": [{"kind": "ServiceAccount", "name": "db", "namespace": namespace}],
            }));
            Api::<RoleBinding>::namespaced(client.clone(), &namespace).create(&post, &binding).await.expect("binding");
        }
        let pod = read(json!({
            "metadata": {"name": POD, "labels": {"velero.io/snapshot-group": GROUP}},
            "spec": {"serviceAccountName": "db", "containers": [{"name": "db", "image": "none"}]},
        }));
        let pod = Api::<Pod>::namespaced(client.clone(), &namespace).create(&post, &pod).await.expect("pod");
        let uid = pod.metadata.uid.expect("the API server gives uids");
        let token =
            control_plane.token(&namespace, "db", Some(BoundPod { name: POD, uid: &uid })).await.expect("token");
        let dir = std::env::temp_dir().join(format!("agent-on-real-{}-{namespace}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary folder");
        std::fs::write(dir.join("token"), token).expect("written");
        std::fs::copy(control_plane.authority(), dir.join("ca.crt")).expect("copied");
        Some(Self { control_plane, client, namespace, dir })
    }

    /// As in a pod: Kubernetes' variables, token and authority side by side, no labels file.
    fn hook(&self, command: &str) -> Hook {
        self.equip(Hook::new(), command)
    }

    fn equip(&self, hook: Hook, command: &str) -> Hook {
        let (host, port) =
            self.control_plane.url().trim_start_matches("https://").rsplit_once(':').expect("an address with a port");
        hook.arg(command)
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port)
            .env("TOKEN_FILE", path(&self.dir.join("token")))
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn member_that(&self, what: &str, wanted: impl Fn(&MemberLease) -> bool) -> MemberLease {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let lease = self.leases().get_opt(&format!("snapshot-member-{POD}")).await.expect("the admin may read");
            let member = lease.as_ref().and_then(|lease| MemberLease::decode(lease).ok());
            if let Some(member) = member.filter(&wanted) {
                return member;
            }
            assert!(tokio::time::Instant::now() < end, "no member Lease that {what}; it is {lease:?}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn waiting_other_than(&self, not: Option<&AttemptId>) -> AttemptId {
        let waits = |m: &MemberLease| m.phase == MemberPhase::Waiting && Some(&m.attempt) != not;
        self.member_that("waits", waits).await.attempt
    }

    async fn release(&self, epoch: u32, attempt: &AttemptId) {
        let mut lease: GroupLease = group(RoundPhase::Released, epoch, &[(attempt, AttemptVerdict::Admitted)], None);
        lease.key = format!("{}/{GROUP}", self.namespace).parse::<GroupKey>().expect("a key");
        let how = PatchParams::apply("the-test").force();
        self.leases().patch(&group_lease_name(), &how, &Patch::Apply(lease.encode())).await.expect("applied");
    }

    async fn delete_member(&self) {
        let name = format!("snapshot-member-{POD}");
        self.leases().delete(&name, &DeleteParams::default()).await.expect("deleted");
    }
}

#[tokio::test]
async fn released_and_let_go_with_the_pods_own_token() {
    let Some(bed) = RealBed::start("agent-released", true).await else { return };
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "30s").start();
    let attempt = bed.waiting_other_than(None).await;
    bed.release(7, &attempt).await;
    pre.ended().await.check(0, &[&format!("{}/{POD} ({GROUP})", bed.namespace), "released in round 7", ", reported"]);
    let member = bed.member_that("is quiesced", |m| m.phase == MemberPhase::Quiesced).await;
    assert_eq!((member.attempt, member.epoch.map(|e| e.0)), (attempt, Some(7)));
    bed.hook("post").run().await.check(0, &["let go"]);
    bed.member_that("is done", |m| m.phase == MemberPhase::Done).await;

    // What post wrote under another kind of ownership does not shine through the next registration.
    let again = bed.hook("pre").env("HOOK_TIMEOUT", "30s").start();
    let next = bed.waiting_other_than(None).await;
    let member = bed.member_that("waits", |m| m.attempt == next).await;
    assert_eq!((member.thawed_at, member.quiesced_at, member.admission, member.epoch), (None, None, None, None));
    bed.release(8, &next).await;
    again.ended().await.check(0, &["released in round 8"]);
}

#[tokio::test]
async fn without_a_role_it_is_refused_and_says_what_the_server_said() {
    let Some(bed) = RealBed::start("agent-refused", false).await else { return };
    let given = |command: &str| bed.hook(command).env("SNAPSHOT_GROUP", GROUP).env("ON_UNREACHABLE", "fail");
    given("pre").run().await.check(12, &["answered 403", "cannot patch resource", "leases"]);
    given("post").run().await.check(12, &["answered 403", "cannot patch resource"]);
    bed.hook("pre").run().await.check(14, &["answered 403", "pods", "mount labels"]);
}

#[tokio::test]
async fn a_registration_that_was_deleted_is_made_anew() {
    let Some(bed) = RealBed::start("agent-deleted", true).await else { return };
    let pre = bed.hook("pre").env("HOOK_TIMEOUT", "30s").start();
    let one = bed.waiting_other_than(None).await;
    bed.delete_member().await;
    bed.release(7, &one).await;
    pre.says("registers again: its Lease was deleted").await;
    let two = bed.waiting_other_than(Some(&one)).await;
    bed.release(8, &two).await;
    pre.ended().await.check(0, &["released in round 8", ", reported"]);
}

#[tokio::test]
async fn a_registration_that_another_run_made_anew_is_that_runs() {
    let Some(bed) = RealBed::start("agent-remade", true).await else { return };
    let first = bed.hook("pre").env("HOOK_TIMEOUT", "30s").start();
    let one = bed.waiting_other_than(None).await;
    bed.delete_member().await;
    let second = bed.hook("pre").env("HOOK_TIMEOUT", "30s").start();
    let two = bed.waiting_other_than(Some(&one)).await;
    bed.release(7, &one).await;
    first.says("a later run of the hook has taken over").await;
    bed.release(8, &two).await;
    second.ended().await.check(0, &["released in round 8", ", reported"]);
    first.ended().await.check(0, &["got through (quiesced)"]);
}

#[tokio::test]
async fn the_shipped_one_speaks_tls_in_little_memory() {
    let Some(bed) = RealBed::start("agent-shipped", true).await else { return };
    let shipped = testbed::binaries::shipped_hook_agent().unwrap_or_else(|e| panic!("{e}"));
    let of = |command: &str| bed.equip(Hook::of(&shipped), command);
    let pre = of("pre").env("HOOK_TIMEOUT", "30s").start();
    let attempt = bed.waiting_other_than(None).await;
    pre.says("waits: ").await;
    let peak_kib = pre.peak_rss_kib();
    println!("peak resident set while waiting, over TLS: {peak_kib} KiB");
    assert!(peak_kib <= PEAK_RSS_KIB_MAX, "{peak_kib} KiB are more than {PEAK_RSS_KIB_MAX}");
    bed.release(7, &attempt).await;
    pre.ended().await.check(0, &["released in round 7", ", reported"]);
    of("post").run().await.check(0, &["let go"]);
}
