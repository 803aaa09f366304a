//! One pod's surroundings: an embedded API server, the pod's folder, and a coordinator that says what the test says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use shared::admission::{AttemptVerdict, MemberPhase, Mode, RoundPhase};
use shared::group_lease::{AttemptEntry, Epoch, GroupLease, WaitReason};
use shared::identity::{AttemptId, GroupId, GroupKey, Namespace, PodName};
use shared::member_lease::MemberLease;
use shared::names::group_lease;
use shared::time::WallTime;
use testbed::api::{ApiServer, ServerOptions};
use testbed::coordinator_process::within;

use crate::hook::Hook;

/// The longest that any condition is waited for: far more than each takes, so that a slow machine fails no test.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub const NAMESPACE: &str = "prod";
pub const POD: &str = "db-0";
pub const POD_UID: &str = "11111111-2222-3333-4444-555555555555";
pub const GROUP: &str = "group-faef0436";
/// The user that the pod's token belongs to, as the request log names it.
pub const USER: &str = "system:serviceaccount:prod:default";

/// Tells the folders of one process's tests apart.
static BEDS: AtomicU32 = AtomicU32::new(0);

/// A test's surroundings. The folder goes when this is dropped.
pub struct Bed {
    pub api: ApiServer,
    pub dir: PathBuf,
    token: String,
}

impl Bed {
    /// A server with the pod `prod/db-0` of group [`GROUP`], whose token and labels are mounted.
    pub async fn start() -> Self {
        let api = ApiServer::start(ServerOptions::default().with_namespace(NAMESPACE)).await.expect("an API server");
        let name = format!("agent-hooks-{}-{}", std::process::id(), BEDS.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(dir.join("podinfo")).expect("a temporary folder");
        api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": POD, "namespace": NAMESPACE, "uid": POD_UID, "labels": {"velero.io/snapshot-group": GROUP},
            },
            "spec": {"containers": [{"name": "db", "image": "db"}]},
        }))
        .expect("the pod");
        let token = api.token_for_pod(NAMESPACE, "default", POD, POD_UID);
        api.write_kubeconfig(&dir);
        let bed = Self { api, dir, token };
        bed.write("token", &bed.token);
        bed.write("podinfo/labels", &format!("app=\"db\"\nvelero.io/snapshot-group=\"{GROUP}\"\n"));
        bed
    }

    /// Writes a file of the pod's folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.join(name), text).expect("the pod's folder can be written");
    }

    /// Takes a file of the pod's folder away.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.dir.join(name)).expect("the file was there");
    }

    /// A path in the pod's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A hook with this pod's environment, not started yet. Velero's timeout is 20 s unless the test says otherwise.
    pub fn hook(&self, command: &str) -> Hook {
        self.equip(Hook::new(), command)
    }

    /// The same for a hook of another build.
    pub fn equip(&self, hook: Hook, command: &str) -> Hook {
        let hook = hook
            .arg(command)
            .env("KUBECONFIG", path(&self.dir.join("kubeconfig")))
            .env("PODINFO_DIR", path(&self.dir.join("podinfo")))
            .env("TOKEN_FILE", path(&self.dir.join("token")))
            .env("STATE_DIR", path(&self.dir))
            .env("ALARM_FILE", path(&self.dir.join("alarm")));
        if command != "pre" {
            return hook;
        }
        // No application runs in this pod, and somebody has to say so: the pod's annotations, or else we.
        let annotated = self.dir.join("podinfo/annotations").exists();
        let hook = hook.env("HOOK_TIMEOUT", "20s");
        if annotated { hook } else { hook.env("QUIESCE", "none") }
    }

    /// What the pod's member Lease says now; `None` while there is none or it is nonsense.
    pub fn member(&self) -> Option<MemberLease> {
        MemberLease::decode(&self.member_object()?).ok()
    }

    /// The member Lease as it is stored.
    pub fn member_object(&self) -> Option<k8s_openapi::api::coordination::v1::Lease> {
        let stored = self.api.get("coordination.k8s.io/v1", "Lease", NAMESPACE, &format!("snapshot-member-{POD}"))?;
        Some(serde_json::from_value(stored.value.clone()).expect("a Lease is stored as a Lease"))
    }

    /// Waits until the pod's member Lease is as wanted.
    pub async fn member_that(&self, what: &str, wanted: impl Fn(&MemberLease) -> bool) -> MemberLease {
        let found = eventually(|| self.member().filter(&wanted)).await;
        found.unwrap_or_else(|| panic!("no member Lease that {what}; it is {:?}", self.member()))
    }

    /// Waits until an attempt waits; gives its id.
    pub async fn waiting(&self) -> AttemptId {
        self.member_that("waits", |m| m.phase == MemberPhase::Waiting).await.attempt
    }

    /// Waits until an attempt other than `not` waits; gives its id.
    pub async fn waiting_other_than(&self, not: &AttemptId) -> AttemptId {
        self.member_that("waits as another attempt", |m| m.phase == MemberPhase::Waiting && m.attempt != *not)
            .await
            .attempt
    }

    /// Writes the group Lease as a coordinator does.
    pub fn say(&self, lease: &GroupLease) {
        let mut object = serde_json::to_value(lease.encode()).expect("a Lease has a JSON form");
        object["apiVersion"] = "coordination.k8s.io/v1".into();
        object["kind"] = "Lease".into();
        self.api.put(object).expect("the group Lease is valid");
    }

    /// Admits these attempts in round `epoch`.
    pub fn release(&self, epoch: u32, attempts: &[&AttemptId]) {
        let admitted: Vec<_> = attempts.iter().map(|a| (*a, AttemptVerdict::Admitted)).collect();
        self.say(&group(RoundPhase::Released, epoch, &admitted, None));
    }

    /// Says that an attempt waits, and why.
    pub fn say_waits(&self, attempt: &AttemptId, wait: Option<WaitReason>) {
        self.say(&group(RoundPhase::Waiting, 6, &[(attempt, AttemptVerdict::Waiting)], wait));
    }

    /// Deletes the group Lease.
    pub fn delete_group_lease(&self) {
        assert!(
            self.api.delete("coordination.k8s.io/v1", "Lease", NAMESPACE, &group_lease_name()).expect("deletable"),
            "there was no group Lease"
        );
    }

    /// Writes any object as it stands.
    pub fn put(&self, object: Value) {
        self.api.put(object).expect("the object is valid");
    }

    /// What the pod's token asked for, as `verb resource`, oldest first.
    pub fn asked(&self) -> Vec<String> {
        let ours = self.api.requests().into_iter().filter(|r| r.user == USER);
        ours.map(|r| format!("{} {}", r.verb, r.resource)).collect()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A path as text.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}

/// The group Lease's name.
pub fn group_lease_name() -> String {
    group_lease(&GroupId::new(GROUP).expect("a group")).to_string()
}

/// A group Lease.
pub fn group(
    phase: RoundPhase,
    epoch: u32,
    attempts: &[(&AttemptId, AttemptVerdict)],
    wait: Option<WaitReason>,
) -> GroupLease {
    let pod = PodName::new(POD).expect("a pod's name");
    let entry = |verdict: AttemptVerdict| AttemptEntry::new(pod.clone(), verdict);
    GroupLease {
        key: GroupKey {
            namespace: Namespace::new(NAMESPACE).expect("a namespace"),
            group: GroupId::new(GROUP).expect("a group"),
        },
        epoch: Epoch(epoch),
        phase,
        mode: Mode::ArriveAndGo,
        degraded: false,
        call: None,
        attempts: attempts.iter().map(|(id, verdict)| ((*id).clone(), entry(*verdict))).collect::<BTreeMap<_, _>>(),
        weight: 3,
        wait,
        backup: None,
        writer: "the-test".to_owned(),
        opened_at: WallTime::EPOCH,
        renewed_at: WallTime::EPOCH,
        round_duration_s: 600,
        receipt: None,
    }
}

/// Looks again and again until there is something, for [`PATIENCE`] at most.
pub async fn eventually<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    within(PATIENCE, Duration::from_millis(2), look).await
}
