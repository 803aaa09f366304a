//! One action, one API call; one after another.

use coordinator_core::schedule_apply::Action;
use coordinator_core::velero_schedule::object::Schedule;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Error};
use serde_json::json;
use shared::deadline::CALL_TIMEOUT_MS;
use shared::identity::Namespace;
use shared::names::{ANNOTATION_PAUSED_BY, MANAGED_BY_SCHEDULER, PAUSED_BY_BREAKER};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

use super::tell::Teller;
use crate::api::{Trouble, TroubleKind};
use crate::cli::SchedulesMode;

/// The one field that Velero writes back by itself (velero#8787): to ask for it again is no quarrel.
const VELEROS_OWN: &str = ".spec.skipImmediately";

/// Carries them out, as long as this process leads; whether all of it is done.
pub async fn all(
    client: &Client,
    namespace: &Namespace,
    actions: Vec<Action>,
    leading: &watch::Receiver<bool>,
    teller: &mut Teller,
) -> bool {
    let kind = GroupVersionKind::gvk("velero.io", "v1", "Schedule");
    let resource = ApiResource::from_gvk_with_plural(&kind, "schedules");
    let schedules: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace.as_str(), &resource);
    let mut done = true;
    for action in actions {
        if !*leading.borrow() {
            return false;
        }
        if teller.mode() == SchedulesMode::DryRun {
            teller.would(&action);
            continue;
        }
        match one(&schedules, &action).await {
            Ok(uid) => teller.did(&action, uid),
            // The plan took it away meanwhile, or a person did: nothing is left to hold up.
            Err(Trouble { kind: TroubleKind::NotFound, .. })
                if matches!(action, Action::Pause { .. } | Action::Resume { .. } | Action::Unmark { .. }) => {}
            Err(trouble) => {
                done = false;
                teller.failed(&action, &trouble);
                // The rest would be refused as well.
                if trouble.kind == TroubleKind::Forbidden {
                    return false;
                }
            }
        }
    }
    done
}

/// Gives the Schedule's uid, where it is still there.
async fn one(schedules: &Api<DynamicObject>, action: &Action) -> Result<Option<String>, Trouble> {
    match action {
        Action::Create(schedule) => apply(schedules, schedule, true).await,
        Action::Update { schedule, cron_is_new, what: _ } => apply(schedules, schedule, *cron_is_new).await,
        Action::Remove { name } => match bounded(schedules.delete(name, &DeleteParams::default())).await {
            // Somebody else was faster, which is as good.
            Err(Failed::Said(Error::Api(status))) if status.code == 404 => Ok(None),
            other => other.map(|_| None).map_err(Failed::trouble),
        },
        Action::Pause { name, backup: _ } => merge(schedules, name, &json!({
            "metadata": {"annotations": {ANNOTATION_PAUSED_BY: PAUSED_BY_BREAKER}}, "spec": {"paused": true}})).await,
        // Without the skip an overdue Schedule fires the moment that it is resumed.
        Action::Resume { name } => merge(schedules, name, &json!({
            "metadata": {"annotations": {ANNOTATION_PAUSED_BY: null}}, "spec": {"paused": false, "skipImmediately": true}})).await,
        Action::Unmark { name } => merge(schedules, name, &json!({
            "metadata": {"annotations": {ANNOTATION_PAUSED_BY: null}}})).await,
    }
}

/// Where Velero has written the wish to skip back, it is asked for again with a new cron alone; else it has done what it was asked for.
async fn apply(
    schedules: &Api<DynamicObject>,
    schedule: &Schedule,
    cron_is_new: bool,
) -> Result<Option<String>, Trouble> {
    let name = &schedule.metadata.name;
    let params = PatchParams::apply(MANAGED_BY_SCHEDULER);
    let again = match bounded(schedules.patch(name, &params, &Patch::Apply(schedule))).await {
        Err(Failed::Said(error)) if is_veleros_own(&error) => {
            if cron_is_new {
                bounded(schedules.patch(name, &params.force(), &Patch::Apply(schedule))).await
            } else {
                let mut done = schedule.clone();
                done.spec.skip_immediately = None;
                bounded(schedules.patch(name, &params, &Patch::Apply(&done))).await
            }
        }
        other => other,
    };
    again.map(uid).map_err(Failed::trouble)
}

async fn merge(
    schedules: &Api<DynamicObject>,
    name: &str,
    patch: &serde_json::Value,
) -> Result<Option<String>, Trouble> {
    let params = PatchParams { field_manager: Some(MANAGED_BY_SCHEDULER.to_owned()), ..PatchParams::default() };
    bounded(schedules.patch(name, &params, &Patch::Merge(patch))).await.map(uid).map_err(Failed::trouble)
}

fn uid(schedule: DynamicObject) -> Option<String> {
    schedule.metadata.uid
}

/// Every field that somebody else owns is the one that Velero writes back.
fn is_veleros_own(error: &Error) -> bool {
    let Error::Api(status) = error else { return false };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    status.code == 409 && !causes.is_empty() && causes.iter().all(|cause| cause.field == VELEROS_OWN)
}

pub(super) enum Failed {
    Said(Error),
    Silent,
}

impl Failed {
    pub(super) fn trouble(self) -> Trouble {
        match self {
            Self::Said(error) => Trouble::of(&error),
            Self::Silent => Trouble::timeout(CALL_TIMEOUT_MS),
        }
    }
}

pub(super) async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
    match timeout(Duration::from_millis(CALL_TIMEOUT_MS), call).await {
        Ok(result) => result.map_err(Failed::Said),
        Err(_elapsed) => Err(Failed::Silent),
    }
}
