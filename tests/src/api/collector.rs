//! What happens to objects whose owner is gone or is going, and to what is in a Namespace that is deleted?
//!
//! The part of kube-controller-manager that tests rely on. It wakes up for objects that a write may have made garbage and looks at nothing else.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use super::kinds::{self, Kind, KindId};
use super::status::ApiError;
use super::store::{Key, Outcome, Place, Scope, State, Store, Stored};
use super::verbs::{self, DeleteOptions};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Collects until the store is gone.
pub async fn run(store: Arc<Store>, mut upset: mpsc::UnboundedReceiver<Place>) {
    while let Some(place) = upset.recv().await {
        match collect(&store, &place) {
            Ok(()) => {}
            // Somebody else was faster.
            Err(gone) if gone.reason == "NotFound" => {}
            Err(refusal) => tracing::warn!(%refusal, name = place.key.name, "garbage collection failed"),
        }
    }
}

fn collect(store: &Store, place: &Place) -> Result<(), ApiError> {
    let Some(object) = store.get(place.kind, &place.key) else { return Ok(()) };
    let kind = kinds::kind(place.kind);
    let deleting = object.value["metadata"]["deletionTimestamp"].is_string();
    let finalizers = object.value["metadata"]["finalizers"].as_array();
    let held_by = |name: &str| deleting && finalizers.is_some_and(|f| f.iter().any(|v| v == name));
    if kind.kind == "Namespace" && deleting {
        return empty_namespace(store, place);
    }
    if held_by(ORPHAN) {
        for dependent in store.dependents(object.uid()) {
            disown(store, &dependent, |_, _, reference| reference["uid"] == object.uid(), true)?;
        }
        return release(store, place, ORPHAN);
    }
    if held_by(FOREGROUND) {
        return foreground(store, place, &object);
    }
    if disown(store, place, is_dangling, false)? { delete(store, kind, place) } else { Ok(()) }
}

fn delete(store: &Store, kind: &Kind, place: &Place) -> Result<(), ApiError> {
    verbs::remove(store, kind, place.kind, &place.key, &DeleteOptions::default()).map(drop)
}

/// Deletes the dependents; the object goes when none is left that says it blocks its owner's deletion.
fn foreground(store: &Store, place: &Place, object: &Stored) -> Result<(), ApiError> {
    for dependent in store.dependents(object.uid()) {
        delete(store, kinds::kind(dependent.kind), &dependent)?;
    }
    let blocks = |dependent: &Place| {
        let dependent = store.get(dependent.kind, &dependent.key);
        let references = dependent.as_ref().map(|d| &d.value["metadata"]["ownerReferences"]);
        let mut references = references.and_then(Value::as_array).into_iter().flatten();
        references.any(|r| r["uid"] == object.uid() && r["blockOwnerDeletion"] == true)
    };
    let dependents = store.dependents(object.uid());
    if dependents.iter().any(blocks) { Ok(()) } else { release(store, place, FOREGROUND) }
}

/// Takes a finalizer off; the object goes with its last one.
fn release(store: &Store, place: &Place, finalizer: &str) -> Result<(), ApiError> {
    let kind = kinds::kind(place.kind);
    let written = store.write(place.kind, &place.key, |_, live| {
        let live = live.ok_or_else(|| ApiError::not_found(kind, &place.key.name))?;
        let mut next = live.value.clone();
        if let Some(finalizers) = next["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|f| f != finalizer);
        }
        Ok(verbs::outcome(kind, next, false))
    });
    written.map(drop)
}

/// Whether an owner reference points to nothing. A kind that is not in the table cannot be looked up: it counts as there, as the real
/// collector leaves alone what it cannot resolve.
fn is_dangling(state: &State, dependent: &Key, reference: &Value) -> bool {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let Some(id) = kinds::by_type(text("apiVersion"), text("kind")) else { return false };
    let namespace = if kinds::kind(id).namespaced { dependent.namespace.as_str() } else { "" };
    let wanted = Place { kind: id, key: Key::new(namespace, text("name")) };
    state.by_uid(text("uid")) != Some(&wanted)
}

/// Drops the owner references that `gone` chooses; tells whether that leaves none of some. Only `orphans` may be left without any: else such an
/// object is not touched, because it is about to be deleted.
fn disown(
    store: &Store,
    place: &Place,
    gone: impl Fn(&State, &Key, &Value) -> bool,
    orphans: bool,
) -> Result<bool, ApiError> {
    let kind = kinds::kind(place.kind);
    let mut ownerless = false;
    store.write(place.kind, &place.key, |state, live| {
        let live = live.ok_or_else(|| ApiError::not_found(kind, &place.key.name))?;
        let references = live.value["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        let left: Vec<Value> = references.iter().filter(|r| !gone(state, &place.key, r)).cloned().collect();
        ownerless = left.is_empty() && !references.is_empty();
        if left.len() == references.len() || (ownerless && !orphans) {
            return Ok(Outcome::Keep);
        }
        let mut next = live.value.clone();
        if let Some(metadata) = next["metadata"].as_object_mut() {
            metadata.remove("ownerReferences");
            if !left.is_empty() {
                metadata.insert("ownerReferences".to_owned(), Value::Array(left));
            }
        }
        Ok(Outcome::Put(next))
    })?;
    Ok(ownerless)
}

/// Deletes what is in a Namespace, and then the Namespace. What has finalizers keeps it; its end wakes the collector again.
fn empty_namespace(store: &Store, place: &Place) -> Result<(), ApiError> {
    let scope = Scope { namespace: Some(place.key.name.clone()), name: None };
    let inside = |id: KindId| store.list(id, &scope).0;
    for (id, kind) in kinds::all().filter(|(_, k)| k.namespaced) {
        for object in inside(id) {
            match delete(store, kind, &Place { kind: id, key: Key::of(&object.value) }) {
                Err(gone) if gone.reason == "NotFound" => {}
                other => other?,
            }
        }
    }
    if kinds::all().filter(|(_, k)| k.namespaced).all(|(id, _)| inside(id).is_empty()) {
        store.write(place.kind, &place.key, |_, _| Ok(Outcome::Remove))?;
    }
    Ok(())
}
