//! What does the coordinator leave for a Backup of a generated Schedule?

use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use shared::identity::GroupKey;
use shared::names::LABEL_SNAPSHOT_GROUP;

use super::Pair;
use crate::velero::cluster::Made;
use crate::velero::schedule::schedules;

/// A change settles for ten seconds, plans are half a minute apart, and two cores may be busy.
const SOON: Duration = Duration::from_mins(2);

impl Pair {
    /// `spec.template` of the Schedule that was made for a group of this readable part, as `velero backup create --from-schedule` takes it.
    pub async fn generated(&self, part: &str) -> Result<Value> {
        let name = self.coordinator().schedule_created(part, SOON).await;
        let schedules = schedules(self.client.clone(), self.system_namespace());
        let mut schedule = schedules.get(&name).await.with_context(|| format!("the Schedule {name}"))?;
        let mut template = schedule.data["spec"]["template"].take();
        // What the Backup is labelled with is no part of its spec.
        without(&mut template, "metadata");
        Ok(template)
    }

    /// Waits until the claims of a group's pods carry its label.
    pub async fn claims_labelled(&self, made: &Made, group: &GroupKey) -> Result<()> {
        for claim in made.pods.iter().flat_map(|pod| &pod.claims) {
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &claim.namespace);
            let is_labelled = |found: Option<&PersistentVolumeClaim>| {
                found.is_some_and(|found| {
                    found.labels().get(LABEL_SNAPSHOT_GROUP).map(String::as_str) == Some(group.group.as_str())
                })
            };
            let waited = tokio::time::timeout(SOON, await_condition(claims, &claim.name, is_labelled)).await;
            waited.with_context(|| format!("claim {claim} was not labelled within {SOON:?}"))??;
        }
        Ok(())
    }
}

/// Takes a field out of a Backup's spec.
///
/// # Panics
/// When it is not there.
pub fn without(spec: &mut Value, field: &str) {
    let taken = spec.as_object_mut().and_then(|spec| spec.remove(field));
    assert!(taken.is_some(), "no `{field}` in {spec}");
}
