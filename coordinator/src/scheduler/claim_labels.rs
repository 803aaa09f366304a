//! Writes claims' group labels: one look and one write each, one after another. A namespace that refuses keeps no other from its labels.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coordinator_core::schedule_apply::claim_labels::ClaimLabel;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::json;
use shared::identity::Namespace;
use shared::names::{ANNOTATION_LABELLED_AS, LABEL_SNAPSHOT_GROUP, MANAGED_BY_SCHEDULER};
use tokio::sync::watch;

use super::tell::Teller;
use super::write::{Failed, bounded};
use crate::api::{Trouble, TroubleKind};
use crate::cli::SchedulesMode;

/// Claims that are written for one plan. Two calls each take a few ms, and Schedules wait meanwhile; the rest comes with the next plan, soon after.
const CLAIMS_A_PLAN_MAX: usize = 500;

/// Where calls take seconds, claims are written for so long at most, ms: as long as plans are apart, or new workloads' Schedules would wait.
const WRITING_MS_MAX: u64 = 30_000;

/// Namespaces that refuse cost two calls each and no label: after so many the rest waits for the next plan.
const REFUSALS_A_PLAN_MAX: usize = 50;

/// What became of one claim.
enum Wrote {
    /// It says what it is to say.
    Done,
    /// Somebody changed it since it was looked at, or it is gone: the next plan sees.
    Overtaken,
}

/// Carries them out, as long as this process leads; whether no further plan is needed soon. What is refused waits for its turn.
pub async fn all(
    client: &Client,
    labels: Vec<ClaimLabel>,
    leading: &watch::Receiver<bool>,
    teller: &mut Teller,
) -> bool {
    if teller.mode() == SchedulesMode::DryRun {
        teller.would_label(&labels);
        return true;
    }
    let mut refused: BTreeSet<Namespace> = BTreeSet::new();
    let (mut done, mut tried) = (true, 0);
    let until = Instant::now() + Duration::from_millis(WRITING_MS_MAX);
    for label in labels {
        let namespace = &label.claim.namespace;
        if refused.contains(namespace) {
            continue;
        }
        if !*leading.borrow() || tried == CLAIMS_A_PLAN_MAX || Instant::now() >= until {
            return false;
        }
        if refused.len() == REFUSALS_A_PLAN_MAX {
            return done;
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace.as_str());
        match one(&claims, &label).await {
            Ok(Wrote::Done) => teller.labelled(&label),
            Ok(Wrote::Overtaken) => {}
            Err(trouble) => {
                teller.not_labelled(&label, &trouble);
                match trouble.kind {
                    TroubleKind::Forbidden => {
                        refused.insert(label.claim.namespace);
                        // Refusals cost no others their turn, however many namespaces there are.
                        continue;
                    }
                    // Of this claim alone.
                    TroubleKind::NotFound | TroubleKind::Conflict | TroubleKind::Invalid => done = false,
                    // The rest would fare no better.
                    TroubleKind::Unauthorized
                    | TroubleKind::Expired
                    | TroubleKind::Overloaded
                    | TroubleKind::Garbage
                    | TroubleKind::Unreachable
                    | TroubleKind::Silent => return false,
                }
            }
        }
        tried += 1;
    }
    done
}

async fn one(claims: &Api<PersistentVolumeClaim>, label: &ClaimLabel) -> Result<Wrote, Trouble> {
    let name = &label.claim.name;
    // A list of one: to get it would be a right more.
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = bounded(claims.list_metadata(&named)).await.map_err(Failed::trouble)?;
    let Some(metadata) = found.items.into_iter().next().map(|claim| claim.metadata) else {
        return Ok(Wrote::Overtaken);
    };
    if !stands(label, &metadata) {
        return Ok(Wrote::Overtaken);
    }
    // With the version that was looked at: a person's value that comes in between is a conflict, not overwritten.
    let patch = json!({"metadata": {
        "resourceVersion": metadata.resource_version,
        "labels": {LABEL_SNAPSHOT_GROUP: label.to},
        "annotations": {ANNOTATION_LABELLED_AS: label.to},
    }});
    let params = PatchParams { field_manager: Some(MANAGED_BY_SCHEDULER.to_owned()), ..PatchParams::default() };
    match bounded(claims.patch_metadata(name, &params, &Patch::Merge(&patch))).await {
        Ok(_) => Ok(Wrote::Done),
        Err(Failed::Said(Error::Api(status))) if [404, 409].contains(&status.code) => Ok(Wrote::Overtaken),
        Err(failed) => Err(failed.trouble()),
    }
}

/// Whether the claim still says what was decided on, and that is the product's own or nothing.
fn stands(label: &ClaimLabel, metadata: &ObjectMeta) -> bool {
    let now = metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_SNAPSHOT_GROUP));
    let own = metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_LABELLED_AS));
    now == label.from.as_ref() && (now.is_none() || now == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_stands_while_nobody_else_labelled_it() {
        let metadata = |label: Option<&str>, own: Option<&str>| {
            let map = |key: &str, value: Option<&str>| value.map(|value| [(key.to_owned(), value.to_owned())].into());
            ObjectMeta {
                labels: map(LABEL_SNAPSHOT_GROUP, label),
                annotations: map(ANNOTATION_LABELLED_AS, own),
                ..ObjectMeta::default()
            }
        };
        let claim = coordinator_core::objects::ObjectKey { namespace: "prod".parse().unwrap(), name: "data".into() };
        let from = |from: Option<&str>| ClaimLabel { claim: claim.clone(), from: from.map(str::to_owned), to: None };
        assert!(stands(&from(None), &metadata(None, None)));
        assert!(stands(&from(None), &metadata(None, Some("a"))), "somebody took it off");
        assert!(!stands(&from(None), &metadata(Some("mine"), None)));
        assert!(stands(&from(Some("a")), &metadata(Some("a"), Some("a"))));
        assert!(!stands(&from(Some("a")), &metadata(Some("a"), None)));
        assert!(!stands(&from(Some("a")), &metadata(Some("mine"), Some("a"))));
        assert!(!stands(&from(Some("a")), &metadata(None, Some("a"))));
    }
}
