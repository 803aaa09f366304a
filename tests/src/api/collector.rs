//! What happens to objects whose owner is gone, and to what is in a Namespace that is deleted?
//!
//! The part of kube-controller-manager that tests rely on. It wakes up for objects that a write may have made garbage and looks at nothing else.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use super::kinds::{self, Kind, KindId};
use super::status::ApiError;
use super::store::{Key, Outcome, Scope, State, Store, Upset};
use super::verbs::{DeleteOptions, remove};

/// Collects until the store is gone.
pub async fn run(store: Arc<Store>, mut upsets: mpsc::UnboundedReceiver<Upset>) {
    while let Some(upset) = upsets.recv().await {
        if let Err(refusal) = collect(&store, &upset) {
            tracing::warn!(%refusal, name = upset.key.name, "garbage collection failed");
        }
    }
}

fn collect(store: &Store, upset: &Upset) -> Result<(), ApiError> {
    let Some(object) = store.get(upset.kind, &upset.key) else { return Ok(()) };
    let kind = kinds::kind(upset.kind);
    let result = if kind.kind == "Namespace" && object.value["metadata"]["deletionTimestamp"].is_string() {
        empty_namespace(store, upset)
    } else {
        dangling(store, kind, upset)
    };
    match result {
        Err(gone) if gone.reason == "NotFound" => Ok(()),
        other => other,
    }
}

/// Whether an owner reference points to nothing. A kind that is not in the table cannot be looked up: it counts as there, as the real
/// collector leaves alone what it cannot resolve.
fn is_dangling(state: &State, reference: &Value) -> bool {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    kinds::by_type(text("apiVersion"), text("kind")).is_some() && !state.uid_exists(text("uid"))
}

/// Deletes an object that has owners, all of them gone; drops references to those that are gone if others are left.
fn dangling(store: &Store, kind: &Kind, upset: &Upset) -> Result<(), ApiError> {
    let mut all_gone = false;
    store.write(upset.kind, &upset.key, |state, live| {
        let live = live.ok_or_else(|| ApiError::not_found(kind, &upset.key.name))?;
        let references = live.value["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        let left: Vec<Value> = references.iter().filter(|r| !is_dangling(state, r)).cloned().collect();
        all_gone = left.is_empty() && !references.is_empty();
        if all_gone || left.len() == references.len() {
            return Ok(Outcome::Keep);
        }
        let mut next = live.value.clone();
        next["metadata"]["ownerReferences"] = Value::Array(left);
        Ok(Outcome::Put(next))
    })?;
    if all_gone {
        remove(store, kind, upset.kind, &upset.key, &DeleteOptions::default())?;
    }
    Ok(())
}

/// Deletes what is in a Namespace, and then the Namespace. What has finalizers keeps it; its end wakes the collector again.
fn empty_namespace(store: &Store, upset: &Upset) -> Result<(), ApiError> {
    let name = &upset.key.name;
    let scope = Scope { namespace: Some(name.clone()), name: None };
    let inside = |id: KindId| store.list(id, &scope).0;
    for (id, kind) in kinds::all().filter(|(_, k)| k.namespaced) {
        for object in inside(id) {
            match remove(store, kind, id, &Key::of(&object.value), &DeleteOptions::default()) {
                Err(gone) if gone.reason == "NotFound" => {}
                other => drop(other?),
            }
        }
    }
    if kinds::all().filter(|(_, k)| k.namespaced).all(|(id, _)| inside(id).is_empty()) {
        store.write(upset.kind, &upset.key, |_, _| Ok(Outcome::Remove))?;
    }
    Ok(())
}
