//! What does a coordinator's test stand on? An embedded API server, coordinators that use it, and members that register by hand.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use shared::admission::{Admission, AttemptVerdict, MemberPhase};
use shared::budget_lease::BudgetLease;
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::{AttemptId, GroupId, GroupKey, Namespace, Nonce, PodName, PodUid};
use shared::member_lease::MemberLease;
use shared::names::{BUDGET_LEASE, FIELD_MANAGER_AGENT, LABEL_SNAPSHOT_GROUP, group_lease};
use shared::time::WallTime;

use crate::api::{ApiServer, ServerOptions};
use crate::coordinator_process::CoordinatorProcess;
use crate::velero::cluster::{Made, MadePod, Workload, create, prepare};
use crate::velero::schedule::schedules;

/// How long a member that was registered here waits before it would go on by itself, s.
const MEMBER_DEADLINE_S: i64 = 600;

/// An API server with a folder for kubeconfigs.
#[derive(Debug)]
pub struct CoordinatorBed {
    /// The server.
    pub server: ApiServer,
    folder: PathBuf,
}

impl CoordinatorBed {
    /// A server as set up by `options`, with what every cluster has.
    pub async fn start(options: ServerOptions) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = ApiServer::start(options).await?;
        prepare(&server.client()).await?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("testbed-coordinator-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self { server, folder })
    }

    /// A kubeconfig for a user of this name, so that faults can strike it alone.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        let dir = self.folder.join(user);
        std::fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("making {}: {e}", dir.display()));
        self.server.write_kubeconfig_for(&dir, user, &self.server.token_for_user(user))
    }

    /// Where this test may keep files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A coordinator whose identity is also its user.
    pub fn coordinator<S: AsRef<OsStr>>(
        &self,
        identity: &str,
        flags: impl IntoIterator<Item = S>,
    ) -> CoordinatorProcess {
        CoordinatorProcess::start(&self.kubeconfig(identity), identity, flags)
    }

    /// Puts a workload in.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn workload(&self, workload: &Workload) -> Made {
        create(&self.server.client(), workload)
            .await
            .unwrap_or_else(|e| panic!("{}", crate::control_plane::shared::chain(&e)))
    }

    /// A Lease as it stands.
    pub fn lease(&self, namespace: &str, name: &str) -> Option<Lease> {
        let stored = self.server.get("coordination.k8s.io/v1", "Lease", namespace, name)?;
        serde_json::from_value(stored.value.clone()).ok()
    }

    /// What the coordinator says to a group.
    pub fn group(&self, key: &GroupKey) -> Option<GroupLease> {
        let lease = self.lease(key.namespace.as_str(), group_lease(&key.group).as_str())?;
        GroupLease::decode(&lease).ok()
    }

    /// The budget.
    pub fn budget(&self) -> Option<BudgetLease> {
        BudgetLease::decode(&self.lease("velero", BUDGET_LEASE)?).ok()
    }

    /// A Schedule of Velero's namespace as it stands.
    pub fn schedule(&self, name: &str) -> Option<Value> {
        self.server.get("velero.io/v1", "Schedule", "velero", name).map(|stored| stored.value.clone())
    }

    /// Another field manager than the coordinator changes a Schedule.
    ///
    /// # Panics
    /// When it cannot be changed.
    pub async fn patch_schedule(&self, manager: &str, name: &str, patch: Value) {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let patched = schedules(self.server.client(), "velero").patch(name, &params, &Patch::Merge(patch)).await;
        patched.unwrap_or_else(|e| panic!("{manager} cannot change {name}: {e}"));
    }

    /// The group label of a pod.
    pub fn label(&self, pod: &MadePod) -> Option<String> {
        let stored = self.server.get("v1", "Pod", &pod.name.namespace, &pod.name.name)?;
        stored.value["metadata"]["labels"][LABEL_SNAPSHOT_GROUP].as_str().map(str::to_owned)
    }
}

impl Drop for CoordinatorBed {
    fn drop(&mut self) {
        // Left behind it is a few small files in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A member that writes its Lease as the hook-agent would, when a test says so.
#[derive(Clone, Debug)]
pub struct Member {
    leases: Api<Lease>,
    said: MemberLease,
}

impl Member {
    /// Registers: a waiting attempt of `pod` in `group`. `nonce` tells attempts apart.
    pub async fn register(bed: &CoordinatorBed, pod: &MadePod, group: &str, nonce: u64) -> anyhow::Result<Self> {
        Self::register_with(bed.server.client(), pod, group, nonce).await
    }

    /// Registers through any client, at a real API server for instance.
    pub async fn register_with(client: kube::Client, pod: &MadePod, group: &str, nonce: u64) -> anyhow::Result<Self> {
        let now: WallTime = Timestamp::now().into();
        let namespace = Namespace::new(pod.name.namespace.as_str())?;
        let said = MemberLease {
            pod: PodName::new(pod.name.name.as_str())?,
            group: GroupId::new(group)?,
            attempt: AttemptId { pod_uid: PodUid::new(pod.uid.as_str())?, nonce: Nonce::from_bits(nonce) },
            phase: MemberPhase::Waiting,
            registered_at: now,
            renewed_at: now,
            lease_duration_s: shared::deadline::MEMBER_LEASE_S,
            deadline: now.plus_ms(MEMBER_DEADLINE_S * 1_000),
            admission: None,
            epoch: None,
            quiesced_at: None,
            thawed_at: None,
            steady: shared::boot_time::SteadySpan::default(),
            quiesce: shared::quiesce::QuiesceKinds::default(),
            let_go: None,
            resident: None,
            failure: None,
            agent_version: "test".to_owned(),
            namespace,
        };
        let member = Self { leases: Api::namespaced(client, &pod.name.namespace), said };
        member.write().await?;
        Ok(member)
    }

    /// Which group it is in.
    pub fn key(&self) -> GroupKey {
        GroupKey { namespace: self.said.namespace.clone(), group: self.said.group.clone() }
    }

    /// The round that admitted it, once one did, as the group's Lease says when it is read from the API.
    pub async fn admitted_by(&self) -> anyhow::Result<Option<Epoch>> {
        let Some(lease) = self.leases.get_opt(group_lease(&self.said.group).as_str()).await? else { return Ok(None) };
        let said = GroupLease::decode(&lease)?;
        let admitted = said.verdict(&self.said.attempt) == Some(AttemptVerdict::Admitted);
        Ok(admitted.then_some(said.epoch))
    }

    /// What the coordinator says about it.
    pub fn verdict(&self, bed: &CoordinatorBed) -> Option<AttemptVerdict> {
        bed.group(&self.key())?.verdict(&self.said.attempt)
    }

    /// Holds still, as admitted in the round `epoch`.
    pub async fn quiesce(&mut self, epoch: Epoch) -> anyhow::Result<()> {
        let now = Timestamp::now().into();
        self.said.phase = MemberPhase::Quiesced;
        self.said.admission = Some(Admission::Released);
        self.said.epoch = Some(epoch);
        self.said.quiesced_at = Some(now);
        self.said.renewed_at = now;
        self.said.lease_duration_s = shared::deadline::QUIESCED_LEASE_S;
        self.write().await
    }

    /// Lets go.
    pub async fn finish(&mut self) -> anyhow::Result<()> {
        let now = Timestamp::now().into();
        self.said.phase = MemberPhase::Done;
        self.said.thawed_at = Some(now);
        self.said.renewed_at = now;
        self.write().await
    }

    async fn write(&self) -> anyhow::Result<()> {
        let mut lease = self.said.encode()?;
        lease.metadata.managed_fields = None;
        let mut object = serde_json::to_value(&lease)?;
        object["apiVersion"] = "coordination.k8s.io/v1".into();
        object["kind"] = "Lease".into();
        let name = lease.metadata.name.unwrap_or_default();
        let params = PatchParams::apply(FIELD_MANAGER_AGENT).force();
        self.leases.patch(&name, &params, &Patch::Apply(&object)).await?;
        Ok(())
    }
}
