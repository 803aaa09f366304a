//! A workload under a real Velero whose pods are their own residents, and when each was held, by its own freeze and thaw programs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::wait::await_condition;
use shared::member_lease::MemberLease;

use super::{HookPlan, Pair};
use crate::real_velero::IMAGE_HOOK_AGENT;
use crate::velero::cluster::{CONTAINER, Made, MadePod, Workload};

/// Writes down when it holds and when it lets go, in the container's own root: what the receipt is held against, and none of the product's.
const PLAN: &str = "- exec: {freeze: [/bin/sh, -c, date +%s%N >>/frozen], thaw: [/bin/sh, -c, date +%s%N >>/thawed]}";

/// A resident stands by within this; its label's file takes the kubelet a moment.
const PATIENCE: Duration = Duration::from_mins(2);

/// From when to when a pod was held, ns since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its freeze program ran.
    pub from: i128,
    /// Its thaw program ran.
    pub until: i128,
}

impl Pair {
    /// A set whose pods' only container is the resident itself: Velero's hooks are exec'd there, and the workload's image would not be touched.
    /// They hold for as long as `quiesce_max` allows.
    pub async fn with_residents(&self, namespace: &str, set: &str, pods: u32, quiesce_max: &str) -> Result<Made> {
        // The stand-in kubelet's containers share the machine's /dev/shm, which a pod has for itself: so the state folder is another one.
        let workload = Workload::stateful_set(namespace, set, pods)
            .command(&[IMAGE_HOOK_AGENT, "sidecar"])
            .env("QUIESCE", PLAN)
            .env("QUIESCE_MAX", quiesce_max)
            .env("STATE_DIR", "/");
        let made = self.with(workload, &HookPlan::default()).await?;
        self.stand_by(&made).await?;
        Ok(made)
    }

    /// Waits until the pods' residents stand by.
    pub async fn stand_by(&self, made: &Made) -> Result<()> {
        for pod in &made.pods {
            let leases: Api<Lease> = Api::namespaced(self.client.clone(), &pod.name.namespace);
            let stands_by = |lease: Option<&Lease>| {
                lease.is_some_and(|lease| MemberLease::decode(lease).is_ok_and(|member| member.stands_by()))
            };
            let name = format!("snapshot-member-{}", pod.name.name);
            let waited = tokio::time::timeout(PATIENCE, await_condition(leases, &name, stands_by)).await;
            waited.with_context(|| format!("the resident of {} does not stand by", pod.name))??;
        }
        Ok(())
    }

    /// When a pod of [`Pair::with_residents`] was held, in the one Backup since this was asked last.
    pub fn held(&self, pod: &MadePod) -> Result<Held> {
        let root = self.velero.real().bed().container_root(&pod.name.namespace, &pod.uid, CONTAINER);
        let take = |name: &str| -> Result<i128> {
            let path = root.join(name);
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            ensure!(text.lines().count() == 1, "{} does not have one line: {text}", path.display());
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            Ok(text.trim().parse()?)
        };
        Ok(Held { from: take("frozen")?, until: take("thawed")? })
    }
}
